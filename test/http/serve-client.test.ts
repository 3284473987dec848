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

function ask(name: string, init?: RequestInit): Response | undefined {
  return serveClientFile(new Request(`https://chat.example/socket.io/${name}`, init), files, name);
}

describe("the files of the browser client", () => {
  it("are served with their version as the ETag, and revalidated each time", async () => {
    const answer = ask("socket.io.js");
    expect(answer?.status).toBe(200);
    expect(Object.fromEntries(answer?.headers ?? [])).toEqual({
      "cache-control": "public, max-age=0",
      "content-type": "application/javascript; charset=utf-8",
      etag: '"4.8.4"',
    });
    expect(await answer?.text()).toBe("/* client */");
  });

  it("are served as JSON when they are source maps", () => {
    const answer = ask("socket.io.js.map");
    expect(answer?.headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  it.each(['"4.8.4"', 'W/"4.8.4"', '"4.7.0", "4.8.4"'])(
    "are answered with 304 and no body to If-None-Match: %s",
    async (tag) => {
      const answer = ask("socket.io.js", { headers: { "If-None-Match": tag } });
      expect(answer?.status).toBe(304);
      expect(answer?.headers.get("etag")).toBe('"4.8.4"');
      expect(await answer?.text()).toBe("");
    },
  );

  it.each(['"4.8.3"', "4.8.4", ""])("are sent again to If-None-Match: %s", (tag) => {
    expect(ask("socket.io.js", { headers: { "If-None-Match": tag } })?.status).toBe(200);
  });

  it.each(["GET", "POST", "PUT", "DELETE", "OPTIONS"])("are served for the method %s as well", (method) => {
    expect(ask("socket.io.js", { method })?.status).toBe(200);
  });

  it.each(["", "socket.io.min.js", "nested/socket.io.js", "../socket.io.js", "constructor", "__proto__"])(
    "do not include %j, which the engine answers",
    (name) => {
      expect(ask(name)).toBeUndefined();
    },
  );
});
