import { once } from "node:events";
import { io, type Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type StartOptions, startServer, type TestServer } from "../../src/testing/index.ts";

const fixture = (name: string) => new URL(`../fixtures/testing/${name}`, import.meta.url);

interface Counts {
  inModule: number;
  inSetup: number;
  inData: number;
}

const count = (socket: Socket): Promise<Counts> => socket.timeout(5_000).emitWithAck("count");

describe("a server of the test kit", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ worker: fixture("counter.ts"), napTimeout: 700 });
  });
  afterAll(() => server?.stop());

  it.each([[["polling"]], [["websocket"]], [["polling", "websocket"]]])(
    "loses variables of module and setup at a nap, and keeps connections and data, for clients over %s",
    async (transports) => {
      const ann = await server.client({ transports });
      const { id } = ann;
      let welcomes = 0;
      ann.on("welcome", () => welcomes++);
      await count(ann);
      const before = await count(ann);
      expect(before.inData).toBe(2);
      expect(before.inModule).toBeGreaterThan(1);
      await server.nap();
      expect(await count(ann)).toEqual({ inModule: 1, inSetup: 1, inData: 3 });
      expect(await count(ann)).toEqual({ inModule: 2, inSetup: 2, inData: 4 });
      await server.nap();
      await server.nap();
      expect(await count(ann)).toEqual({ inModule: 1, inSetup: 1, inData: 5 });
      expect([ann.id, ann.connected, welcomes]).toEqual([id, true, 1]);
      ann.disconnect();
    },
  );

  it("keeps events that a client receives at once until the test listens for them", async () => {
    const transports = [["polling"], ["websocket"], ["polling", "websocket"]];
    const clients = await Promise.all(transports.map((names) => server.client({ transports: names })));
    for (const client of clients) {
      expect(await count(client)).toMatchObject({ inData: 1 });
      const heard: string[] = [];
      client.onAny((event) => heard.push(event));
      client.once("welcome", () => heard.push("once"));
      await expect.poll(() => heard).toEqual(["welcome", "once"]);
      client.disconnect();
    }
  });

  it("restarts, after which polling clients continue and WebSocket clients have reconnected", async () => {
    const [ann, bob] = await Promise.all(
      ["polling", "websocket"].map((transport) => server.client({ transports: [transport] })),
    );
    const ids = [ann?.id, bob?.id];
    await Promise.all([count(ann as Socket), count(bob as Socket)]);
    await server.restart();
    expect([ann?.id === ids[0], bob?.id === ids[1], bob?.connected]).toEqual([true, false, true]);
    expect(await count(ann as Socket)).toEqual({ inModule: 1, inSetup: 1, inData: 2 });
    expect(await count(bob as Socket)).toEqual({ inModule: 2, inSetup: 2, inData: 1 });
    ann?.disconnect();
    bob?.disconnect();
  });

  it("handles events that were sent before a nap before it begins", async () => {
    const ann = await server.client();
    const done = ann.emitWithAck("later");
    await server.nap();
    expect(await done).toBe("done");
    ann.disconnect();
  });

  it("says what keeps an object awake, when that takes too long", async () => {
    const ann = await server.client();
    const asked = once(ann as never, "question");
    ann.emit("ask", 60_000);
    const [answer] = (await asked) as [() => void];
    await expect(server.nap()).rejects.toThrow(
      /"main" did not become idle within 700 ms: an acknowledgement/,
    );
    answer();
    await server.nap();
    ann.disconnect();
  });

  it("does not wait for what ended with a restart", async () => {
    const ann = await server.client({ reconnection: false });
    const asked = once(ann as never, "question");
    ann.emit("ask", 60_000);
    await asked;
    await server.restart();
    await server.nap();
    ann.disconnect();
  });

  it("says that a timer keeps an object awake, no matter when it was set", async () => {
    const ann = await server.client();
    ann.emit("tick");
    await once(ann as never, "tock");
    await expect(server.nap()).rejects.toThrow("a timer is pending (setTimeout, setInterval)");
    ann.emit("stop");
    await server.nap();
    ann.disconnect();
  });

  it("waits before a nap until the upgrades of all clients have completed", async () => {
    const stranger = io(server.url, { forceNew: true });
    const { engine } = stranger.io;
    // On a fast machine the upgrade has completed before the socket has connected.
    const upgraded = once(engine as never, "upgrade");
    await once(stranger as never, "connect");
    await server.nap();
    await upgraded;
    expect(engine.transport.name).toBe("websocket");
    stranger.disconnect();
  });

  it("connects to a namespace, and gives the reason when the server refuses", async () => {
    const admin = await server.client({ namespace: "admin", autoConnect: false });
    admin.connect();
    await once(admin as never, "welcome");
    admin.disconnect();
    await expect(server.client({ namespace: "/nobody" })).rejects.toThrow("Invalid namespace");
    const unknown = server.client({ query: { EIO: 9 }, path: "/nowhere" });
    await expect(unknown).rejects.toThrow(/the server answered 404/);
  });

  it("emits from outside, awake and asleep, and lists the sockets", async () => {
    const [ann, bob] = await Promise.all([server.client(), server.client({ transports: ["polling"] })]);
    ann.emit("join", "news");
    await server.nap();
    const heard = Promise.all([ann, bob].map((socket) => once(socket as never, "headline")));
    await server.emitter.of("/").emit("headline", { at: 1 }, new Uint8Array([1, 2]));
    expect(await heard).toEqual([0, 1].map(() => [{ at: 1 }, Buffer.from([1, 2])]));
    const there = await server.emitter
      .to("news")
      .except(bob.id as string)
      .volatile.fetchSockets();
    expect(there.map(({ id, rooms }) => [id, rooms])).toEqual([[ann.id, [ann.id, "news"]]]);
    await expect(server.emitter.emit("connect" as never)).rejects.toThrow("reserved");
    ann.disconnect();
    bob.disconnect();
  });

  it("returns what is stored and what was logged", async () => {
    const ann = await server.client({ transports: ["polling"] });
    ann.emit("complain", "it is cold");
    await server.nap();
    const rows = await server.rows();
    expect(rows.filter(({ key }) => key?.startsWith("sio_s:"))).toEqual([
      { object: "main", table: "kv", key: expect.any(String), value: expect.objectContaining({ k: "s" }) },
    ]);
    expect(server.logs).toContainEqual({ level: "warn", message: "it is cold" });
    ann.disconnect();
  });

  it("logs once when an object woke up and its module had not been renewed", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const ann = await server.client();
    await count(ann);
    const { inModule } = await count(ann);
    for (const n of [1, 2]) {
      await server.sleep(); // as the runtime does by itself after ten seconds
      expect(await count(ann)).toEqual({ inModule: inModule + n, inSetup: 1, inData: 2 + n });
    }
    const note = 'the object SessionObject "main" has woken up and its module has not been loaded anew';
    const printed = warn.mock.calls.filter(([text]) => String(text).includes(note));
    expect([printed.length, server.logs.filter(({ message }) => message.includes(note)).length]).toEqual([
      1, 1,
    ]);
    warn.mockRestore();
    ann.disconnect();
  });

  it("is controlled by the kit only", async () => {
    const ann = await server.client();
    await count(ann);
    const { inModule } = await count(ann);
    for (const path of ["/", "/socket.io/", "/renew"]) {
      const body = JSON.stringify({ type: "renew" });
      const headers = { "MF-Route-Override": "control" };
      await fetch(`${server.url}${path}`, { method: "POST", body, headers });
    }
    expect((await count(ann)).inModule).toBe(inModule + 1);
    ann.disconnect();
  });
});

