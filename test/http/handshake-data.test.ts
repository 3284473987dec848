import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { ask, clients, connected, type Mode, modeOptions, modes, upgraded } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { http } from "../support/http.ts";
import { pathOf, RawSession } from "../support/raw-session.ts";
import { RawSocket, refusal } from "../support/raw-socket.ts";

/** A middleware identifies the user by a cookie, from which `handshakeData` computes what the query asks for. */
const WORKER = `
import { Hono } from "hono";
import { defineEngine, defineServer } from "../../src/index.ts";

const kinds = {
  plain: (user) => ({ user, list: [1, "ü", null, true], left: undefined }),
  nothing: () => undefined,
  largest: () => "x".repeat(7_998),
  larger: () => "x".repeat(7_999),
  "larger in bytes": () => "ü".repeat(4_000),
  date: () => ({ user: { at: new Date() } }),
  map: () => new Map([["a", 1]]),
  class: () => ({ it: new (class Thing { a = 1; }) }),
  function: () => ({ f() {} }),
  bigint: () => 1n,
  "not a number": () => [0 / 0],
  symbol: () => Symbol("s"),
  loop: () => { const a = {}; a.a = a; return a; },
  throw: () => { throw new Error("the database is away: secret of the log"); },
  reject: () => Promise.reject(new Error("the database is away: secret of the log")),
};
const options = {
  async handshakeData(request, env, c) {
    await Promise.resolve();
    return kinds[request._query.kind ?? "plain"](c.var.user ?? request.headers.get("x-user"));
  },
};
const server = defineServer(
  { ...options, connectionStateRecovery: {}, allowRequest: ({ _query }, env, c) => !_query.only || _query.only !== c.var.user },
  (io) => {
    io.on("connection", (socket) => {
      socket.on("who", (answer) => answer(socket.handshake.data, socket.recovered));
      socket.on("cut", () => socket.conn.close());
    });
    io.of("/other").on("connection", (socket) => {
      socket.on("who", (answer) => answer(socket.handshake.data, socket.recovered));
    });
  },
);
export class SessionObject extends server.SessionObject {}

const engine = defineEngine({ ...options, bindings: { sessions: "ENGINE" } }, (engine) => {
  engine.on("connection", (session) => {
    session.on("message", () => session.send(JSON.stringify(session.handshakeData)));
  });
});
export class EngineObject extends engine.SessionObject {}

const app = new Hono();
app.use(async (c, next) => {
  const user = /user=(\\w+)/.exec(c.req.header("cookie") ?? "")?.[1];
  if (user) c.set("user", user);
  await next();
});
app.get("/fetch", async (c) => c.json(await server.emitter(c.env).fetchSockets()));
app.route("/", server.app);
app.route("/", engine.app);
export default app;
`;

let server: Running;
beforeAll(async () => {
  server = await startWorker(await bundle(WORKER), {
    SESSIONS: { className: "SessionObject", useSQLite: true },
    ENGINE: { className: "EngineObject", useSQLite: true },
  });
});
afterAll(() => server?.close());

const plain = (user: string) => ({ user, list: [1, "ü", null, true] });

function join(mode: Mode, user: string, nsp = "") {
  const extraHeaders = { cookie: `user=${user}`, "x-user": "eve", "sio-request": '{"data":"\\"eve\\""}' };
  return clients["4.8"](server.url + nsp, { forceNew: true, extraHeaders, ...modeOptions(mode) });
}

