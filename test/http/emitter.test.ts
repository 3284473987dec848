import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { io, type Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connected } from "../support/clients.ts";
import { bundle } from "../support/edge.ts";
import { Inbox, within } from "../support/within.ts";

const index = fileURLToPath(new URL("../../src/index.ts", import.meta.url));

/** A Worker that emits to its sockets from a route, a cron trigger and a queue consumer, in both possible ways. */
const WORKER = `
import { Hono } from "hono";
import { defineServer } from ${JSON.stringify(index)};

const chat = defineServer({}, (io) => {
  const serve = (nsp) => nsp.on("connection", (socket) => {
    socket.data.name = socket.handshake.auth.name;
    socket.data.since = new Date(0);
    socket.data.leave = () => socket.disconnect();
    socket.join(socket.handshake.auth.rooms ?? []);
  });
  serve(io);
  serve(io.of("/admin"));
  serve(io.of((name, auth, next) => next(null, name.startsWith("/guarded-") && auth.key === "right")));
  io.on("from outside", (...args) => io.emit("heard", ...args));
});

export class SessionObject extends chat.SessionObject {
  /** A method of the user's class: a typed emit from anywhere. */
  notify(room, ...args) {
    this.io.to(room).emit("note", ...args);
    return this.io.sockets.adapter.rooms.get(room)?.size ?? 0;
  }
  async ask(question) {
    return this.io.timeout(5_000).emitWithAck("question", question);
  }
  onSchedule() {
    this.io.emit("alarm");
  }
  remind(time) {
    this.schedule(time);
  }
}

/** Makes the calls one after the other: "this.x" is a method of the object, everything else one of an emitter. */
async function act(calls, env) {
  const isOwn = calls[0][0].startsWith("this.");
  let target = isOwn ? env.SESSIONS.getByName("main") : chat.emitter(env);
  for (const [name, ...args] of calls) {
    const member = name.replace("this.", "");
    target = typeof target[member] === "function" ? target[member](...args) : target[member];
  }
  return await target;
}

const app = new Hono();
app.post("/act", async (c) => {
  try {
    return c.json({ result: (await act(await c.req.json(), c.env)) ?? null });
  } catch (error) {
    return c.json({ error: error.message });
  }
});
app.route("/", chat.app);

export default {
  fetch: app.fetch,
  scheduled: (controller, env) => act(JSON.parse(controller.cron), env),
  async queue(batch, env) {
    for (const message of batch.messages) await act(message.body, env);
  },
};
`;

/** Calls to make one after the other; a property is a call without arguments. */
type Calls = [name: string, ...args: unknown[]][];

