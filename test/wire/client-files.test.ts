import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { http } from "../support/http.ts";
import { start, targets } from "../support/targets.ts";

const dist = dirname(createRequire(import.meta.url).resolve("socket.io-client/dist/socket.io.js"));
const scripts = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];
const UNKNOWN = { status: 400, body: '{"code":0,"message":"Transport unknown"}' };

describe.each(targets)("the official client's files on %s", (target) => {
  let server: Running;
  beforeAll(async () => {
    server = await start(target, "files");
  });
  afterAll(() => server?.close());

  /** Cloudflare compresses by itself; the official server compresses when the client asks for it. */
  const ask = (path: string, method = "GET", headers: Record<string, string> = {}) =>
    http(server, path, { method, headers: { "accept-encoding": "identity", ...headers } });

  it.each(scripts.flatMap((name) => [name, `${name}.map`]))("are served as they are: %s", async (name) => {
    const { status, headers, body } = await ask(`/socket.io/${name}`);
    expect([status, body === (await readFile(join(dist, name), "utf8"))]).toEqual([200, true]);
    const type = name.endsWith(".map") ? "application/json" : "application/javascript";
    expect(headers).toMatchObject({
      "content-type": `${type}; charset=utf-8`,
      "cache-control": "public, max-age=0",
      etag: '"4.8.4"',
      "access-control-allow-origin": "https://a.com",
    });
  });

  it.each(['"4.8.4"', 'W/"4.8.4"'])("are not sent again to a client that has them: %s", async (tag) => {
    const reply = await ask("/socket.io/socket.io.js", "GET", { "if-none-match": tag });
    expect([reply.status, reply.body]).toEqual([304, ""]);
  });

  it("are served for any method and query, except for preflights", async () => {
    for (const method of ["POST", "PUT", "DELETE"]) {
      expect((await ask("/socket.io/socket.io.min.js?x=1", method)).status, method).toBe(200);
    }
    const preflight = await ask("/socket.io/socket.io.js", "OPTIONS", { origin: "https://a.com" });
    expect([preflight.status, preflight.body]).toEqual([204, ""]);
  });

  it("leave other names to the engine, and other paths to the app", async () => {
    for (const name of ["socket.io.slim.js", "socket.io.js.mapp", "a/socket.io.js"]) {
      expect(await ask(`/socket.io/${name}`), name).toMatchObject(UNKNOWN);
    }
    expect((await ask("/socket.io.js")).status).toBe(404);
  });

  it("are not served when serveClient is off", async () => {
    const bare = await start(target, "files", "off");
    try {
      expect(await http(bare, "/socket.io/socket.io.js")).toMatchObject(UNKNOWN);
    } finally {
      await bare.close();
    }
  });
});
