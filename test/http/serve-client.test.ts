import { describe, expect, it } from "vitest";
import { serveClientFile } from "../../src/http/serve-client.ts";

const files = {
  version: "4.8.4",
  files: {
    "socket.io.js": "/* client */",
    "socket.io.js.map": "{}",
    "socket.io.esm.min.js": "export {}",
  },
};

function ask(url: string, init?: RequestInit, path = "/socket.io/"): Response | undefined {
  return serveClientFile(new Request(`https://chat.example${url}`, init), files, path);
}

describe("files of the browser client", () => {
  it("serves a script with its version as the ETag, to be asked for again each time", async () => {
    const answer = ask("/socket.io/socket.io.js");
    expect(answer?.status).toBe(200);
    expect(Object.fromEntries(answer?.headers ?? [])).toEqual({
      "cache-control": "public, max-age=0",
      "content-type": "application/javascript; charset=utf-8",
      etag: '"4.8.4"',
    });
    expect(await answer?.text()).toBe("/* client */");
  });

  it("serves a source map as JSON", () => {
    const answer = ask("/socket.io/socket.io.js.map");
    expect(answer?.headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  it.each(['"4.8.4"', 'W/"4.8.4"', '"4.7.0", "4.8.4"'])(
    "answers 304 without a body to If-None-Match: %s",
    async (tag) => {
      const answer = ask("/socket.io/socket.io.js", { headers: { "If-None-Match": tag } });
      expect(answer?.status).toBe(304);
      expect(answer?.headers.get("etag")).toBe('"4.8.4"');
      expect(await answer?.text()).toBe("");
    },
  );

  it.each(['"4.8.3"', "4.8.4", ""])("sends the file again to If-None-Match: %s", (tag) => {
    expect(ask("/socket.io/socket.io.js", { headers: { "If-None-Match": tag } })?.status).toBe(200);
  });

  it.each(["GET", "POST", "PUT", "DELETE", "OPTIONS"])("does not mind the method %s", (method) => {
    expect(ask("/socket.io/socket.io.js", { method })?.status).toBe(200);
  });

  it("ignores the query", async () => {
    expect(await ask("/socket.io/socket.io.esm.min.js?v=1&t=%2F")?.text()).toBe("export {}");
  });

  it("serves below the path of the server, written with or without its trailing slash", () => {
    expect(ask("/live/socket.io.js", {}, "/live")?.status).toBe(200);
    expect(ask("/live/socket.io.js", {}, "/live/")?.status).toBe(200);
    expect(ask("/socket.io/socket.io.js", {}, "/live")).toBeUndefined();
  });

  it.each([
    "/socket.io/",
    "/socket.io",
    "/socket.io/?EIO=4&transport=polling",
    "/socket.io/socket.io.min.js",
    "/socket.io/nested/socket.io.js",
    "/socket.io/%2e%2e/socket.io.js",
    "/socket.io/constructor",
    "/socket.io/__proto__",
    "/xsocket.io/socket.io.js",
    "/socket.io.js",
  ])("leaves %s to the engine", (url) => {
    expect(ask(url)).toBeUndefined();
  });
});