describe("from outside the object", () => {
  let miniflare: Miniflare;
  let url: string;
  let sockets: Socket[] = [];

  beforeAll(async () => {
    miniflare = new Miniflare({
      ...convertV4MiniflareOptions({
        name: "edge",
        host: "127.0.0.1",
        port: 0,
        log: new Log(LogLevel.NONE),
        modules: [{ type: "ESModule", path: "worker.js", contents: await bundle(WORKER) }],
        compatibilityDate: "2026-10-23",
        compatibilityFlags: ["enable_request_signal"],
        durableObjects: { SESSIONS: { className: "SessionObject", useSQLite: true } },
        queueConsumers: ["news"],
      }),
      // A function in `socket.data` causes a warning, as intended.
      handleStructuredLogs: () => {},
    });
    url = (await miniflare.ready).origin;
  });
  afterEach(() => {
    for (const socket of sockets) socket.disconnect();
    sockets = [];
  });
  afterAll(() => miniflare?.dispose());

  /** The parameters of a route. */
  async function route(...calls: Calls): Promise<{ result?: unknown; error?: string }> {
    const body = JSON.stringify(calls);
    return (await (await fetch(`${url}/act`, { method: "POST", body })).json()) as object;
  }

  async function cron(...calls: Calls): Promise<unknown> {
    const worker = await miniflare.getWorker("edge");
    const { outcome } = await worker.scheduled({ cron: JSON.stringify(calls) });
    return outcome;
  }

  async function queue(...calls: Calls): Promise<unknown> {
    const worker = await miniflare.getWorker("edge");
    const message = { id: "1", timestamp: new Date(), attempts: 1, body: calls };
    return (await worker.queue("news", [message])).outcome;
  }

  const sleep = async () => {
    await miniflare.unsafeEvictDurableObject("edge", "SessionObject", {
      name: "main",
      webSockets: "hibernate",
    });
  };

  async function person(
    name: string,
    options: { rooms?: string[]; nsp?: string; key?: string; transport?: "polling" | "websocket" } = {},
  ): Promise<{ socket: Socket; inbox: Inbox<unknown[]> }> {
    const { rooms, nsp = "/", key, transport = "websocket" } = options;
    const auth = { name, rooms, key };
    const socket = io(url + nsp, { auth, transports: [transport], forceNew: true, reconnection: false });
    const inbox = new Inbox<unknown[]>();
    socket.onAny((...event) => inbox.push(event));
    sockets.push(socket);
    await connected(socket);
    return { socket, inbox };
  }

  /** Nobody received anything unread: an event to everybody arrives after everything that was sent before. */
  async function nothingElse(...people: { inbox: Inbox<unknown[]> }[]): Promise<void> {
    await route(["emit", "end"]);
    for (const { inbox } of people) expect(await inbox.next()).toEqual(["end"]);
  }

  it.each([
    ["a route", route, { result: null }],
    ["a cron trigger", cron, "ok"],
    ["a queue consumer", queue, "ok"],
  ])("an emitter in %s reaches sockets on both transports, awake and asleep", async (_name, act, fine) => {
    const ann = await person("ann", { rooms: ["news"] });
    const bob = await person("bob", { rooms: ["news", "quiet"], transport: "polling" });
    const cat = await person("cat");
    for (const isAsleep of [false, true]) {
      if (isAsleep) await sleep();
      expect(await act(["emit", "all", 1, { two: [2] }])).toEqual(fine);
      for (const { inbox } of [ann, bob, cat]) expect(await inbox.next()).toEqual(["all", 1, { two: [2] }]);
      if (isAsleep) await sleep();
      expect(await act(["to", "news"], ["except", "quiet"], ["emit", "some"])).toEqual(fine);
      expect(await ann.inbox.next()).toEqual(["some"]);
      if (isAsleep) await sleep();
      expect(await act(["this.notify", "quiet", "psst"])).toEqual(act === route ? { result: 1 } : fine);
      expect(await bob.inbox.next()).toEqual(["note", "psst"]);
    }
    await nothingElse(ann, bob, cat);
  });

  it("an emitter chooses namespaces and rooms, and its chains may be kept", async () => {
    const ann = await person("ann", { rooms: ["a"] });
    const bob = await person("bob", { rooms: ["b"] });
    const admin = await person("root", { nsp: "/admin", rooms: ["a"] });
    await sleep();
    await route(["of", "admin"], ["emit", "admin"]);
    expect(await admin.inbox.next()).toEqual(["admin"]);
    await route(["of", "/admin"], ["to", "a"], ["emit", "admin again"]);
    expect(await admin.inbox.next()).toEqual(["admin again"]);
    await route(["to", ["a", "b"]], ["in", "b"], ["compress", false], ["emit", "both", null]);
    for (const { inbox } of [ann, bob]) expect(await inbox.next()).toEqual(["both", null]);
    await route(["except", ["b"]], ["emit", "not b"]);
    expect(await ann.inbox.next()).toEqual(["not b"]);
    await route(["volatile"], ["to", "b"], ["emit", "at once"]);
    expect(await bob.inbox.next()).toEqual(["at once"]);
    await nothingElse(ann, bob);
  });

  it("an emitter does not create a namespace, so that nobody bypasses the function that guards it", async () => {
    for (const nsp of ["/guarded-1", "/misspelt"]) {
      for (const call of [
        ["emit", "x"],
        ["socketsJoin", "y"],
        ["serverSideEmit", "z"],
      ] satisfies Calls)
        expect(await route(["of", nsp], call)).toEqual({ result: null });
      expect(await route(["of", nsp], ["fetchSockets"])).toEqual({ result: [] });
      await expect(person("eve", { nsp })).rejects.toThrow("Invalid namespace");
    }
    const ann = await person("ann", { nsp: "/guarded-1", key: "right" });
    await sleep();
    await route(["of", "/guarded-1"], ["emit", "news"]);
    expect(await ann.inbox.next()).toEqual(["news"]);
  });

  it("an emitter moves, finds and disconnects sockets, also sleeping ones", async () => {
    const ann = await person("ann", { rooms: ["a"] });
    const bob = await person("bob", { transport: "polling" });
    await sleep();
    await route(["to", "a"], ["socketsJoin", ["b", "c"]]);
    await sleep();
    await route(["in", "b"], ["socketsLeave", "c"]);
    await sleep();
    const { result } = await route(["in", "a"], ["fetchSockets"]);
    expect(result).toEqual([
      {
        id: ann.socket.id,
        rooms: [ann.socket.id, "a", "b"],
        data: { name: "ann", since: "1970-01-01T00:00:00.000Z" },
        handshake: expect.objectContaining({
          auth: { name: "ann", rooms: ["a"] },
          xdomain: false,
          query: { EIO: "4", transport: "websocket" },
        }),
      },
    ]);
    const left = within(new Promise((resolve) => ann.socket.once("disconnect", resolve)), "disconnect");
    await route(["in", "b"], ["disconnectSockets", true]);
    expect(await left).toBe("io server disconnect");
    await nothingElse(bob);
    expect((await route(["fetchSockets"])).result).toHaveLength(1);
  });

  it("an emitter reaches listeners of serverSideEmit as another server would", async () => {
    const ann = await person("ann");
    await sleep();
    await cron(["serverSideEmit", "from outside", 1, "two"]);
    expect(await ann.inbox.next()).toEqual(["heard", 1, "two"]);
  });

  it("an emitter refuses reserved event names", async () => {
    for (const [name, event] of [
      ["emit", "disconnect"],
      ["serverSideEmit", "new_namespace"],
    ] as const) {
      const { error } = await route([name, event]);
      expect(error).toBe(`"${event}" is a reserved event name; choose another`);
    }
  });

  it("a method may wait for acknowledgements of sockets, and set the alarm", async () => {
    const ann = await person("ann");
    ann.socket.on("question", (question, answer) => answer(`${question}!`));
    await sleep();
    expect(await route(["this.ask", "really?"])).toEqual({ result: ["really?!"] });
    await ann.inbox.next("question");
    await cron(["this.remind", Date.now() + 500]);
    await sleep();
    expect(await ann.inbox.next()).toEqual(["alarm"]);
  });
});
