import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import type { Session } from "../../src/engine/session.ts";
import { runtimeOf } from "../../src/objects/session-object.ts";
import { Namespace } from "../../src/server/api/namespace.ts";
import type { ClusterMessage, ObjectAnswer, ObjectCall, Results } from "../../src/server/cluster/messages.ts";
import { Adapter, type Server, type Socket } from "../../src/server/index.ts";
import { RoomDirectory } from "../../src/server/rooms/room-directory.ts";
import type { Untyped } from "../../src/shared/untyped.ts";
import { applications, engines } from "../fixtures/worker.ts";
import { watch } from "./clock.ts";
import { Club, enter, joinClub } from "./club.ts";
import { type TalkKind, TestObject, until } from "./support.ts";
import { TalkObject } from "./talk.ts";

const watched = watch();

const BROKEN = new Error("no database");
const never = () => new Promise<void>(() => {});
const say = (io: Server) => void io.on("connection", (socket) => socket.on("sync", (ack) => ack("done")));

interface Failure {
  /** Returns the setup function; `serve` is what it does when it works. */
  setup(serve: () => unknown): unknown;
  /** The reason that the log and the callers get. */
  why?: string;
}

const failures: Record<string, Failure> = {
  throws: {
    setup: (serve) => {
      serve();
      throw BROKEN;
    },
  },
  rejects: {
    setup: async (serve) => {
      serve();
      await Promise.resolve();
      throw BROKEN;
    },
  },
  "finds no storage": { setup: (serve) => serve() },
  hangs: {
    setup: async (serve) => {
      serve();
      await never();
    },
    why: "has not settled in 15 s",
  },
};

/** The members of the class that `SessionObjectMembers` does not show. */
type Class = { ready(): Promise<void>; io: Server; socketIoPeer(call: ObjectCall): Promise<ObjectAnswer> };

const TO_ALL = { nsp: "/", to: { rooms: [], except: [] } };
const EMIT: ClusterMessage = { ...TO_ALL, type: "broadcast", frames: ['42["news"]'] };
/** What an emitter calls. Returns what came of its message. */
const relay = (object: TestObject, message: ClusterMessage = EMIT) =>
  object.run(async (instance) => {
    const call = { v: 1, type: "relay", messages: [message] } as const;
    const results = (await (instance as unknown as Class).socketIoPeer(call)) as Results;
    expect(results.map(({ status }) => status)).toEqual(["fulfilled"]);
    return (results[0] as PromiseFulfilledResult<unknown>).value;
  });
const fetchAll = (object: TestObject) => relay(object, { ...TO_ALL, type: "fetch" });

/** Makes the storage fail when the object asks whether this is its first run. */
function breakStorage(object: TestObject): Promise<() => void> {
  return object.run((_, { storage }) => {
    const prototype = Object.getPrototypeOf(storage.kv) as SyncKvStorage;
    const { get } = prototype;
    const spy = vi.spyOn(prototype, "get").mockImplementation(function (this: SyncKvStorage, key: string) {
      if (key === "sio_meta") throw BROKEN;
      return get.call(this, key);
    });
    return () => spy.mockRestore();
  });
}

/** Runs `action` while the setup function fails; for one that hangs, until its time limit. */
async function failing<R>(name: string, object: TestObject, action: () => Promise<R>): Promise<R> {
  if (name === "finds no storage") {
    const mend = await breakStorage(object);
    return action().finally(mend);
  }
  if (name !== "hangs") return action();
  let end: (() => void) | undefined;
  const { setTimeout } = globalThis;
  const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(((fn: () => void, ms?: number) => {
    if (ms !== 15_000) return setTimeout(fn, ms);
    end = fn;
    return undefined;
  }) as typeof setTimeout);
  const done = action();
  done.catch(() => {});
  await until(() => end !== undefined);
  spy.mockRestore();
  await object.run(() => end?.());
  return done;
}