describe("handshakeData", () => {
  it.each(Object.keys(modes) as Mode[])(
    "is available at socket.handshake.data over %s, awake and asleep, in every namespace",
    async (mode) => {
      const socket = join(mode, "ann");
      try {
        await connected(socket);
        if (mode === "default") await upgraded(socket);
        expect(await ask(socket, "who")).toEqual(plain("ann"));
        await server.evict("hibernate");
        expect(await ask(socket, "who")).toEqual(plain("ann"));
        const other = socket.io.socket("/other");
        await connected(other);
        expect(await ask(other, "who")).toEqual(plain("ann"));
      } finally {
        socket.io._close();
      }
    },
  );

  it("is that of the new handshake for a client that is recovered after a restart", async () => {
    const socket = join("websocket", "ann");
    try {
      await connected(socket);
      const { id } = socket;
      socket.io.opts.extraHeaders = { cookie: "user=bob" };
      await server.evict("close");
      await expect
        .poll(() => socket.connected && socket.id === id && socket.recovered, { timeout: 10_000 })
        .toBe(true);
      expect(await ask(socket, "who")).toEqual(plain("bob"));
    } finally {
      socket.disconnect();
    }
  });

  it("is visible to an emitter, and to no client", async () => {
    const session = new RawSession(
      server,
      await http(server, pathOf({ EIO: "4", transport: "polling" }), {
        headers: { cookie: "user=carol" },
      }),
    );
    await session.post("40");
    const answers = [session.handshake, await session.poll()];
    for (const { headers, body } of answers) expect(JSON.stringify(headers) + body).not.toContain("carol");
    const fetched = JSON.parse((await http(server, "/fetch")).body) as { handshake: { data: unknown } }[];
    expect(fetched.map(({ handshake }) => handshake.data)).toContainEqual(plain("carol"));
  });

  it("is a property of the session with defineEngine", async () => {
    for (const state of ["awake", "asleep"]) {
      const path = pathOf({ EIO: "4", transport: "websocket" }, "/engine.io/");
      const socket = await RawSocket.open(server, path, { cookie: "user=ann" });
      await socket.nextText("0");
      if (state === "asleep") await server.evict("hibernate");
      socket.send("4");
      expect(JSON.parse((await socket.nextText("4")).slice(1))).toEqual(plain("ann"));
      socket.cut();
    }
  });

  it.each(["nothing", "largest"])("may be %s", async (kind) => {
    const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket", kind }));
    socket.send("40");
    await socket.nextText("40");
    socket.send('421["who"]');
    const [data] = JSON.parse((await socket.nextText("431")).slice(3));
    expect(data).toEqual(kind === "nothing" ? null : "x".repeat(7_998));
    socket.cut();
  });

  it.each([
    ["larger", "return an id, and look the rest up"],
    ["larger in bytes", "8002 bytes of JSON and may return 8000"],
    ["date", 'at "at": return plain objects'],
    ["map", "what JSON cannot hold"],
    ["class", 'at "it": return plain objects'],
    ["function", 'at "f": return plain objects'],
    ["bigint", ""],
    ["not a number", 'at "0": return plain objects'],
    ["symbol", "what JSON cannot hold"],
    ["loop", ""],
    ["throw", "the database is away"],
    ["reject", "the database is away"],
  ])("refuses the client with 403, and says why in the log, when it gives: %s", async (kind, why) => {
    const seen = server.complaints.length;
    const reply = await http(server, pathOf({ EIO: "4", transport: "polling", kind }));
    expect([reply.status, reply.body]).toEqual([403, '{"code":4,"message":"Forbidden"}']);
    const socket = await refusal(server, pathOf({ EIO: "4", transport: "websocket", kind }));
    expect([socket.status, socket.body]).toEqual([403, "Forbidden"]);
    await expect.poll(() => server.complaints.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(seen + 2);
    const said = server.complaints.slice(seen).join("\n");
    expect(said).toContain("handshakeData failed, so the client was refused");
    expect(said).toContain(why);
  });

  it("is called after allowRequest, which gets the context as well, and never for a request of a session", async () => {
    const path = pathOf({ EIO: "4", transport: "polling", only: "ann", kind: "throw" });
    const seen = server.complaints.length;
    expect((await http(server, path, { headers: { cookie: "user=ann" } })).status).toBe(403);
    expect(server.complaints.length).toBe(seen);
    const session = await RawSession.start(server);
    const later = session.path({ kind: "throw" });
    expect((await http(server, later, { method: "POST", body: "40" })).body).toBe("ok");
  });
});
