import { describe, expect, it } from "vitest";
import { bundle, startWorker } from "../support/edge.ts";
import { http } from "../support/http.ts";
import { Random } from "../support/random.ts";
import { RawSocket } from "../support/raw-socket.ts";

/** A guard on the documented path, and one of Hono's routers that matches it. */
const worker = (router: string, file: string) => `
import { Hono } from "hono";
import { ${router} } from "hono/router/${file}";
import { defineServer } from "../../src/index.ts";

const server = defineServer({ serveClient: { version: "1", files: { "socket.io.js": "/* client */" } } }, () => {});
export class SessionObject extends server.SessionObject {}

const app = new Hono({ router: new ${router}() });
app.use("/socket.io/*", async (c, next) => {
  await next();
  c.res.headers.set("x-guarded", "1");
});
app.route("/", server.app);
export default app;
`;

const KNOWN = [
  "/socket.io",
  "/socket.io/",
  "/socket.io//",
  "/socket.io/%0a",
  "/socket.io/%E2%80%A8x",
  "/%73ocket.io/",
  "//socket.io/",
  "///socket.io",
  "/x/..//socket.io/",
  "/./socket.io/",
  "/%2e/socket.io/",
  "/x/%2e%2e/socket.io/",
  "/socket.io%2f",
  "/socket.io/%2e%2e/socket.io/",
  "/Socket.IO/",
  "/socket.io;/",
  "/socket.io%3f/",
  "/socket.io/socket.io.js",
  "//socket.io/socket.io.js",
  "/socket.io//socket.io.js",
  "/socket.io/%73ocket.io.js",
  "/%25/socket.io/",
  "/%/../socket.io/",
];
const PIECES = [
  ..."/////..%\\;#",
  "socket.io",
  "Socket.io",
  "%73ocket.io",
  "%2f",
  "%2e",
  "%5c",
  "%00",
  "%0a",
  "%ff",
  "%25",
  "x",
];

const random = new Random(20261122);
const pieces = () => Array.from({ length: random.below(4) }, () => random.pick(PIECES)).join("");
const drawn = Array.from({ length: 150 }, () => `/${pieces()}socket.io${pieces()}`);

describe.each([
  ["SmartRouter's first choice", "RegExpRouter", "reg-exp-router"],
  ["its second", "TrieRouter", "trie-router"],
  ["the smallest", "PatternRouter", "pattern-router"],
  ["the one for short lives", "LinearRouter", "linear-router"],
])("a middleware on /socket.io/* with %s", (_what, router, file) => {
  it("runs for every request that is served, however its path is written", async () => {
    const server = await startWorker(await bundle(worker(router, file)));
    try {
      const served: string[] = [];
      for (const path of [...KNOWN, ...drawn]) {
        const { status, headers } = await http(server, `${path}?EIO=4&transport=polling`);
        if (status !== 200) expect([400, 404], path).toContain(status);
        else served.push(`${path} ${headers["x-guarded"]}`);
        const socket = await RawSocket.open(server, `${path}?EIO=4&transport=websocket`).catch(
          () => undefined,
        );
        if (socket === undefined) continue;
        served.push(`${path} ${socket.headers["x-guarded"]}`);
        socket.cut();
      }
      expect(served.length).toBeGreaterThan(40);
      expect(served.filter((line) => !line.endsWith(" 1"))).toEqual([]);
      expect(served).toContain("/socket.io/ 1");
      expect(served.filter((line) => /^\/{2}/.test(line))).toEqual([]);
    } finally {
      await server.close();
    }
  });
});
