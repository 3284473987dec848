import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { createMeshServer } from "../../src/server/cluster/mesh-server.ts";
import { Adapter, type Server, type ServerOptions, type Socket } from "../../src/server/index.ts";
import { expire } from "../../src/server/object-server.ts";
import { FakeObject, type TestClient, turn } from "./fakes.ts";

const RECOVERY: ServerOptions = { connectionStateRecovery: {} };

/** What a stock client remembers. */
interface Remembered {
  sid: string;
  pid: string;
  offset?: string;
}

/** Joins the main namespace; returns what the client has to remember, and the frames around the answer. */
async function join(client: TestClient, auth: object = {}): Promise<Remembered & { frames: unknown[] }> {
  const frames = await client.ask(`0${JSON.stringify(auth)}`);
  const answer = frames.find((frame) => String(frame).startsWith("40"));
  return { ...(JSON.parse(String(answer).slice(2)) as Remembered), frames };
}

/** The events without their offsets, and the last offset. */
function read(frames: unknown[]): { events: unknown[]; offset: string | undefined } {
  const events = frames
    .filter((it) => String(it).startsWith("42"))
    .map((it) => JSON.parse(String(it).slice(2)));
  return { events: events.map((it) => it.slice(0, -1)), offset: events.at(-1)?.at(-1) };
}

const application = (notes: unknown[]) => (io: Server) => {
  io.use((_socket, next) => {
    notes.push("middleware");
    next();
  });
  io.on("connection", (socket) => {
    notes.push(["connection", socket.recovered]);
    if (!socket.recovered) {
      socket.join("room");
      socket.data.name = "ann";
    }
    socket.on("emit", (...args) => socket.emit("direct", ...args));
    socket.on("disconnect", (reason) => notes.push(["disconnect", reason, socket.data.name, socket.id]));
  });
};

async function withClient(options: ServerOptions = RECOVERY) {
  const notes: unknown[] = [];
  const object = new FakeObject(application(notes), { options });
  const client = await object.connect();
  const first = await join(client);
  return { notes, object, client, first };
}

