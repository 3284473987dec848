import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import type { Session } from "../../src/engine/session.ts";
import { runtimeOf } from "../../src/objects/session-object.ts";
import type { StoredSession } from "../../src/objects/storage/session-store.ts";
import type { Server } from "../../src/server/index.ts";
import { watch } from "./clock.ts";
import type { PollingClient, SocketClient, TestObject } from "./support.ts";
import { TalkObject } from "./talk.ts";

const watched = watch();

const talk = (io: Server) => {
  io.on("connection", (socket) => {
    socket.on("add", (item, ack) => {
      socket.data.list = [...(socket.data.list ?? []), item];
      ack(socket.data.list);
    });
    socket.on("sync", (ack) => ack());
    socket.on("ask", () => socket.emit("question", () => {}));
  });
};

/** Opens a socket that has joined, and reads what it has received. */
async function joinedSocket(object: TestObject): Promise<{ client: SocketClient; id: string }> {
  const client = await object.openSocket();
  client.socket.send("40");
  return { client, id: JSON.parse((await client.text()).slice(2)).sid };
}

/** Returns all frames up to the first that begins with a prefix. */
async function framesUntil(client: SocketClient, prefix: string): Promise<string[]> {
  const frames = [await client.text()];
  while (!frames.at(-1)!.startsWith(prefix)) frames.push(await client.text());
  return frames;
}

const ways: [string, string, (io: Server) => unknown][] = [
  ["is broadcast to", "transport error", (io) => io.emit("hello")],
  ["is in a room that is broadcast to", "transport error", (io) => io.to("room").emit("hello")],
  ["is fetched", "transport close", (io) => io.fetchSockets()],
  ["is counted", "transport close", (io) => io.engine.clientsCount],
  ["is loaded", "transport close", (io) => io.engine.clients],
  ["is disconnected", "server namespace disconnect", (io) => io.disconnectSockets(true)],
  ["has its session closed", "forced close", (io) => io.engine.close()],
];

describe.each(["TALK", "RECOVER"] as const)("a client whose disconnection is under way (%s)", (kind) => {
  describe.each(["awake", "asleep"])("to an object that is %s", (state) => {
    it.each(ways)("leaves once when it %s meanwhile", async (name, reason, act) => {
      const left: string[] = [];
      const object = new TalkObject(
        `end on its way ${name} ${state}`,
        (io) => {
          io.on("connection", (socket) => {
            socket.join("room");
            socket.on("disconnect", (why) => left.push(`${socket.id} ${why}`));
          });
        },
        kind,
      );
      const clients = [];
      for (let i = 0; i < 4; i++) clients.push(await joinedSocket(object));
      if (state === "asleep") await object.sleep();
      await object.run((instance, ctx) => {
        for (const socket of ctx.getWebSockets()) socket.close(1000);
        expect(ctx.getWebSockets().map((it) => it.readyState)).toEqual([2, 2, 2, 2]);
        act((instance as unknown as { io: Server }).io);
      });
      await vi.waitFor(() => expect(left).toHaveLength(4));
      await Promise.all(clients.map(({ client }) => client.closed));
      expect(await object.act((io) => [io.engine.clientsCount, io.sockets.adapter.rooms.size])).toEqual([
        0, 0,
      ]);
      expect(left.toSorted()).toEqual(clients.map(({ id }) => `${id} ${reason}`).toSorted());
      expect(watched.logged).toEqual([]);
    });
  });
});

