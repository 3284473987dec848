import type { IncomingHttpHeaders } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { ask, clients, connected, type Mode, modeOptions, modes, upgraded } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { http } from "../support/http.ts";
import { pathOf, RawSession } from "../support/raw-session.ts";
import { RawSocket, refusal } from "../support/raw-socket.ts";

/** A user's own app: middlewares of Hono in front of ours, and a page beside it. */
const worker = (middlewares: string) => `
import { Hono } from "hono";
import { compress } from "hono/compress";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { logger } from "hono/logger";
import { secureHeaders } from "hono/secure-headers";
import { timing } from "hono/timing";
import { defineServer } from "../../src/index.ts";

const server = defineServer({ cookie: true }, (io) => {
  io.on("connection", (socket) => {
    socket.on("echo", (value, answer) => (answer ? answer(value) : socket.emit("echo", value)));
    socket.on("quit", () => socket.disconnect(true));
  });
});
export class SessionObject extends server.SessionObject {}

const app = new Hono();
app.use(${middlewares});
app.get("/", (c) => c.text("the page"));
app.route("/", server.app);
export default app;
`;

async function talk(url: string, mode: Mode): Promise<void> {
  const options = { forceNew: true, reconnection: false, ...modeOptions(mode) };
  // miniflare sends compressed answers even to a client without accept-encoding; Cloudflare does not.
  const socket = clients["4.8"](url, { ...options, extraHeaders: { "accept-encoding": "identity" } });
  try {
    await connected(socket);
    if (mode === "default") await upgraded(socket);
    const text = "ü".repeat(10_000);
    expect(await ask(socket, "echo", text)).toBe(text);
  } finally {
    socket.disconnect();
  }
}

describe("Hono's logger, timing, cors, secureHeaders and etag in front of the app", () => {
  let server: Running;
  beforeAll(async () => {
    const cors = `cors({ origin: "https://page.example", credentials: true, exposeHeaders: ["x-seen"] })`;
    const middlewares = `logger(console.warn), timing(), ${cors}, secureHeaders(), etag()`;
    server = await startWorker(await bundle(worker(middlewares)));
  });
  afterAll(() => server?.close());

  const headers = { origin: "https://page.example" };
  const added = {
    "access-control-allow-origin": "https://page.example",
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "x-seen",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "server-timing": expect.stringMatching(/^total;dur=/),
  };

  it("apply to every kind of polling answer", async () => {
    const session = await RawSession.start(server, {}, { headers });
    expect(session.handshake.headers).toMatchObject({
      ...added,
      etag: expect.any(String),
      "cache-control": "no-store",
      "set-cookie": [`io=${session.sid}; Path=/; HttpOnly; SameSite=Lax`],
    });
    const post = await session.post("40", { headers });
    expect(post).toMatchObject({ body: "ok", headers: added });
    expect(await session.poll({ headers })).toMatchObject({
      body: expect.stringMatching(/^40\{/),
      headers: added,
    });
    const waiting = session.begin({ headers });
    await session.post('42["echo","a"]');
    expect(await waiting.reply).toMatchObject({ body: '42["echo","a"]', headers: added });
    const refused = await http(server, pathOf({ EIO: "4", transport: "tobi" }), { headers });
    expect(refused).toMatchObject({ status: 400, headers: added });
  });

  it("apply to a preflight", async () => {
    const reply = await http(server, pathOf({ EIO: "4", transport: "polling" }), {
      method: "OPTIONS",
      headers: { ...headers, "access-control-request-method": "POST" },
    });
    expect(reply.status).toBe(204);
    expect(reply.headers["access-control-allow-origin"]).toBe("https://page.example");
  });

  it("apply to the answer that opens a WebSocket, and keep the WebSocket", async () => {
    const direct = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }), headers);
    expect(direct.headers).toMatchObject(added);
    expect(await direct.next()).toMatch(/^0\{/);
    direct.cut();
    const session = await RawSession.join(server);
    const socket = await session.upgrade();
    expect(socket.headers).toMatchObject({ "x-content-type-options": "nosniff" });
    socket.send('421["echo","moved"]');
    expect(await socket.nextText("43")).toBe('431["moved"]');
    socket.send('42["quit"]');
    expect((await socket.end()).code).toBe(1005);
    const useless = await RawSocket.open(server, pathOf({ EIO: "4", transport: "polling" }));
    expect((await useless.end()).code).toBe(1005);
    const refused = await refusal(server, pathOf({ EIO: "4", transport: "tobi" }));
    expect(refused.headers).toMatchObject({ "x-content-type-options": "nosniff" });
  });

  it("apply to other routes of the user's app", async () => {
    expect((await http(server, "/")).body).toBe("the page");
    expect((await http(server, "/nowhere")).status).toBe(404);
  });

  it.each(Object.keys(modes) as Mode[])("let a stock client talk by %s", (mode) => talk(server.url, mode));

  it("have run for each request without an error", () => {
    expect(server.complaints.some((line) => line.includes("--> GET /socket.io/"))).toBe(true);
    expect(server.complaints.filter((line) => !/(<--|-->) /.test(line))).toEqual([]);
  });
});