describe("connection state recovery", () => {
  it("logs values that were read from socket.data, with a parser whose decoder is asynchronous", async () => {
    class Encoder {
      encode(packet: object): string[] {
        return [JSON.stringify(packet)];
      }
    }
    class Decoder extends EventEmitter {
      async add(message: string): Promise<void> {
        const packet = JSON.parse(message);
        await turn();
        this.emit("decoded", packet);
      }
    }
    const options = { ...RECOVERY, parser: { Encoder, Decoder } };
    const object = new FakeObject(() => {}, { options });
    const client = await object.connect();
    await client.send('{"type":0,"nsp":"/"}');
    await object.act((io) => {
      const [socket] = [...io.sockets.sockets.values()];
      socket!.data.user = { name: "ann" };
      io.emit("user", socket!.data.user);
    });
    expect(object.logs).toEqual([]);
    expect(object.recovery.entries.map(({ entry }) => entry.packet)).toEqual([["user", { name: "ann" }]]);
  });

  it("sends a pid with CONNECT, and an offset at the end of each event without an acknowledgement", async () => {
    const { object, client, first } = await withClient();
    expect(first.frames).toEqual([`40{"sid":"${first.sid}","pid":"${first.pid}"}`]);
    const socket = object.io.sockets.sockets.get(first.sid)!;
    socket.emit("direct", 1);
    object.io.to("room").emit("room", 2);
    socket.volatile.emit("volatile");
    socket.emit("ack", () => {});
    const frames = client.take();
    expect(frames[0]).toMatch(/^42\["direct",1,"[0-9a-z]{12}"\]$/);
    expect(frames[1]).toMatch(/^42\["room",2,"[0-9a-z]{12}"\]$/);
    expect(frames.slice(2)).toEqual(['42["volatile"]', '420["ack"]']);
  });

  it("is off by default, with neither pid nor offset", async () => {
    const { client, first, object } = await withClient({});
    expect(first.frames).toEqual([`40{"sid":"${first.sid}"}`]);
    object.io.emit("x");
    expect(client.take()).toEqual(['42["x"]']);
    expect(object.recovery.records.size).toBe(0);
  });

  it.each(["awake", "asleep", "restarted"])(
    "restores id, rooms and data, and sends the missed packets before CONNECT (object %s)",
    async (how) => {
      const { notes, object, client, first } = await withClient();
      const { sid } = first;
      await object.act((io) => io.emit("seen"));
      const { offset } = read(client.take());
      if (how === "restarted") await object.restart();
      else await client.leave("transport error");
      await object.act((io) => {
        io.emit("all", 1);
        io.to("room").emit("room", 2);
        io.to(sid).emit("direct", 3);
        io.to("elsewhere").emit("not for her");
        io.except("room").emit("not for her");
        io.volatile.emit("lost");
      });
      if (how !== "awake") await object.sleep();
      object.clock.now += 60_000;
      notes.length = 0;
      const back = await object.connect();
      const again = await join(back, { pid: first.pid, offset });
      expect([again.sid, again.pid]).toEqual([sid, first.pid]);
      expect(read(again.frames).events).toEqual([
        ["all", 1],
        ["room", 2],
        ["direct", 3],
      ]);
      expect(again.frames.at(-1)).toBe(`40{"sid":"${sid}","pid":"${first.pid}"}`);
      expect(notes).toEqual([["connection", true]]);
      await object.act((io) => {
        const socket = io.sockets.sockets.get(sid);
        expect(socket?.recovered).toBe(true);
        expect(socket?.data).toEqual({ name: "ann" });
        expect([...(socket?.rooms ?? [])].sort()).toEqual([sid, "room"].sort());
        io.to("room").emit("live");
      });
      expect(read(back.take()).events).toEqual([["live"]]);
    },
  );

  it("recovers a client that has not received an event yet, with all events that were sent to it", async () => {
    const { object, client, first } = await withClient();
    await client.leave();
    const quiet = await object.connect();
    expect((await join(quiet, { pid: first.pid })).sid).toBe(first.sid);
    await quiet.leave();
    await object.act((io) => io.to("elsewhere").emit("not for her"));
    const missing = await object.connect();
    expect((await join(missing, { pid: first.pid })).sid).toBe(first.sid);
    // It is sent, and lost in the network.
    await object.act((io) => io.emit("swallowed", 1));
    missing.take();
    await missing.leave();
    const back = await join(await object.connect(), { pid: first.pid });
    expect(back.sid).toBe(first.sid);
    expect(read(back.frames).events).toEqual([["swallowed", 1]]);
  });

  it.each(["awake", "restarted"])(
    "sends a client that has not received an event yet what it missed while it was away (%s)",
    async (how) => {
      const { object, client, first } = await withClient();
      await object.act((io) => io.to("elsewhere").emit("not for her"));
      if (how === "restarted") {
        await object.sleep();
        object.recovery.restartedAt = object.clock.now;
      }
      await client.leave();
      object.clock.now += 5;
      await object.act((io) => io.emit("missed", 1));
      const back = await join(await object.connect(), { pid: first.pid });
      expect(back.sid).toBe(first.sid);
      expect(read(back.frames).events).toEqual([["missed", 1]]);
    },
  );

  it("closes the old connection of a client that reconnects before its loss was noticed", async () => {
    const { notes, object, client, first } = await withClient();
    await object.act((io) => io.emit("seen"));
    const { offset } = read(client.take());
    await object.sleep();
    await object.act((io) => io.emit("missed"));
    notes.length = 0;
    const back = await object.connect();
    const again = await join(back, { pid: first.pid, offset });
    expect(again.sid).toBe(first.sid);
    expect(read(again.frames).events).toEqual([["missed"]]);
    expect(client.isOpen).toBe(false);
    expect(notes).toEqual([
      ["connection", true],
      ["disconnect", "forced close", "ann", first.sid],
      ["connection", true],
    ]);
    await object.act((io) => expect(io.sockets.sockets.size).toBe(1));
  });

  /** Which sockets are in which rooms, from the server's point of view. */
  const whereabouts = ({ io }: FakeObject) => ({
    sockets: [...io.sockets.sockets.values()].map(({ id, rooms }) => [id, [...rooms].sort()]),
    rooms: new Map([...io.sockets.adapter.rooms].map(([room, ids]) => [room, [...ids]])),
  });

  const aloneInRoom = (sid: string) => ({
    sockets: [[sid, [sid, "room"].sort()]],
    rooms: new Map([
      [sid, [sid]],
      ["room", [sid]],
    ]),
  });

  it("waits for `disconnect` of the socket that left, however long its replay takes", async () => {
    const notes: unknown[] = [];
    let resume = () => {};
    const object = new FakeObject(
      (io) => {
        io.on("connection", async (socket) => {
          if (!socket.recovered) socket.join("room");
          else
            await new Promise<void>((resolve) => {
              resume = resolve;
            });
          socket.on("disconnect", (reason) => notes.push(reason, socket.id));
        });
      },
      { options: RECOVERY },
    );
    const client = await object.connect();
    const first = await join(client);
    await object.sleep();
    object.recovery.restartedAt = object.clock.now;
    await client.leave();
    const impatient = await object.connect();
    expect(await impatient.ask(`0{"pid":"${first.pid}"}`)).toEqual([]);
    const back = await object.connect();
    expect(await back.ask(`0{"pid":"${first.pid}"}`)).toEqual([]);
    expect(notes).toEqual([]);
    await object.act((io) => io.to("room").emit("meanwhile"));
    resume();
    await object.settle();
    expect(notes[0]).toBe("transport close");
    const frames = back.take();
    expect(frames.at(-1)).toBe(`40{"sid":"${first.sid}","pid":"${first.pid}"}`);
    expect(read(frames.slice(0, -1)).events).toEqual([["meanwhile"]]);
    expect([impatient.isOpen, back.isOpen]).toEqual([false, true]);
    expect(whereabouts(object)).toEqual(aloneInRoom(first.sid));
    await object.act((io) => io.to("room").emit("news"));
    expect(read(back.take()).events).toEqual([["news"]]);
  });

  it("recovers one of two connections that use the same pid at once, and closes the other", async () => {
    const { object, client, first } = await withClient();
    await client.leave();
    const [one, other] = [await object.connect(), await object.connect()];
    await Promise.all([one, other].map((it) => it.send(`0{"pid":"${first.pid}"}`)));
    expect([one.isOpen, other.isOpen]).toEqual([false, true]);
    expect(whereabouts(object)).toEqual(aloneInRoom(first.sid));
  });

  it("leaves a socket unchanged when an older attempt of its client ends in a middleware", async () => {
    const waiting: (() => void)[] = [];
    const object = new FakeObject(
      (io) => {
        io.use((socket, next) => void (socket.recovered ? waiting.push(next) : next()));
        io.on("connection", (socket) => void (socket.recovered || socket.join("room")));
      },
      { options: { connectionStateRecovery: { skipMiddlewares: false } } },
    );
    const client = await object.connect();
    const first = await join(client);
    await client.leave();
    for (let i = 0; i < 2; i++) {
      const again = await object.connect();
      await again.send(`0{"pid":"${first.pid}"}`);
    }
    for (const next of waiting.reverse()) {
      next();
      await object.settle();
      expect(whereabouts(object)).toEqual(aloneInRoom(first.sid));
    }
  });

  it.each([
    [
      "the time is over",
      async ({ object }) => {
        object.clock.now += 120_001;
      },
      {},
    ],
    [
      "packets it may have missed are gone",
      async ({ object }) => {
        await object.act((io) => io.emit("gone"));
        object.recovery.dropEntries();
      },
      {},
    ],
    ["the pid is unknown", async () => {}, { pid: "x" }],
    ["the pid is not a string", async () => {}, { pid: 1 }],
    ["the offset is none of ours", async () => {}, { offset: "hello" }],
    ["the offset is not a string", async () => {}, { offset: 1 }],
  ] satisfies [string, (it: { object: FakeObject }) => Promise<void>, object][])(
    "starts a new session for a client when %s",
    async (_why, change, changed) => {
      const { notes, object, client, first } = await withClient();
      await object.act((io) => io.emit("seen"));
      const { offset } = read(client.take());
      await client.leave();
      await change({ object });
      notes.length = 0;
      const again = await join(await object.connect(), { pid: first.pid, offset, ...changed });
      expect(again.sid).not.toBe(first.sid);
      expect(again.pid).not.toBe(first.pid);
      expect(again.frames).toHaveLength(1);
      expect(notes).toEqual(["middleware", ["connection", false]]);
    },
  );

  it.each([
    ["the client left its namespace", (client: TestClient) => client.send("1")],
    ["the packet was wrong on the Engine.IO level", (client: TestClient) => client.leave("parse error")],
  ])("discards a socket when %s", async (_why, end) => {
    const { object, client, first } = await withClient();
    expect(object.recovery.records.size).toBe(1);
    await end(client);
    expect(object.recovery.records.size).toBe(0);
    expect((await join(await object.connect(), { pid: first.pid })).sid).not.toBe(first.sid);
  });

  it("calls persistSession of an adapter only for sockets that may be recovered", async () => {
    const told: string[] = [];
    class Remembering extends Adapter {
      override persistSession({ sid, rooms }: Parameters<Adapter["persistSession"]>[0]) {
        told.push(`${sid} in ${rooms.at(-1)}`);
      }
    }
    const { object, client, first } = await withClient({ ...RECOVERY, adapter: Remembering });
    const other = await object.connect();
    await join(other);
    await other.send("1");
    expect(told).toEqual([]);
    await client.leave();
    expect(told).toEqual([`${first.sid} in room`]);
  });

  it("delivers what was emitted from outside to a dynamic namespace while all its clients were away", async () => {
    const object = new FakeObject((io) => void io.of((_name, _auth, next) => next(null, true)), {
      options: RECOVERY,
    });
    const client = await object.connect();
    const [answer] = await client.ask("0/tenant,");
    const { pid } = JSON.parse(String(answer).replace("40/tenant,", ""));
    await object.act((io) => io.of("/tenant").emit("seen"));
    await client.leave();
    await object.sleep();
    const relay = (event: string, to: object = {}) =>
      object.act(({ _internals: { context, namespaces } }) =>
        createMeshServer(context, namespaces).relay({
          type: "broadcast",
          nsp: "/tenant",
          to: { rooms: [], except: [], ...to },
          frames: [`42/tenant,["${event}"]`],
        }),
      );
    await relay("missed");
    await relay("not for her", { rooms: ["room"] });
    await relay("lost", { volatile: true });
    const frames = await (await object.connect()).ask(`0/tenant,{"pid":"${pid}"}`);
    expect(frames.map((frame) => String(frame).split(",")[1])).toEqual([
      '["seen"',
      '["missed"',
      expect.stringContaining("sid"),
    ]);
  });

  it("runs middlewares again with `skipMiddlewares: false`", async () => {
    const { notes, object, client, first } = await withClient({
      connectionStateRecovery: { skipMiddlewares: false },
    });
    await client.leave();
    notes.length = 0;
    await join(await object.connect(), { pid: first.pid });
    expect(notes).toEqual(["middleware", ["connection", true]]);
  });

  it("discards a client that a middleware refuses when it reconnects", async () => {
    let isBanned = false;
    const object = new FakeObject(
      (io) => void io.use((_socket, next) => next(isBanned ? new Error("banned") : undefined)),
      { options: { connectionStateRecovery: { skipMiddlewares: false } } },
    );
    const client = await object.connect();
    const first = await join(client);
    await client.leave();
    isBanned = true;
    const refused = await object.connect();
    expect(await refused.ask(`0{"pid":"${first.pid}"}`)).toEqual(['44{"message":"banned"}']);
    expect(object.recovery.records.size).toBe(0);
    isBanned = false;
    expect((await join(refused, { pid: first.pid })).sid).not.toBe(first.sid);
  });

  it("discards a client that is away when a handler that is still running disconnects it", async () => {
    const sockets: Socket[] = [];
    const object = new FakeObject((io) => void io.on("connection", (socket) => sockets.push(socket)), {
      options: RECOVERY,
    });
    const client = await object.connect();
    const first = await join(client);
    await client.leave();
    const back = await object.connect();
    expect((await join(back, { pid: first.pid })).sid).toBe(first.sid);
    // By now the client has another socket.
    await object.act(() => sockets[0]!.disconnect());
    expect(object.recovery.records.size).toBe(1);
    await back.leave();
    await object.act(() => sockets[1]!.disconnect());
    expect(object.recovery.records.size).toBe(0);
    expect((await join(await object.connect(), { pid: first.pid })).sid).not.toBe(first.sid);
  });

  it("stores rooms and data at each change, so that a restart loses neither", async () => {
    const { object, client, first } = await withClient();
    await object.act(async (io) => {
      const socket = io.sockets.sockets.get(first.sid)!;
      socket.join("late");
      socket.data.deep = { a: [] };
      await turn();
      socket.data.deep.a.push(1);
    });
    await object.restart();
    expect(client.isOpen).toBe(false);
    const back = await object.connect();
    expect((await join(back, { pid: first.pid })).sid).toBe(first.sid);
    await object.act((io) => {
      const socket = io.sockets.sockets.get(first.sid);
      expect(socket?.data).toEqual({ name: "ann", deep: { a: [1] } });
      expect(socket?.rooms.has("late")).toBe(true);
    });
  });

  it("runs disconnect after a restart for a client that did not come back in time, once", async () => {
    const { notes, object, first } = await withClient();
    await object.restart();
    notes.length = 0;
    object.clock.now += 120_000;
    await object.act((io) =>
      Promise.all(object.recovery.expire(object.clock.now - 120_000).map((it) => expire(io._internals, it))),
    );
    expect(notes).toEqual([
      ["connection", true],
      ["disconnect", "transport close", "ann", first.sid],
    ]);
    await object.act((io) => expect(io.sockets.sockets.size).toBe(0));
    expect(object.recovery.records.size).toBe(0);
  });

  it("runs disconnect after a restart in a child of a dynamic namespace that has no clients any more", async () => {
    const notes: string[] = [];
    const object = new FakeObject(
      (io) => {
        io.of(/^\/tenant-/).on("connection", (socket) => {
          socket.on("disconnect", (reason) => notes.push(`${socket.nsp.name}: ${reason}`));
        });
      },
      { options: RECOVERY },
    );
    const client = await object.connect();
    await client.send("0/tenant-1,");
    await object.restart();
    object.clock.now += 120_000;
    await object.act((io) =>
      Promise.all(object.recovery.expire(object.clock.now - 120_000).map((it) => expire(io._internals, it))),
    );
    expect(notes).toEqual(["/tenant-1: transport close"]);
    expect(object.logs).toEqual([]);
  });

  it("does not run disconnect again for a client whose disconnection was noticed", async () => {
    const { notes, object, client } = await withClient();
    await client.leave();
    notes.length = 0;
    object.clock.now += 120_000;
    await object.act((io) =>
      Promise.all(object.recovery.expire(object.clock.now).map((it) => expire(io._internals, it))),
    );
    expect(notes).toEqual([]);
  });

  it("starts a new session for a client when its storage fails", async () => {
    const { object, client, first } = await withClient();
    await client.leave();
    object.recovery.since = () => {
      throw new Error("broken");
    };
    object.recovery.find = () => {
      throw new Error("broken");
    };
    expect((await join(await object.connect(), { pid: first.pid })).sid).not.toBe(first.sid);
    expect(object.logs.join()).toContain("broken");
  });

  it("gives offsets that sort as text in the order of time, even thousands within a millisecond", async () => {
    const { object, client } = await withClient();
    for (let i = 0; i < 3_000; i++) object.io.emit("x");
    object.clock.now -= 1_000;
    object.io.emit("x");
    object.clock.now += 5_000;
    object.io.emit("x");
    const offsets = client.take().map((frame) => JSON.parse(String(frame).slice(2)).at(-1) as string);
    expect(new Set(offsets).size).toBe(3_002);
    expect(offsets.toSorted()).toEqual(offsets);
  });
});