describe("a broadcast to sockets that sleep", () => {
  it.each(["TALK", "RECOVER"] as const)(
    "reaches them without loading any of them into memory (%s)",
    async (kind) => {
      const object = new TalkObject(`broadcast asleep ${kind}`, talk, kind);
      const clients = [];
      for (let i = 0; i < 3; i++) clients.push((await joinedSocket(object)).client);
      const polling = await object.join("polling");
      // With recovery, the first packet that a socket receives is recorded in its record.
      await object.act((io) => void io.emit("first"));
      await object.sleep();
      const loads = await object.act((io) => {
        const load = vi.spyOn(io._internals.context.rooms, "load");
        io.emit("hello");
        io.sockets.volatile.emit("bytes", Uint8Array.of(1, 2));
        io.timeout(10_000).emit("question", () => {});
        return load.mock.calls.length;
      });
      expect(loads).toBe(0);
      for (const client of clients) {
        const heard = await framesUntil(client, '42["hello"');
        expect(heard.at(-1)).toMatch(kind === "TALK" ? /^42\["hello"\]$/ : /^42\["hello","\w+"\]$/);
        expect(await client.text()).toBe('451-["bytes",{"_placeholder":true,"num":0}]');
        expect(new Uint8Array((await client.next()) as unknown as ArrayBuffer)).toEqual(Uint8Array.of(1, 2));
        expect(await client.text()).toMatch(/^42\d+\["question"\]$/);
      }
      expect((await polling.hearUntil('42["hello"')).length).toBeGreaterThan(0);
      // They are the same sockets as before.
      clients[0]!.socket.send('421["add","x"]');
      expect(await clients[0]!.text()).toBe('431[["x"]]');
    },
  );

  it("loads only sockets that have a megabyte under way without proof that it was read", async () => {
    const object = new TalkObject("broadcast much asleep", talk);
    const { client } = await joinedSocket(object);
    await object.sleep();
    const loads = await object.act((io) => {
      const load = vi.spyOn(io._internals.context.rooms, "load");
      return [400_000, 400_000, 400_000].map((length) => {
        io.emit("text", "x".repeat(length));
        return load.mock.calls.length;
      });
    });
    expect(loads).toEqual([0, 0, 1]);
    for (let i = 0; i < 3; i++) expect((await client.text()).length).toBeGreaterThan(400_000);
  });
});

describe("sockets that sleep in many rooms", () => {
  it("are kept as far as memory allows, and the others are closed, so that no instance runs out of memory", async () => {
    const left: string[] = [];
    const object = new TalkObject(
      "heavy sleepers",
      (io) => {
        io.on("connection", (socket) => {
          socket.on("join", (count, ack) => {
            socket.join(Array.from({ length: count }, (_, i) => `room ${i}`));
            ack();
          });
          socket.on("disconnect", (reason) => left.push(reason));
        });
      },
      "TIGHT",
    );
    const heavy = [];
    for (let i = 0; i < 4; i++) {
      heavy.push((await joinedSocket(object)).client);
      heavy[i]!.socket.send('421["join",285]');
      expect(await heavy[i]!.text()).toBe("431[]");
    }
    const light = await object.join();
    await object.sleep();
    await object.act((io) => void io.emit("hello"));
    expect(await light.hear()).toBe('42["hello"]');
    expect(left).toEqual([]);
    await runDurableObjectAlarm(object.stub);
    await vi.waitFor(() => expect(left).toEqual(["transport error", "transport error"]));
    const sizes = await object.act((io) => [
      io.engine.clientsCount,
      io.of("/").adapter.rooms.get("room 0")?.size,
    ]);
    expect(sizes).toEqual([3, 2]);
  });
});

/** The session as it was stored when no field was omitted. */
function inFull(session: StoredSession): object {
  const { state, record } = session;
  const times = { pingedAt: 0, pongedAt: 0, absentSince: 0, closeBy: 0 };
  const { sockets, ...rest } = (record ?? { sockets: [] }) as { sockets: object[] };
  const left = { auth: undefined, parent: undefined, pid: undefined, first: undefined, fired: undefined };
  const whole = { ...rest, sockets: sockets.map((it) => ({ ...left, kept: {}, ...it })) };
  return {
    ...session,
    state: { protocol: 4, phase: "open", queue: [], ...times, ...state },
    record: record === undefined ? undefined : whole,
  };
}