describe("Hono's compress in front of the app", () => {
  let server: Running;
  beforeAll(async () => {
    server = await startWorker(await bundle(worker("compress()")));
  });
  afterAll(() => server?.close());

  /** A poll of a client that accepts gzip, which `fetch` decodes. */
  const poll = (path: string) => fetch(server.url + path, { headers: { "accept-encoding": "gzip" } });

  it.each(["that waited", "that finds packets"])("compresses the answer of a poll %s", async (which) => {
    const open = await (await poll(pathOf({ EIO: "4", transport: "polling" }))).text();
    const path = pathOf({ EIO: "4", transport: "polling", sid: JSON.parse(open.slice(1)).sid });
    const post = (body: string) => fetch(server.url + path, { method: "POST", body });
    await post("40");
    expect(await (await poll(path)).text()).toMatch(/^40\{/);
    const packet = `42["echo","${"a".repeat(5_000)}"]`;
    const waiting = which === "that waited" ? poll(path) : undefined;
    expect(await (await post(packet)).text()).toBe("ok");
    const response = await (waiting ?? poll(path));
    expect(response.headers.get("content-encoding")).toBe("gzip");
    expect(await response.text()).toBe(packet);
  });

  it.each(Object.keys(modes) as Mode[])("lets a stock client talk by %s", (mode) => talk(server.url, mode));
});

describe.each([
  ["c.header", (name: string, value: string) => `c.header("${name}", "${value}", { append: true });`],
  ["c.res.headers", (name: string, value: string) => `c.res.headers.append("${name}", "${value}");`],
])("what a middleware sets with %s before next()", (_how, set) => {
  let server: Running;
  beforeAll(async () => {
    const lines = [
      set("set-cookie", "a=1; Path=/"),
      set("set-cookie", "b=2; Path=/"),
      set("x-before", "1"),
      set("cache-control", "public"),
      set("vary", "Cookie"),
    ];
    const handler = `async (c, next) => { ${lines.join(" ")} await next(); c.header("set-cookie", "c=3", { append: true }); }`;
    const files = '{ version: "1", files: { "socket.io.js": "/* client */" } }';
    const options = `{ cookie: true, cors: { origin: ["http://a.example"] }, serveClient: ${files} }`;
    const hooks = `io.engine.on("headers", (headers) => headers.append("set-cookie", "d=4"));`;
    const source = worker(handler).replace("{ cookie: true }, (io) => {", `${options}, (io) => { ${hooks}`);
    server = await startWorker(await bundle(source));
  });
  afterAll(() => server?.close());

  const first = ["a=1; Path=/", "b=2; Path=/"];
  const seen = ({ headers }: { headers: IncomingHttpHeaders }) => ({
    cookies: [...(headers["set-cookie"] ?? [])].sort(),
    before: headers["x-before"],
    vary: headers.vary,
  });
  const arrived = (...cookies: string[]) => ({
    cookies: [...first, "c=3", ...cookies].sort(),
    before: "1",
    vary: "Origin, Cookie",
  });

  it("is sent with every polling answer, beside its other headers", async () => {
    const session = await RawSession.start(server);
    expect(seen(session.handshake)).toEqual(
      arrived("d=4", `io=${session.sid}; Path=/; HttpOnly; SameSite=Lax`),
    );
    expect(session.handshake.headers["cache-control"]).toBe("no-store");
    expect(seen(await session.post("40"))).toEqual(arrived("d=4"));
    expect(seen(await session.poll())).toEqual(arrived("d=4"));
    const waiting = session.begin();
    await session.post('42["echo","a"]');
    const { headers, body } = await waiting.reply;
    expect([body, headers["cache-control"]]).toEqual(['42["echo","a"]', "no-store"]);
    expect(seen({ headers })).toEqual(arrived("d=4"));
  });

  it("is sent with an answer that opens a WebSocket, and with one that refuses it", async () => {
    const direct = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));
    expect(seen(direct)).toEqual(arrived("d=4"));
    expect(await direct.next()).toMatch(/^0\{/);
    direct.cut();
    const session = await RawSession.join(server);
    const socket = await session.upgrade();
    expect(seen(socket)).toEqual(arrived("d=4"));
    socket.send('421["echo","moved"]');
    expect(await socket.nextText("43")).toBe('431["moved"]');
    socket.cut();
    expect(seen(await refusal(server, pathOf({ EIO: "4", transport: "tobi" })))).toEqual(arrived());
  });

  it("is sent with a refusal, a preflight and a file of the client", async () => {
    expect(seen(await http(server, pathOf({ EIO: "4", transport: "tobi" })))).toEqual(arrived());
    const preflight = await http(server, pathOf({ EIO: "4", transport: "polling" }), { method: "OPTIONS" });
    expect([preflight.status, preflight.headers["x-before"]]).toEqual([204, "1"]);
    const file = await http(server, "/socket.io/socket.io.js");
    expect(seen(file)).toEqual(arrived());
    expect(file.headers["cache-control"]).toBe("public, max-age=0");
  });

  it.each(Object.keys(modes) as Mode[])("lets a stock client talk by %s", (mode) => talk(server.url, mode));
});

describe("a request header that a middleware sets", () => {
  let server: Running;
  beforeAll(async () => {
    const handOn = `async (c, next) => {
      const headers = new Headers(c.req.raw.headers);
      headers.set("x-user", "ann");
      c.req.raw = new Request(c.req.raw, { headers });
      await next();
    }`;
    const tell = 'socket.on("who", (answer) => answer(socket.handshake.headers["x-user"]));';
    server = await startWorker(
      await bundle(worker(handOn).replace('socket.on("quit"', `${tell} socket.on("quit"`)),
    );
  });
  afterAll(() => server?.close());

  it.each(Object.keys(modes) as Mode[])(
    "is in the socket's handshake over %s in place of what the client sent",
    async (mode) => {
      const extraHeaders = { "x-user": "eve" };
      const socket = clients["4.8"](server.url, {
        forceNew: true,
        reconnection: false,
        extraHeaders,
        ...modeOptions(mode),
      });
      try {
        await connected(socket);
        expect(await ask(socket, "who")).toBe("ann");
      } finally {
        socket.disconnect();
      }
    },
  );
});