describe("a server with several objects", () => {
  it("renews the one module of all of them, and emits to the object with the given name", async () => {
    const server = await startServer({ worker: fixture("named.ts") });
    const rooms = ["red", "blue"];
    const [red, blue] = (await Promise.all(rooms.map((room) => server.client({ query: { room } })))) as [
      Socket,
      Socket,
    ];
    const counts = async () => [await red.emitWithAck("count"), await blue.emitWithAck("count")];
    expect([await counts(), await counts()]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    await server.nap();
    expect(await counts()).toEqual([1, 2]);
    const events: string[] = [];
    red.onAny((event) => events.push(`red ${event}`));
    blue.onAny((event) => events.push(`blue ${event}`));
    await server.emitterFor("blue").emit("news");
    await server.emitterFor("red").emit("news");
    await expect.poll(() => events.toSorted()).toEqual(["blue news", "red news"]);
    expect(new Set((await server.rows()).map(({ object }) => object))).toEqual(new Set(rooms));
    await server.stop();
  });
});

describe("the source of a server", () => {
  let server: TestServer | undefined;
  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });

  const get = async (path: string) => (await fetch(`${server?.url}${path}`)).text();

  async function serves(options: StartOptions, greeting: string): Promise<void> {
    server = await startServer(options);
    expect(await get("/greeting")).toBe(`${greeting} function`);
    expect([await get("/visit"), await get("/visit")]).toEqual(["1", "2"]);
    const ann = await server.client();
    expect(await ann.emitWithAck("ping")).toBe("pong");
    await server.nap();
    expect([await get("/visit"), await ann.emitWithAck("ping")]).toEqual(["1", "pong"]);
  }

  it("may be a module, whose classes are found and bound by their names", () =>
    serves({ worker: fixture("elsewhere.ts") }, "hello from a file"));

  it("may be a wrangler file, with its static files", async () => {
    await serves({ config: fixture("wrangler.toml") }, "hello from the configuration");
    expect(await get("/")).toContain("a page");
  });

  it("may be a wrangler file, with an environment and variables of the test", async () => {
    await serves({ config: fixture("wrangler.toml"), environment: "polite" }, "good evening");
    await server?.stop();
    await serves({ config: fixture("wrangler.toml"), vars: { GREETING: "psst" } }, "psst");
  });

  it("may be a wrangler file with aliases and rules, whose build command the log says to run", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    server = await startServer({ config: fixture("aliased.toml") });
    const ann = await server.client();
    const shown = await new Promise((resolve) => ann.emit("show", (...values: unknown[]) => resolve(values)));
    expect(shown).toEqual(["another module", 'name = "aliased"', true]);
    expect(warn.mock.calls.join()).toContain('run "npm run build-the-worker" before the tests');
  });

  it("may not be a module that throws while it is loaded, and the error says what it threw", async () => {
    await expect(startServer({ worker: fixture("throwing.ts") })).rejects.toThrow(
      "the Worker throws while its modules are loaded: Error: SECRET is missing",
    );
  });

  it("without the class of its objects lets no client in, whose error repeats what the Worker has logged", async () => {
    server = await startServer({ worker: fixture("without-class.ts") });
    for (const transports of [["polling"], ["websocket"]]) {
      await expect(server.client({ transports })).rejects.toThrow(
        /error.*the Worker logged: .*export the class from your main module \(export class SessionObject/,
      );
    }
  });

  it.each([
    ["that awaits at its top level", { worker: fixture("top-level-await.ts") }, /top level.*setup function/s],
    ["that is not there", { worker: "nowhere.ts" }, /there is no file .*nowhere\.ts/],
    ["on a port that is none", { port: 65_536 }, /port takes a whole number from 0 to 65535, not 65536/],
    [
      "with a time that is none",
      { napTimeout: "10 s" as never },
      /napTimeout takes a whole number.*not 10 s/,
    ],
    ["whose wrangler file is not there", { config: "nowhere.toml" }, /there is no file .*nowhere\.toml/],
  ] as const)("may not be a module %s, and the error says so", async (_, options, message) => {
    await expect(startServer(options)).rejects.toThrow(message);
  });
});