describe("sessions that were stored with all of their fields", () => {
  it("are read, pinged and written by code that omits fields with their usual values", async () => {
    const object = new TalkObject("in full", talk);
    const { client, id } = await joinedSocket(object);
    const polling = await object.join("polling");
    const idle = await object.openSocket();
    await object.sleep();
    await object.run((_, ctx) => {
      for (const socket of ctx.getWebSockets()) {
        const session = socket.deserializeAttachment() as StoredSession;
        socket.serializeAttachment(inFull(session));
      }
      for (const [key, session] of [...ctx.storage.kv.list<StoredSession>({ prefix: "sio_s:" })]) {
        ctx.storage.kv.put(key, inFull(session));
      }
    });
    await object.sleep();
    expect(await object.act((io) => [...io.sockets.sockets.keys()])).toEqual([id, polling.id]);
    await object.sleep();
    watched.clock.set(22_500);
    expect(await runDurableObjectAlarm(object.stub)).toBe(true);
    expect(await client.text()).toBe("2");
    expect(await idle.text()).toBe("2");
    for (const { socket } of [client, idle]) socket.send("3");
    expect([await client.text(), await idle.text()]).toEqual(["6", "6"]);
    await object.sleep();
    client.socket.send('421["add",1]');
    expect(await client.text()).toBe("431[[1]]");
    expect(await polling.ask("add", 1)).toEqual(["43[[1]]"]);
  });

  it("are closed in time when they have joined no namespace", async () => {
    const object = new TalkObject("in full, idle", talk);
    const idle = await object.openSocket();
    await object.run((_, ctx) => {
      const [socket] = ctx.getWebSockets();
      socket!.serializeAttachment(inFull(socket!.deserializeAttachment() as StoredSession));
    });
    await object.sleep();
    watched.clock.set(45_000);
    expect(await runDurableObjectAlarm(object.stub)).toBe(true);
    expect(await idle.closed).toBe(1005);
  });
});

describe("a session that is loaded during an iteration over all sessions", () => {
  it("is loaded once, even if the end of another one loads it in between", async () => {
    let seen: Record<string, Session> = {};
    const object = new TalkObject("loaded between", (io) => {
      talk(io);
      io.engine.on("connection", (session) => {
        if (session.recovered) seen = io.engine.clients;
      });
    });
    const clients = [
      await object.join("polling"),
      await object.join("polling"),
      await object.join("polling"),
    ];
    // Rows are listed in the order of ids; the first one has something under way that ends with the instance.
    const [first, ...others] = clients.toSorted((a, b) => (a.sid < b.sid ? -1 : 1));
    await first!.say('42["ask"]');
    expect(await first!.hear()).toBe('420["question"]');
    await object.run((_, ctx) => ctx.abort("killed")).catch(() => {});
    await object.act((io) => {
      const all = io.engine.clients;
      for (const { sid } of others) expect(all[sid] === seen[sid]).toBe(true);
    });
  });

  it("is pinged once by a tick in which another one ends", async () => {
    const object = new TalkObject("pinged once", (io) => {
      talk(io);
      io.engine.on("connection", () => io.engine.clients);
    });
    const dead = await joinedSocket(object);
    const { client } = await joinedSocket(object);
    await object.sleep();
    watched.clock.set(22_500);
    await runDurableObjectAlarm(object.stub);
    expect(await client.text()).toBe("2");
    client.socket.send("3");
    expect(await client.text()).toBe("6");
    await object.sleep();
    watched.clock.set(45_000);
    await runDurableObjectAlarm(object.stub);
    await dead.client.closed;
    client.socket.send('427["sync"]');
    expect(await framesUntil(client, "437")).toEqual(["2", "437[]"]);
  });
});

it("a sleeping session whose row is gone is no longer counted", async () => {
  const object = new TalkObject("row gone", talk);
  const gone = await object.join("polling");
  const there = await object.join("polling");
  await object.sleep();
  await object.act((io) => void io.engine.clientsCount);
  await object.run((_, { storage }) => storage.kv.delete(`sio_s:${gone.sid}`));
  await object.act((io) => void io.emit("hello"));
  expect(await object.act((io) => io.engine.clientsCount)).toBe(1);
  expect(await object.act((io) => [...io.sockets.sockets.keys()])).toEqual([there.id]);
  expect(await there.hear()).toBe('42["hello"]');
});

