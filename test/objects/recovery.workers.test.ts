import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { Clock } from "./clock.ts";
import { Club, enter, joinClub } from "./club.ts";
import { type Talker, TalkObject } from "./talk.ts";

const WINDOW = 120_000;
let clock: Clock;
let logged: string[];

beforeEach(async () => {
  clock = new Clock();
  await clock.attach(new TalkObject("clock", () => {}));
  logged = [];
  vi.spyOn(console, "error").mockImplementation((text) => void logged.push(String(text)));
});
afterEach(() => {
  clock.stop();
  vi.restoreAllMocks();
});

/** Runs every alarm that is due by `ms` after the start, one after the other; returns their times. */
const tickUntil = (club: Club, ms: number, ...alive: Talker[]) => club.tickUntil(clock, ms, ...alive);

describe.each(["polling", "websocket"] as const)("a client with recovery over %s", (transport) => {
  it.each(["awake", "asleep", "restarted"])(
    "gets back its state and the events it missed, in order, before its CONNECT (object %s)",
    async (state) => {
      const club = new Club(`back ${state} ${transport}`);
      const { client, id, pid, offset } = await joinClub(club, transport);
      const between = () => (state === "asleep" ? club.sleep() : Promise.resolve());
      await club.act((io) => {
        const socket = io.sockets.sockets.get(id)!;
        socket.join("late");
        socket.data.list = [1];
        socket.data.list.push(2);
      });
      await between();
      if (state === "restarted") await club.restart();
      else {
        await client.say("1");
        await vi.waitFor(() =>
          expect(club.notes.at(-1)).toEqual(["disconnect", "transport close", "ann", "t"]),
        );
      }
      await between();
      await club.act((io) => {
        io.emit("all", 1);
        io.to("late").emit("room", { bytes: Uint8Array.of(7) });
        io.to("elsewhere").emit("not for her");
        io.except("room").emit("not for her");
        io.volatile.emit("not kept");
      });
      await between();
      clock.set(WINDOW - 1_000);
      club.notes.length = 0;
      const back = await club.connect();
      await back.say(`40${JSON.stringify({ pid, offset })}`);
      const heard = await back.hearUntil("40{");
      expect(heard[0]).toMatch(/^42\["all",1,"[0-9a-z]{12}"\]$/);
      expect(heard[1]).toMatch(/^451-\["room",\{"bytes":\{"_placeholder":true,"num":0\}\},"[0-9a-z]{12}"\]$/);
      expect(heard.slice(3)).toEqual([`40{"sid":"${id}","pid":"${pid}"}`]);
      expect(club.notes.filter((note) => !Array.isArray(note)).at(-1)).toBe("connection true");
      expect(club.notes).not.toContain("middleware");
      await between();
      const [shown] = await back.ask("show");
      const [data, rooms, isRecovered] = JSON.parse(shown!.slice(2)) as [object, string[], boolean];
      expect([data, new Set([id, ...rooms]), isRecovered]).toEqual([
        { name: "ann", list: [1, 2] },
        new Set([id, "late", "room"]),
        true,
      ]);
      await club.act((io) => void io.to("late").emit("live"));
      expect(await back.hear()).toMatch(/^42\["live",/);
      expect(await club.act((io) => io.sockets.sockets.size)).toBe(1);
    },
  );

  it("closes its old connection when it reconnects before the loss of that was noticed", async () => {
    const club = new Club(`twice ${transport}`);
    const { id, pid, offset } = await joinClub(club, transport);
    await club.sleep();
    await club.act((io) => void io.emit("missed"));
    await club.sleep();
    const back = await club.connect(transport);
    expect(await enter(back, { pid, offset })).toMatchObject({ id, pid, missed: [["missed"]] });
    expect(club.notes.filter((note) => Array.isArray(note))).toHaveLength(1);
    expect(await club.act((io) => [...io.sockets.sockets.keys()])).toEqual([id]);
    await club.sleep();
    expect(await club.act((io) => io.sockets.sockets.size)).toBe(1);
    expect(await back.ask("sync")).toEqual(["43[]"]);
  });

  it("is recovered with all events when it had not received any before", async () => {
    const club = new Club(`quiet ${transport}`);
    const client = await club.connect(transport);
    const { id, pid } = await enter(client);
    await club.sleep();
    await client.say("1");
    await club.sleep();
    clock.set(1);
    await club.act((io) => void io.emit("first"));
    const back = await club.connect(transport);
    expect(await enter(back, { pid })).toMatchObject({ id, pid, missed: [["first"]] });
  });

  it.each(["nothing at all", "something before it came", "something to others"])(
    "is recovered without having received an event when the log contains %s",
    async (what) => {
      const club = new Club(`${what} ${transport}`);
      if (what === "something before it came") await joinClub(club);
      clock.set(1_000);
      const client = await club.connect(transport);
      const { id, pid } = await enter(client);
      if (what === "something to others") await club.act((io) => void io.to("elsewhere").emit("not for her"));
      await club.sleep();
      clock.set(2_000);
      await client.say("1");
      await vi.waitFor(() =>
        expect(club.notes.at(-1)).toEqual(["disconnect", "transport close", "ann", null]),
      );
      const back = await club.connect(transport);
      expect(await enter(back, { pid })).toMatchObject({ id, pid, missed: [] });
      await club.act((io) => void io.emit("later"));
      expect(await back.hear()).toMatch(/^42\["later",/);
    },
  );
});

describe("a client that cannot get all events back starts a new session", () => {
  it.each(["asleep", "restarted"])("when its time is over (object %s)", async (state) => {
    const club = new Club(`over ${state}`);
    const { client, id, pid, offset } = await joinClub(club);
    if (state === "restarted") await club.restart();
    else await client.say("1");
    await club.sleep();
    await club.act(() => {});
    clock.set(WINDOW + 1);
    const back = await enter(await club.connect(), { pid, offset });
    expect(back.id).not.toBe(id);
    expect(back.pid).not.toBe(pid);
    expect(back.missed).toEqual([]);
    expect(club.notes.slice(-2)).toEqual(["middleware", "connection false"]);
  });

  it.each(["zzzzzzzzzzzz", "", "hello"])("when its offset was never given to it (%j)", async (offset) => {
    const club = new Club(`offset ${offset}`);
    const { client, id, pid } = await joinClub(club);
    await tickUntil(club, WINDOW + 30_000, client);
    await client.say("1");
    await club.sleep();
    expect((await enter(await club.connect(), { pid, offset })).id).not.toBe(id);
  });

  it("when packets that it missed are removed, while another client is recovered", async () => {
    const club = new Club("gone");
    const ann = await joinClub(club);
    const bob = await joinClub(club);
    await club.act((io) => void io.emit("early"));
    await ann.client.say("1");
    await tickUntil(club, 60_000, bob.client);
    clock.set(100_000);
    await club.act((io) => void io.emit("late"));
    const late = await bob.client.hearUntil('42["late"');
    const offset = (JSON.parse(late.at(-1)!.slice(2)) as string[])[1];
    await tickUntil(club, WINDOW + 30_000, bob.client);
    clock.set(WINDOW + 30_000);
    await club.run((_, { storage }) => storage.kv.put("sio_p:", offset));
    await club.sleep();
    await bob.client.say("1");
    expect((await enter(await club.connect(), { pid: bob.pid, offset: bob.offset })).id).not.toBe(bob.id);
    expect(await enter(await club.connect(), { pid: bob.pid, offset })).toMatchObject({
      id: bob.id,
      missed: [],
    });
  });

  it("when a packet that it missed was too large for a row, also after older packets were removed", async () => {
    const club = new Club("giant");
    const { client, id, pid, offset } = await joinClub(club);
    clock.set(10_000);
    await club.act((io) => void io.emit("giant", "x".repeat(1_950_000)));
    await client.hearUntil('42["giant"');
    await tickUntil(club, 115_000, client);
    clock.set(115_000);
    await club.act((io) => void io.emit("small"));
    const small = (JSON.parse((await client.hear()).slice(2)) as string[])[1];
    await tickUntil(club, WINDOW + 5_000, client);
    clock.set(WINDOW + 5_000);
    await client.say("1");
    await club.sleep();
    const partial = await enter(await club.connect(), { pid, offset });
    expect(partial).toMatchObject({ missed: [] });
    expect(partial.id).not.toBe(id);
    expect(await enter(await club.connect(), { pid, offset: small })).toMatchObject({ id, missed: [] });
  });
});

describe("disconnect", () => {
  it("runs for clients that a restart disconnected and that do not come back in time, even when no client wakes the object", async () => {
    const club = new Club("ghosts");
    const lost = await joinClub(club);
    const back = await joinClub(club);
    const gone = await joinClub(club);
    await gone.client.say("1");
    await vi.waitFor(() => expect(club.notes.at(-1)).toEqual(["disconnect", "transport close", "ann", "t"]));
    clock.set(5_000);
    await club.restart();
    clock.set(10_000);
    const returned = await club.connect();
    expect((await enter(returned, { pid: back.pid, offset: back.offset })).id).toBe(back.id);
    await returned.say("41");
    await vi.waitFor(() =>
      expect(club.notes.at(-1)).toEqual(["disconnect", "client namespace disconnect", "ann", null]),
    );
    await returned.say("1");
    await club.sleep();
    club.notes.length = 0;
    const times = await tickUntil(club, 1_000_000);
    await vi.waitFor(() => expect(club.notes).toHaveLength(2));
    expect(club.notes).toEqual(["connection true", ["disconnect", "transport close", "ann", "t"]]);
    // Its window began with the restart, which the first tick afterwards has detected.
    expect(times.find((time) => time >= WINDOW)).toBeLessThanOrEqual(22_500 + WINDOW);
    expect(times.length).toBeLessThan(20);
    expect((await club.recoveryRows()).filter((key) => key !== "sio_p:")).toEqual([]);
    expect(await club.act((io) => [io.sockets.sockets.size, io.sockets.adapter.rooms.size])).toEqual([0, 0]);
    expect(lost.id).not.toBe(back.id);
  });

  it("runs for a client that came back too late to be recovered", async () => {
    const club = new Club("too late");
    const { id, pid, offset } = await joinClub(club);
    await club.restart();
    await club.act(() => {});
    club.notes.length = 0;
    clock.set(WINDOW + 1);
    const back = await club.connect();
    expect((await enter(back, { pid, offset })).id).not.toBe(id);
    await tickUntil(club, WINDOW + 30_000, back);
    await vi.waitFor(() => expect(club.notes.at(-1)).toEqual(["disconnect", "transport close", "ann", "t"]));
    expect(club.notes.filter((note) => Array.isArray(note))).toHaveLength(1);
  });

  it("may broadcast to the others, and the client that left receives nothing of it", async () => {
    const club = new Club("ghost says");
    club.deploy((io) => {
      io.on("connection", (socket) => {
        socket.emit("welcome");
        socket.on("disconnecting", () => {
          socket.to("room").emit("leaving", socket.id, [...socket.rooms].length);
          socket.emit("too late");
        });
        socket.join("room");
      });
    });
    const lost = await enter(await club.connect());
    await club.restart();
    const witness = await club.connect("polling");
    await enter(witness);
    await witness.hearUntil('42["welcome"');
    for (let ms = 20_000; ms <= WINDOW; ms += 20_000) {
      clock.set(ms);
      await runDurableObjectAlarm(club.stub);
      await club.sleep();
      await witness.live();
    }
    expect(await witness.hear()).toMatch(new RegExp(`^42\\["leaving","${lost.id}",2,`));
  });

  it("has the handshakeData of the client, also when its rooms have changed while it slept", async () => {
    const club = new Club("ghost is known");
    club.deploy((io) => {
      io.on("connection", (socket) => {
        const { user } = socket.handshake.data;
        socket.on("disconnect", () => club.notes.push(user));
      });
    });
    await enter(await club.connect("websocket", '{"user":"ann"}'));
    await club.sleep();
    await club.act((io) => void io.socketsJoin("late"));
    await club.restart();
    await tickUntil(club, WINDOW + 30_000);
    await vi.waitFor(() => expect(club.notes).toEqual(["ann"]));
  });

  it("does not run after a restart without recovery, as when Node dies", async () => {
    const club = new Club("no ghosts", "TALK");
    await club.join();
    await club.restart();
    club.notes.length = 0;
    await tickUntil(club, WINDOW * 2);
    expect(club.notes).toEqual([]);
    expect(await club.run((_, ctx) => ctx.storage.getAlarm())).toBe(null);
  });
});

describe("the log", () => {
  it("continues with offsets after those of an earlier instance, whatever the clock says", async () => {
    const club = new Club("clock");
    clock.set(60_000);
    const { client, id, pid, offset } = await joinClub(club);
    await club.sleep();
    clock.set(0);
    await club.act((io) => void io.emit("later"));
    const next = (JSON.parse((await client.hear()).slice(2)) as string[])[1] as string;
    expect(next > offset!).toBe(true);
    await client.say("1");
    await club.sleep();
    expect(await enter(await club.connect(), { pid, offset })).toMatchObject({ id, missed: [["later"]] });
  });

  it("is written once per turn rather than once per packet, and removed in bulk when no client is left", async () => {
    const club = new Club("rows");
    const { client } = await joinClub(club);
    await club.act((io) => {
      for (let i = 0; i < 100; i++) io.emit("n", i);
    });
    await client.hearUntil('42["n",99,');
    expect(await club.recoveryRows()).toEqual(["sio_l:", "sio_l:", "sio_r:"]);
    await client.say("1");
    await club.sleep();
    expect((await tickUntil(club, 1_000_000)).length).toBeLessThan(5);
    expect(await club.recoveryRows()).toEqual([]);
  });

  it("is removed for namespaces that clients have left, and continues where one remains", async () => {
    const club = new TalkObject(
      "club names",
      (io) => {
        io.of(/./).on("connection", (socket) => void socket.emit("welcome"));
        io.on("connection", (socket) => void socket.on("sync", (ack) => ack()));
      },
      "RECOVER",
    );
    const stays = await club.join();
    await club.act((io) => void io.emit("hello"));
    await stays.hearUntil('42["hello"');
    for (let i = 0; i < 3; i++) {
      const client = await club.connect();
      await client.join(`/name-${i}`);
      await client.hearUntil(`42/name-${i},["welcome"`);
      await client.say("1");
    }
    for (const ms of [22_500, 45_000, 150_000, 300_000]) {
      clock.set(ms);
      await runDurableObjectAlarm(club.stub);
      await club.sleep();
      await stays.live();
    }
    const keys = [...(await club.rows()).keys()].filter((key) => /^sio_[rlp]:/.test(key));
    expect(keys.map((key) => key.slice(0, 8))).toEqual(["sio_r:1:"]);
  });

  it("omits a socket that is too large for a row, and no other socket is affected", async () => {
    const club = new Club("too large");
    const other = await joinClub(club);
    const { id, pid, offset } = await joinClub(club);
    await club.act((io) => {
      io.sockets.sockets.get(id)!.data.text = "x".repeat(1_950_000);
    });
    expect(logged).toEqual(["socket.io-edge: a session holds more than a row can (2 MB) and is closed"]);
    expect((await enter(await club.connect(), { pid, offset })).id).not.toBe(id);
    await other.client.hearUntil('42["hello"');
    expect(await other.client.ask("sync")).toEqual(["43[]"]);
  });

  it("is removed at the first tick of code without recovery, which removes no session", async () => {
    const club = new Club("before");
    await joinClub(club);
    const rows = await club.rows();
    const object = new Club("after", "TALK");
    const client = await object.join("polling");
    await object.run((_, { storage }) => {
      for (const [key, value] of rows) if (/^sio_[rl]:/.test(key)) storage.kv.put(key, value);
    });
    expect((await object.recoveryRows()).length).toBe(2);
    await object.sleep();
    expect(await runDurableObjectAlarm(object.stub)).toBe(true);
    expect(await object.recoveryRows()).toEqual([]);
    expect(await object.sessionRows()).toEqual([`sio_s:${client.sid}`]);
  });

  it("does not delay packets when it cannot be written, and is written as soon as possible", async () => {
    const club = new Club("disk");
    const { client, id, pid, offset } = await joinClub(club, "polling");
    const other = await joinClub(club);
    await club.run((_, { storage }) => {
      const { put } = storage.kv;
      vi.spyOn(storage.kv, "put").mockImplementation((key, value) => {
        if (String(key).startsWith("sio_l:")) throw new Error("the disk is full");
        put.call(storage.kv, key, value);
      });
    });
    await club.act((io) => void io.emit("kept in memory"));
    expect((await client.hearUntil('42["kept')).length).toBeLessThanOrEqual(2);
    await other.client.hearUntil('42["kept');
    expect(logged).toContain("socket.io-edge: recovery could not be written");
    vi.mocked(await club.run((_, { storage }) => storage.kv.put)).mockRestore();
    await club.act((io) => void io.emit("written"));
    await client.hearUntil('42["written');
    await client.say("1");
    await club.sleep();
    const back = await enter(await club.connect(), { pid, offset });
    expect(back).toMatchObject({ id, missed: [["hello"], ["kept in memory"], ["written"]] });
  });
});

/** What user code passes to `emit`, and what its clients receive. */
const EMITTED: [name: string, value: (io: Server, id: string) => unknown, received: unknown][] = [
  ["a part of socket.data", (io, id) => io.sockets.sockets.get(id)!.data.user, { name: "ann" }],
  ["an object with methods", () => ({ a: 1, method() {} }), { a: 1 }],
  ["an object that says how it is written", () => ({ secret: 1, toJSON: () => "short" }), "short"],
  ["an instance that says so", () => new URL("https://example.com/"), "https://example.com/"],
];

describe("a missed event", () => {
  it.each(EMITTED)(
    "with %s is restored as it was sent, also after a restart",
    async (name, value, received) => {
      const club = new Club(`of ${name}`);
      const { id, pid, offset } = await joinClub(club);
      await club.act((io) => {
        io.sockets.sockets.get(id)!.data.user = { name: "ann" };
        io.emit("all", value(io, id));
        io.sockets.sockets.get(id)!.emit("one", value(io, id));
      });
      await club.act((io) => void io.emit("next"));
      await club.restart();
      const back = await enter(await club.connect(), { pid, offset });
      expect(back).toMatchObject({ id, missed: [["all", received], ["one", received], ["next"]] });
      expect(logged).toEqual([]);
    },
  );

  it("is restored as it was sent, even if its values change afterwards", async () => {
    const club = new Club("changes");
    const { client, id, pid, offset } = await joinClub(club);
    const list = [1];
    const bytes = new Uint8Array(3_000_000).subarray(0, 2);
    await club.act((io) => {
      io.emit("all", list, bytes);
      list.push(2);
      bytes[0] = 9;
    });
    await client.say("1");
    await club.sleep();
    const back = await club.connect();
    await back.say(`40${JSON.stringify({ pid, offset })}`);
    const heard = await back.hearUntil("40{");
    expect(heard[0]).toMatch(/^451-\["all",\[1\],\{"_placeholder":true,"num":0\},"[0-9a-z]{12}"\]$/);
    expect(heard.at(-1)).toContain(id);
    const rows = [...(await club.rows())].filter(([key]) => key.startsWith("sio_l:"));
    const { entries } = rows.at(-1)![1] as { entries: { packet: unknown[] }[] };
    expect(entries.at(-1)!.packet).toEqual(["all", [1], Uint8Array.of(0, 0)]);
    expect((entries.at(-1)!.packet[2] as Uint8Array).buffer.byteLength).toBe(2);
  });
});