describe.each(Object.entries(failures))("an object whose setup function %s", (name, failure) => {
  const why = failure.why ?? "failed (no database)";
  const { setup } = failure;

  /** An object whose setup function fails, in its first or in a later instance. */
  function create(test: string): { object: TalkObject; joined: string[] } {
    const joined: string[] = [];
    const object = new TalkObject(`${name} ${test}`, (io) => {
      const serve = () => io.on("connection", () => joined.push("let in"));
      return setup(serve) as Promise<void>;
    });
    return { object, joined };
  }

  it("answers handshakes on both transports with 503 and Retry-After, and logs the reason once", async () => {
    const { object, joined } = create("handshakes");
    const polling = await failing(name, object, () => object.fetch({ op: "open" }));
    expect([polling.status, polling.headers.get("retry-after")]).toEqual([503, "1"]);
    const socket = await object.fetch({ op: "socket", transport: "websocket" });
    expect([socket.status, socket.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(socket.webSocket).toBe(null);
    const next = "it is tried again at the next event after 1 s";
    const detail = failure.why === undefined ? ": Error: no database" : "";
    const what = failure.why ?? "failed";
    const text = `socket.io-edge: this object serves nobody, since its setup function ${what}; ${next}`;
    expect(watched.logged).toEqual([text + detail]);
    expect(joined).toEqual([]);
  });

  it("refuses emitter calls and ready() with an error that says why", async () => {
    const { object } = create("calls");
    const message =
      `socket.io-edge: this object serves nobody, since its setup function ${why}; ` +
      "it is tried again at the next event after 1 s";
    await expect(failing(name, object, () => relay(object))).rejects.toThrow(message);
    await expect(fetchAll(object)).rejects.toThrow(message);
    await expect(object.run((instance) => instance.ready())).rejects.toThrow(message);
    await expect(object.act(() => {})).rejects.toThrow(/write "await this\.ready\(\)" before .* this\.io/);
  });

  it("serves all clients once it works, starting with a first run, and keeps nothing of the failed ones", async () => {
    const { object, joined } = create("again");
    expect((await failing(name, object, () => object.fetch({ op: "open" }))).status).toBe(503);
    object.deploy(say);
    expect((await object.fetch({ op: "open" })).status).toBe(503);
    expect(await object.rows()).toEqual(new Map());
    watched.clock.set(2_000);
    const client = await object.join("polling");
    expect(await client.ask("sync")).toEqual(['43["done"]']);
    expect(joined).toEqual([]);
    expect([...(await object.rows()).keys()]).toContain("sio_meta");
  });

  it.each(["TALK", "RECOVER"] as TalkKind[])(
    "closes sessions that need it like a lost transport, and leaves the others asleep (%s)",
    async (kind) => {
      const object = new TalkObject(`${name} sessions`, say, kind);
      const loud = await object.openSocket();
      loud.socket.send("40");
      await loud.next();
      const posting = await object.openPolling();
      const polling = await object.openPolling();
      const quiet = await object.join("websocket");
      await object.sleep();
      object.deploy((io) => setup(() => io.on("connection", (socket) => socket.disconnect())) as never);
      await failing(name, object, async () => {
        loud.socket.send('421["sync"]');
        expect(await loud.closed).toBe(1013);
      });
      expect(await posting.post("40")).toBe("503");
      expect(await polling.poll()).toBe("503");
      await quiet.live();
      object.deploy(say);
      watched.clock.set(2_000);
      expect(await quiet.ask("sync")).toEqual(['43["done"]']);
      expect(await posting.poll()).toBe('400 {"code":1,"message":"Session ID unknown"}');
      expect(await object.act((io) => [...io.sockets.sockets.keys()])).toEqual([quiet.id]);
      // It has received neither DISCONNECT nor CONNECT_ERROR.
      const frames: unknown[] = [];
      loud.socket.addEventListener("message", ({ data }) => frames.push(data));
      expect(frames).toEqual([]);
    },
  );
});

describe("a setup function that fails again and again", () => {
  it("is tried again at the next event after 1, 2, 4 ... 60 s, not before, and not by a timer", async () => {
    let tries = 0;
    const object = new TalkObject("pauses", () => {
      tries++;
      throw BROKEN;
    });
    const pauses: string[] = [];
    let now = 0;
    for (let i = 1; i <= 9; i++) {
      const response = await object.fetch({ op: "open" });
      expect([response.status, tries]).toEqual([503, i]);
      const seconds = Number(response.headers.get("retry-after"));
      pauses.push(String(seconds));
      watched.clock.set(now + seconds * 1_000 - 1);
      const early = await object.fetch({ op: "open" });
      expect([early.headers.get("retry-after"), tries]).toEqual(["1", i]);
      now += seconds * 1_000;
      watched.clock.set(now);
    }
    expect(pauses).toEqual(["1", "2", "4", "8", "16", "32", "60", "60", "60"]);
    expect(watched.logged).toHaveLength(9);
    expect(await object.run((_, { storage }) => storage.getAlarm())).toBe(null);
  });
});

describe("a setup function that throws", () => {
  const unreadable = Object.defineProperty(new Error(), "message", {
    get() {
      throw BROKEN;
    },
  });
  it.each([
    ["nothing", undefined, "undefined"],
    ["a symbol", Symbol("why"), "Symbol(why)"],
    ["what no string can be made of", Object.create(null), "what it threw has no message"],
    ["an error that cannot be read", unreadable, "what it threw has no message"],
  ])("fails the same for the value: %s", async (name, thrown, message) => {
    const object = new TalkObject(`throws ${name}`, async () => {
      await Promise.resolve();
      throw thrown;
    });
    vi.spyOn(console, "error").mockImplementation((text) => void watched.logged.push(text));
    expect((await object.fetch({ op: "open" })).status).toBe(503);
    expect(watched.logged).toHaveLength(1);
    await expect(relay(object)).rejects.toThrow(`its setup function failed (${message}); it is tried again`);
    object.deploy(say);
    watched.clock.set(2_000);
    expect(await (await object.join()).ask("sync")).toEqual(['43["done"]']);
  });
});

describe("a setup function that assigns options", () => {
  it("has failed, since all objects share one set of options", async () => {
    const object = new TalkObject("assigns", (io) => {
      (io.engine.opts as { maxHttpBufferSize: number }).maxHttpBufferSize = 1;
    });
    expect((await object.fetch({ op: "open" })).status).toBe(503);
    expect(watched.logged.join()).toContain("'maxHttpBufferSize'");
    const client = await new TalkObject("other", say).join("polling");
    expect(await client.ask("sync")).toEqual(['43["done"]']);
  });
});

describe("a setup run that has failed", () => {
  it("reaches no client, neither by its io nor by sockets that it kept", async () => {
    const object = new TalkObject("inert", say, "RECOVER");
    const client = await object.join("websocket");
    const polling = await object.join("polling");
    await object.sleep();
    let old: { io: Server; sockets: Socket[] } | undefined;
    object.deploy(async (io) => {
      io.of("/").on("connection", (socket) => socket.disconnect(true));
      old = { io, sockets: [...io.sockets.sockets.values()] };
      throw BROKEN;
    });
    expect((await object.fetch({ op: "open" })).status).toBe(503);
    object.deploy(say);
    watched.clock.set(2_000);
    await object.run(async (instance) => {
      await instance.ready();
      const { io, sockets } = old!;
      expect(sockets).toHaveLength(2);
      io.emit("news");
      io.to(client.id).emit("news");
      io.socketsJoin("room");
      io.disconnectSockets(true);
      io.engine.close();
      for (const socket of sockets) {
        socket.emit("news");
        socket.data.spoilt = true;
        socket.disconnect(true);
        socket.conn.close();
      }
      void io.close();
    });
    expect(await client.ask("sync")).toEqual(['43["done"]']);
    expect(await polling.ask("sync")).toEqual(['43["done"]']);
    const seen = await object.act((io) => [...io.sockets.sockets.values()].map((it) => [it.id, it.data]));
    expect(seen).toEqual([
      [client.id, {}],
      [polling.id, {}],
    ]);
    expect(await object.act((io) => io.sockets.adapter.rooms.has("room"))).toBe(false);
  });

  it("reaches no sleeping client either, neither by a timer nor by an adapter", async () => {
    const object = new TalkObject("inert asleep", say, "RECOVER");
    const client = await object.join("websocket");
    await object.sleep();
    let old: Server | undefined;
    object.deploy(async (io) => {
      old = io;
      void io.sockets.adapter.rooms;
      throw BROKEN;
    });
    expect((await object.fetch({ op: "open" })).status).toBe(503);
    object.deploy(say);
    watched.clock.set(2_000);
    const before = await object.rows();
    await object.run(() => {
      old!.timeout(1_000).emit("news", () => {});
      const everybody = { rooms: new Set<string>(), except: new Set<string>() };
      old!.sockets.adapter.broadcast({ type: 2, nsp: "/", data: ["news"] }, everybody);
    });
    expect(await client.ask("sync")).toEqual(['43["done"]']);
    // It adds no packet to the log of recovery either; a block of ids for acknowledgements is no packet.
    const added = [...(await object.rows()).keys()].filter((key) => !before.has(key));
    expect(added.filter((key) => key !== "sio_a:/")).toEqual([]);
  });

  it("ends only a session that the next run cannot take over, and no other", async () => {
    const object = new TalkObject("not taken over", say);
    const taken = await object.join("websocket");
    const client = await object.openSocket();
    client.socket.send("40");
    await client.next();
    await object.sleep();
    object.deploy(async (io) => {
      expect([...io.sockets.sockets.values()]).toHaveLength(2);
      const { load } = RoomDirectory.prototype;
      vi.spyOn(RoomDirectory.prototype, "load").mockImplementation(function (this: RoomDirectory, ...args) {
        if (args[0].conn.id === client.sid) throw new Error("no record");
        return load.apply(this, args);
      });
      throw BROKEN;
    });
    expect((await object.fetch({ op: "open" })).status).toBe(503);
    expect(await client.closed).toBe(1013);
    object.deploy(say);
    watched.clock.set(2_000);
    expect(await taken.ask("sync")).toEqual(['43["done"]']);
    expect(await object.act((io) => [...io.sockets.sockets.keys()])).toEqual([taken.id]);
    expect(watched.logged[1]).toBe(
      "socket.io-edge: a session could not be loaded and is closed: Error: no record",
    );
  });

  it("stays failed when it settles after its time limit", async () => {
    let settle = () => {};
    const object = new TalkObject("late", async (io) => {
      await new Promise<void>((resolve) => (settle = resolve));
      io.on("connection", (socket) => socket.emit("from the late one"));
    });
    expect((await failing("hangs", object, () => object.fetch({ op: "open" }))).status).toBe(503);
    await object.run(() => settle());
    expect((await object.fetch({ op: "open" })).status).toBe(503);
    object.deploy((io) => void io.on("connection", (socket) => socket.emit("hello")));
    watched.clock.set(2_000);
    const client = await object.join();
    expect(await client.hear()).toBe('42["hello"]');
    await object.run(() => settle());
    await client.say("40/none,");
    expect(await client.hear()).toContain("44/none");
  });

  it("may be one in which the adapter could not be created, and leaves stored sessions unchanged", async () => {
    const object = new TalkObject("adapter", (io) => {
      say(io);
      if (isBroken) io.adapter(Broken);
    });
    let isBroken = false;
    class Broken extends Adapter {
      constructor(nsp: Untyped) {
        super(nsp);
        throw BROKEN;
      }
    }
    const client = await object.join();
    await object.act((io) => {
      io.sockets.sockets.get(client.id)!.data.name = "Ann";
    });
    await object.sleep();
    isBroken = true;
    expect((await object.fetch({ op: "open" })).status).toBe(503);
    await client.live();
    isBroken = false;
    watched.clock.set(2_000);
    expect(await client.ask("sync")).toEqual(['43["done"]']);
    expect(await object.act((io) => io.sockets.sockets.get(client.id)?.data)).toEqual({ name: "Ann" });
  });
});

describe("an object in memory whose setup function fails", () => {
  it("serves no client without hibernation either, and all clients once it works", async () => {
    const object = new TalkObject("closure", () => Promise.reject(BROKEN), "CLOSURE");
    expect((await object.fetch({ op: "open" })).status).toBe(503);
    await expect(relay(object)).rejects.toThrow("no database");
    object.deploy(say);
    watched.clock.set(2_000);
    expect(await (await object.join()).ask("sync")).toEqual(['43["done"]']);
  });

  it("answers a waiting poll with a close packet when its client posts something meanwhile", async () => {
    const object = new TalkObject("parked", say);
    const client = await object.openPolling();
    expect(await client.post("40")).toBe("200 ok");
    await client.poll();
    const parked = await client.park();
    await object.sleep();
    object.deploy(() => Promise.reject(BROKEN));
    expect(await client.post('421["sync"]')).toBe("503");
    expect(await parked.payload).toBe("1");
    expect(await object.sessionRows()).toEqual([]);
  });

  it("pings silent clients, closes those that are gone, and keeps nothing in memory for those that left", async () => {
    const object = new TalkObject("ticks", say);
    const quiet = await object.join("websocket");
    const gone = await object.join("websocket");
    const leaving = await object.openSocket();
    leaving.socket.send("40");
    await leaving.next();
    await object.sleep();
    let tries = 0;
    object.deploy(() => {
      tries++;
      throw BROKEN;
    });
    leaving.socket.close();
    await until(() => tries === 1);
    for (const ms of [22_500, 45_000, 67_500]) {
      watched.clock.set(ms);
      await runDurableObjectAlarm(object.stub);
      await quiet.live();
    }
    await until(() =>
      object.run((_, ctx) => ctx.getWebSockets(`s:${gone.sid}`).every((it) => it.readyState > 1)),
    );
    // The end of each of the two was an event that needed user code.
    expect(tries).toBe(2);
    object.deploy(say);
    watched.clock.set(80_000);
    expect(await quiet.ask("sync")).toEqual(['43["done"]']);
    const counts = await object.run((instance) => {
      const { platform, table } = runtimeOf(instance);
      const { total } = platform.budget;
      return [table.count(), total > 0 && total < 20_000];
    });
    expect(counts).toEqual([1, true]);
    quiet.say("1");
    await until(() => object.run((instance) => runtimeOf(instance).platform.budget.total === 0));
  });
});

describe("an adapter that could not be created during the heartbeat", () => {
  it.each(["websocket", "polling"] as const)(
    "is created at the next event, without consequences (%s)",
    async (transport) => {
      const object = new TalkObject(`adapter at a tick ${transport}`, say);
      const client = await object.join(transport);
      await object.act((io) => {
        io.sockets.sockets.get(client.id)!.data.name = "Ann";
      });
      await object.sleep();
      await object.run(async (instance) => {
        const broken = vi.spyOn(Namespace.prototype, "_createAdapter").mockImplementation(() => {
          throw BROKEN;
        });
        watched.clock.set(22_500);
        await instance.alarm();
        broken.mockRestore();
      });
      expect(await client.ask("sync")).toEqual(['43["done"]']);
      expect(await object.act((io) => io.sockets.sockets.get(client.id)?.data)).toEqual({ name: "Ann" });
      expect(watched.logged).toEqual([]);
    },
  );
});

describe("with connection state recovery", () => {
  /** A club whose setup function fails while `isBroken`. */
  async function open(name: string) {
    const club = new Club(name);
    const member = await joinClub(club);
    const application = applications.get(club.stub.id.toString())!;
    const control = { isBroken: false };
    club.deploy((io) => {
      if (control.isBroken) throw BROKEN;
      return application(io);
    });
    return { club, member, control };
  }

  it("recovers the clients that a failed setup disconnected, with all of their state", async () => {
    const { club, member, control } = await open("recover after setup");
    await club.sleep();
    control.isBroken = true;
    await member.client.say('421["sync"]');
    await until(() =>
      club.run((_, ctx) => ctx.getWebSockets(`s:${member.client.sid}`).every((it) => it.readyState > 1)),
    );
    control.isBroken = false;
    watched.clock.set(2_000);
    const back = await club.connect("polling");
    expect((await enter(back, { pid: member.pid, offset: member.offset })).id).toBe(member.id);
    expect(await back.ask("show")).toEqual(['43[{"name":"ann"},["room"],true]']);
  });

  it("emits `disconnect` for clients that did not come back once setup works, also for those that a restart disconnected", async () => {
    const { club, member, control } = await open("expire after setup");
    const other = await joinClub(club);
    await club.restart();
    control.isBroken = true;
    club.notes.length = 0;
    const returned = await club.fetch({ op: "poll", sid: member.client.sid });
    expect(returned.status).toBe(503);
    await club.tickUntil(watched.clock, 300_000);
    expect(club.notes).toEqual([]);
    expect(await club.recoveryRecords()).toHaveLength(2);
    control.isBroken = false;
    await club.tickUntil(watched.clock, 900_000);
    expect(club.notes.filter((note) => Array.isArray(note))).toEqual([
      ["disconnect", "transport close", "ann", "t"],
      ["disconnect", "transport close", "ann", "t"],
    ]);
    expect(await club.recoveryRecords()).toEqual([]);
    expect(other.id).not.toBe(member.id);
  });
});

describe("while the setup function runs", () => {
  function createSlow(test: string) {
    const control = { release: () => {}, isSlow: true };
    const object = new TalkObject(`slow ${test}`, async (io) => {
      if (control.isSlow) await new Promise<void>((resolve) => (control.release = resolve));
      say(io);
      io.on("connection", (socket) => socket.join("room"));
    });
    return { object, control };
  }

  it("requests, emitter calls and ready() wait for it, and `io` is not available", async () => {
    const { object, control } = createSlow("calls");
    const joining = object.join();
    const fetching = fetchAll(object);
    const ready = object.run((instance) => instance.ready());
    await expect(object.act(() => {})).rejects.toThrow('write "await this.ready()"');
    let isOver = false;
    void Promise.race([joining, fetching, ready]).then(() => (isOver = true));
    await object.run(() => {});
    expect(isOver).toBe(false);
    await object.run(() => control.release());
    await ready;
    expect(await fetching).toEqual([]);
    expect(await (await joining).ask("sync")).toEqual(['43["done"]']);
    expect(await object.act((io) => io.engine.clientsCount)).toBe(1);
  });

  it("sleeping sockets get no broadcast and no event until it has completed, and everything afterwards", async () => {
    const { object, control } = createSlow("sleepers");
    control.isSlow = false;
    const client = await object.join();
    control.isSlow = true;
    await object.sleep();
    await client.say('421["sync"]');
    const emitted = relay(object);
    await object.run(() => {});
    await client.live();
    await object.run(() => control.release());
    await emitted;
    expect((await Promise.all([client.hear(), client.hear()])).sort()).toEqual(['42["news"]', '431["done"]']);
  });

  it("it may await io.close(), and sleeping sockets emit `disconnect` once it has completed", async () => {
    const object = new TalkObject("closes io", say);
    const client = await object.openSocket();
    client.socket.send("40");
    await client.next();
    await object.join("polling");
    await object.sleep();
    const reasons: string[] = [];
    object.deploy(async (io) => {
      io.on("connection", (socket) => socket.on("disconnect", (reason) => reasons.push(reason)));
      await io.close();
    });
    expect((await object.fetch({ op: "open" })).status).toBe(200);
    await client.closed;
    await until(() => reasons.length === 2);
    expect(reasons).toEqual(["server shutting down", "server shutting down"]);
    expect((await object.sessionRows()).length).toBe(1);
    expect(watched.logged).toEqual([]);
  });

  it.each([
    ["closes", [], "transport close"],
    ["disconnects and closes", ["41"], "client namespace disconnect"],
  ])("the last packets of a client that %s are delivered afterwards", async (how, packets, reason) => {
    const notes: unknown[] = [];
    const control = { release: () => {}, isSlow: false };
    const object = new TalkObject(`slow ${how}`, async (io) => {
      if (control.isSlow) await new Promise<void>((resolve) => (control.release = resolve));
      io.on("connection", (socket) => {
        socket.on("word", (word) => notes.push(word));
        socket.on("disconnect", (why) => notes.push(why));
      });
    });
    const client = await object.openSocket();
    client.socket.send("40");
    await client.next();
    control.isSlow = true;
    await object.sleep();
    for (const packet of ['42["word",1]', '42["word",2]', ...packets]) client.socket.send(packet);
    client.socket.close();
    await client.closed;
    await object.run(() => control.release());
    await until(() => notes.includes(reason));
    expect(notes).toEqual([1, 2, reason]);
  });
});

describe("an object of defineEngine whose setup function fails", () => {
  it("serves no client and keeps nothing of the failed run, and serves all clients once it works", async () => {
    const object = new TestObject("engine", "BARE");
    const id = object.stub.id.toString();
    const echo = (engine: Engine) =>
      void engine.on("connection", (session) => session.on("message", (data) => session.send(data)));
    engines.set(id, echo);
    const loud = await object.openSocket();
    const quiet = await object.openSocket();
    expect(await loud.echo("one")).toBe("4one");
    await object.sleep();
    let old: { engine: Engine; sessions: Session[] } | undefined;
    engines.set(id, async (engine) => {
      old = { engine, sessions: Object.values(engine.clients) };
      engine.on("connection", (session) => session.send("unguarded"));
      engine.on("initial_headers", (headers) => headers.set("x-unguarded", "1"));
      throw BROKEN;
    });
    loud.socket.send("4two");
    expect(await loud.closed).toBe(1013);
    const refused = await object.fetch({ op: "open" });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    await expect(object.run((instance) => instance.engine)).rejects.toThrow("await this.ready()");
    engines.set(id, echo);
    watched.clock.set(2_000);
    await object.run(async (instance) => {
      await instance.ready();
      for (const session of old!.sessions) session.send("from the failed one").close();
      old!.engine.close();
    });
    expect(await quiet.echo("three")).toBe("4three");
    const opened = await object.fetch({ op: "open" });
    expect([opened.status, opened.headers.get("x-unguarded")]).toEqual([200, null]);
    expect(await object.run((instance) => instance.engine.clientsCount)).toBe(2);
  });
});