it("a polling client that is disconnected while one of its sockets sleeps leaves once, even if it never polls again", async () => {
  const left: string[] = [];
  const object = new TalkObject("let go", (io) => {
    for (const nsp of ["/", "/other"]) {
      io.of(nsp).on("connection", (socket) => {
        socket.on("kick", () => socket.disconnect(true));
        socket.on("disconnect", (reason) => left.push(`${nsp} ${reason}`));
      });
    }
  });
  const client = await object.connect("polling");
  await client.join("/other");
  await client.join();
  await object.sleep();
  await client.say('42["kick"]');
  await vi.waitFor(() => expect(left).toHaveLength(2));
  await object.sleep();
  expect(await object.act((io) => [io.sockets.sockets.size, io.of("/other").sockets.size])).toEqual([0, 0]);
  expect(await object.act((io) => io.engine.clientsCount)).toBe(1);
  await object.sleep();
  watched.clock.set(31_000);
  expect(await runDurableObjectAlarm(object.stub)).toBe(true);
  expect(await object.act((io) => io.engine.clientsCount)).toBe(0);
  expect(await object.sessionRows()).toEqual([]);
  expect(left.toSorted()).toEqual(["/ server namespace disconnect", "/other server namespace disconnect"]);
});

describe("a series of broadcasts to sleeping sockets", () => {
  /** Returns how many sessions of an object are in memory. */
  const loaded = (object: TestObject) =>
    object.run((instance) => [...runtimeOf(instance).table.live()].length);

  it("loads none of them into memory, and reaches each once and in order", async () => {
    const object = new TalkObject("asleep broadcast", talk);
    const sockets = [await joinedSocket(object), await joinedSocket(object)];
    const polling = await object.join("polling");
    const waiting = await object.join("polling");
    await object.sleep();
    await waiting.live();
    const heard = waiting.hear();
    await (waiting as unknown as { client: PollingClient }).client.parked();
    await object.sleep();
    await object.act((io) => {
      for (const word of ["one", "two"]) io.emit(word, new Uint8Array([1]));
    });
    await object.act((io) => void io.emit("four"));
    expect(await loaded(object)).toBe(0);
    const expected = ["one", "two"].flatMap((it) => [
      `451-["${it}",{"_placeholder":true,"num":0}]`,
      "bytes 1",
    ]);
    for (const { client } of sockets) {
      const seen: string[] = [];
      while (seen.at(-1) !== '42["four"]') {
        const frame = await client.next();
        seen.push(typeof frame === "string" ? frame : `bytes ${new Uint8Array(frame)}`);
      }
      expect(seen).toEqual([...expected, '42["four"]']);
    }
    const text = expected.map((it) => it.replace("bytes 1", "bAQ=="));
    expect([
      await polling.hearUntil('42["four"]'),
      [await heard, ...(await waiting.hearUntil('42["four"]'))],
    ]).toEqual([
      [...text, '42["four"]'],
      [...text, '42["four"]'],
    ]);
    for (const client of [polling, waiting]) expect(await client.ask("add", 1)).toEqual(["43[[1]]"]);
    expect(watched.logged).toEqual([]);
  });

  it("keeps the order of a turn when one of them is loaded into memory in between", async () => {
    const object = new TalkObject("asleep mixed", talk);
    const clients = [await object.join("polling"), await object.join()];
    await object.sleep();
    await object.act(async (io) => {
      io.emit("one");
      for (const socket of await io.fetchSockets()) socket.emit("two");
      io.emit("three");
    });
    for (const client of clients) {
      expect([await client.hear(), await client.hear(), await client.hear()]).toEqual([
        '42["one"]',
        '42["two"]',
        '42["three"]',
      ]);
    }
  });

  it("counts towards maxQueuedBytes, and closes clients that no longer poll, also sleeping ones", async () => {
    const object = new TalkObject("asleep unread", (io) => {
      talk(io);
      io.on("connection", (socket) => socket.on("disconnect", (reason) => left.push(reason)));
    });
    const left: string[] = [];
    await object.join("polling");
    const there = await object.join();
    for (let i = 0; i < 18; i++) {
      await object.sleep();
      await object.act((io) => void io.emit("much", "x".repeat(1_000_000)));
      expect((await there.hear()).length).toBeGreaterThan(1_000_000);
    }
    expect(left).toEqual([]);
    await object.sleep();
    watched.clock.set(6_000);
    await object.act((io) => void io.emit("more"));
    watched.clock.set(12_000);
    await object.act((io) => void io.emit("more"));
    await vi.waitFor(() => expect(left).toEqual(["transport error"]));
  }, 20_000);
});
