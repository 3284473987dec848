import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Session } from "../../src/engine/session.ts";
import type { SessionConsumer } from "../../src/engine/session-ports.ts";
import { runtimeOf } from "../../src/objects/session-object.ts";
import type { StoredSession } from "../../src/objects/storage/session-store.ts";
import { RS, TestObject, until } from "./support.ts";

let logged: unknown[][];

beforeEach(() => {
  logged = [];
  vi.spyOn(console, "error").mockImplementation((...args) => void logged.push(args));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** What the Socket.IO server would store with a session. */
function keep(session: Session, record: unknown, isBusy = false): void {
  const consumer: SessionConsumer = {
    message: () => {},
    closed: () => {},
    record: () => record,
    isBusy: () => isBusy,
  };
  session.consumer = consumer;
  session.changed();
}

/** Gives the session of this object something to store, and resolves when it is stored. */
const keepIn = (object: TestObject, sid: string, record: unknown, isBusy = false) =>
  object.run((instance) => keep(instance.engine.clients[sid]!, record, isBusy));
const storedOf = (object: TestObject, sid: string) =>
  object.run((instance) => instance.engine.clients[sid]?.stored);

describe("what a session keeps", () => {
  const record = { user: { name: "Ève", tags: new Set(["a"]), at: new Date(0) }, bytes: Uint8Array.of(1, 2) };

  it("is there after sleep, on both transports", async () => {
    const object = new TestObject("keeps");
    const polling = await object.openPolling();
    const socket = await object.openSocket();
    await keepIn(object, polling.sid, record);
    await keepIn(object, socket.sid, record);
    await object.sleep();
    expect(await storedOf(object, polling.sid)).toEqual(record);
    expect(await storedOf(object, socket.sid)).toEqual(record);
  });

  it("is kept when the session upgrades", async () => {
    const object = new TestObject("keeps upgrade");
    const polling = await object.openPolling();
    await keepIn(object, polling.sid, record);
    await polling.upgrade();
    await object.sleep();
    expect(await storedOf(object, polling.sid)).toEqual(record);
    expect(await object.sessionRows()).toEqual([]);
  });

  it("is stored in a row for as long as it is too large for an attachment", async () => {
    const object = new TestObject("overflow");
    const client = await object.openSocket();
    const large = { text: "x".repeat(20_000) };
    await keepIn(object, client.sid, large);
    expect(await object.sessionRows()).toEqual([`sio_o:${client.sid}`]);
    expect(await object.roles()).toEqual([{ v: 1, k: "o", sid: client.sid, state: expect.any(Object) }]);
    await object.sleep();
    expect(await storedOf(object, client.sid)).toEqual(large);
    expect(await client.echo("hello")).toBe("4hello");
    await keepIn(object, client.sid, { text: "small" });
    expect(await object.sessionRows()).toEqual([]);
    await object.sleep();
    expect(await storedOf(object, client.sid)).toEqual({ text: "small" });
  });

  it("leaves no row behind when the session ends", async () => {
    const object = new TestObject("overflow ends");
    const client = await object.openSocket();
    await keepIn(object, client.sid, { text: "x".repeat(20_000) });
    await object.sleep();
    client.socket.close(1000);
    await client.closed;
    await until(async () => (await object.sessionRows()).length === 0);
  });

  it("survives a tick that pings the session while it is stored in a row", async () => {
    const object = new TestObject("overflow ping");
    const client = await object.openSocket();
    const large = { text: "€".repeat(9_000) };
    await keepIn(object, client.sid, large);
    await object.sleep();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 22_500 });
    expect(await runDurableObjectAlarm(object.stub)).toBe(true);
    vi.useRealTimers();
    expect(await client.next()).toBe("2");
    await object.sleep();
    expect(await storedOf(object, client.sid)).toEqual(large);
  });

  it("is removed at the first tick after a restart that closed its WebSocket", async () => {
    const object = new TestObject("overflow restart");
    const client = await object.openSocket();
    await keepIn(object, client.sid, { text: "x".repeat(20_000) });
    await object.restart();
    expect(await object.sessionRows()).toEqual([`sio_o:${client.sid}`]);
    await runDurableObjectAlarm(object.stub);
    expect(await object.sessionRows()).toEqual([]);
  });

  it("is ignored when another version of the code stored it, and removed at the first tick", async () => {
    const object = new TestObject("row version");
    const other = await object.openPolling();
    const client = await object.openPolling();
    await object.run((_, { storage }) => {
      const key = `sio_s:${client.sid}`;
      storage.kv.put(key, { ...storage.kv.get<object>(key), v: 3 });
    });
    await object.restart();
    expect(await client.post("4hello")).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(await object.run((instance) => instance.engine.clientsCount)).toBe(1);
    await runDurableObjectAlarm(object.stub);
    expect(await object.sessionRows()).toEqual([`sio_s:${other.sid}`]);
  });

  it.each(["openPolling", "openSocket"] as const)(
    "ends the session when it is too large for a row (%s), and no other session",
    async (open) => {
      const object = new TestObject(`too large ${open}`);
      const other = await object.openSocket();
      const client = await object[open]();
      await keepIn(object, client.sid, { text: "x".repeat(1_950_000) });
      expect(object.journal.at(-1)).toBe("close transport error");
      expect(logged.join()).toContain("holds more than a row can (2 MB)");
      expect(await object.sessionRows()).toEqual([]);
      expect(await other.echo("still here")).toBe("4still here");
    },
  );

  it("ends the session when it cannot be cloned, and no other session", async () => {
    const object = new TestObject("cannot clone");
    const other = await object.openPolling();
    const client = await object.openPolling();
    await keepIn(object, client.sid, { callback: () => {} });
    expect(object.journal.at(-1)).toBe("close transport error");
    expect(await other.post("4still here")).toBe("200 ok");
  });
});

describe("a session with something under way", () => {
  it("ends with its instance over WebSocket without a stored mark, since the runtime closes the socket", async () => {
    const object = new TestObject("busy socket");
    const client = await object.openSocket();
    const before = await object.roles();
    await keepIn(object, client.sid, undefined, true);
    expect(await object.roles()).toEqual(before);
    await object.restart();
    expect(await client.closed).toBe(1006);
    expect(await object.run((instance) => instance.engine.clientsCount)).toBe(0);
  });

  it("ends over polling when another instance finds it, so that its client reconnects", async () => {
    const object = new TestObject("busy polling");
    const client = await object.openPolling();
    const { payload } = await client.park();
    await keepIn(object, client.sid, {}, true);
    await object.sleep();
    expect(await client.post("4hello")).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(await payload).toBe("1");
    expect(await object.sessionRows()).toEqual([]);
  });

  it("continues within the same instance", async () => {
    const object = new TestObject("busy awake");
    const client = await object.openSocket();
    await keepIn(object, client.sid, {}, true);
    expect(await client.echo("hello")).toBe("4hello");
  });

  it("continues after sleep when what was under way had completed", async () => {
    const object = new TestObject("busy over");
    const client = await object.openSocket();
    await keepIn(object, client.sid, {}, true);
    await keepIn(object, client.sid, {}, false);
    await object.sleep();
    expect(await client.echo("hello")).toBe("4hello");
  });
});

describe("what is queued for a client that does not poll", () => {
  it("is kept, and delivered once and in order, whatever happens to the object", async () => {
    const object = new TestObject("queue");
    const client = await object.openPolling();
    await client.post("41");
    await object.sleep();
    await client.post("42");
    await object.restart();
    await client.post("43");
    await object.sleep();
    expect(await client.poll()).toBe("2\x1e41\x1e42\x1e43");
    await object.sleep();
    expect(await client.poll()).toBe("2");
  });

  it("is kept when a Worker disappears while it holds the poll", async () => {
    const object = new TestObject("queue lost");
    const client = await object.openPolling();
    const response = await object.fetch({ op: "poll", sid: client.sid });
    const channel = response.webSocket!;
    channel.accept();
    // This is what an object sees of a Worker that has died.
    channel.close(1001);
    await until(async () => (await object.roles()).length === 0);
    expect(await client.post("4kept")).toBe("200 ok");
    expect(await client.poll()).toBe("4kept");
    expect(object.journal.join()).not.toContain("close");
  });

  it.each(["awake", "asleep", "killed"])(
    "may be larger than a row (object %s between events)",
    async (state) => {
      const object = new TestObject(`queue heavy ${state}`);
      const between = async () => {
        if (state === "asleep") await object.sleep();
        if (state === "killed") await object.run((_, ctx) => ctx.abort("killed")).catch(() => {});
      };
      const client = await object.openPolling();
      const texts = ["a", "b", "c", "d"].map((it) => `4${it.repeat(950_000)}`);
      for (const text of texts) {
        expect(await client.post(text)).toBe("200 ok");
        await between();
      }
      const heard: string[] = [];
      while (heard.length < texts.length) {
        const payload = await client.poll();
        // It does not send the whole queue at once, because that would be in memory as a whole.
        expect(payload.length).toBeLessThan(2_500_000);
        heard.push(...payload.split(RS).filter((it) => it !== "2"));
        await between();
      }
      expect(heard.map((it) => it.slice(0, 2))).toEqual(texts.map((it) => it.slice(0, 2)));
      expect(heard).toEqual(texts);
      expect(await object.sessionRows()).toEqual([`sio_s:${client.sid}`]);
    },
  );

  it.each(["awake", "asleep"])(
    "is sent over the WebSocket after an upgrade, before anything else (object %s)",
    async (state) => {
      const object = new TestObject(`queue upgrade ${state}`);
      const client = await object.openPolling();
      const texts = Array.from({ length: 5 }, (_, i) => `4${String(i).repeat(600_000)}`);
      for (const text of texts) {
        await client.post(text);
        if (state === "asleep") await object.sleep();
      }
      const socket = await client.upgrade();
      const heard: string[] = [];
      socket.socket.send("4hello");
      while (heard.at(-1) !== "4hello") {
        const frame = await socket.text();
        if (frame === "2") socket.socket.send("3");
        else if (frame !== "6") heard.push(frame);
      }
      expect(heard.map((it) => it.slice(0, 10))).toEqual([...texts, "4hello"].map((it) => it.slice(0, 10)));
      expect(await object.sessionRows()).toEqual([]);
    },
  );

  it.each(["awake", "asleep"])(
    "is delivered in order to a client that takes 16 packets at a time (object %s)",
    async (state) => {
      const object = new TestObject(`queue small ${state}`);
      const client = await object.openPolling();
      const expected = Array.from({ length: 100 }, (_, i) => `4${i}`.padEnd(300 * (i % 4), "."));
      await client.post(expected.slice(0, 60).join(RS));
      if (state === "asleep") await object.sleep();
      await client.post(expected.slice(60).join(RS));
      const heard: string[] = [];
      while (heard.length < 100) {
        if (state === "asleep") await object.sleep();
        const packets = (await client.poll()).split(RS);
        expect(packets.length).toBeLessThanOrEqual(16);
        heard.push(...packets.filter((it) => it !== "2"));
        // Packets that arrive in between follow everything that waits.
        const last = `4more ${heard.length}`;
        if (expected.length < 110) expected.push(last);
        if (expected.at(-1) === last) await client.post(last);
      }
      while (heard.length < expected.length)
        heard.push(...(await client.poll()).split(RS).filter((it) => it !== "2"));
      expect(heard).toEqual(expected);
    },
  );

  it("is not kept in memory once it is stored in rows", async () => {
    const object = new TestObject("queue in rows");
    const client = await object.openPolling();
    await client.post(`4${"x".repeat(500_000)}`);
    const state = await object.run((instance) => runtimeOf(instance).table.get(client.sid)?.session.state);
    expect(state).toMatchObject({ queue: [], queuedBytes: 500_008 });
  });

  it("is removed with its session, whatever the reason", async () => {
    const object = new TestObject("queue removed");
    for (const state of ["awake", "asleep"]) {
      for (const end of ["leaves", "overlaps", "is closed"]) {
        const client = await object.openPolling();
        await client.post(`4${"x".repeat(100_000)}`);
        if (state === "asleep") await object.sleep();
        if (end === "leaves") await client.post("1");
        else if (end === "is closed")
          await object.run((instance) => void instance.engine.clients[client.sid]?.close(true));
        else await client.request({ method: "POST", body: "2" });
        await object.run(async () => {});
        expect(await object.sessionRows()).toEqual([]);
      }
    }
  });

  it("is read where an earlier version of this code stored it, and precedes later packets", async () => {
    const object = new TestObject("queue of version 1");
    for (const act of ["post", "tick"]) {
      const client = await object.openPolling();
      await object.run((_, { storage: { kv } }) => {
        const key = `sio_s:${client.sid}`;
        const row = kv.get<StoredSession>(key)!;
        const queue = ["4first", new Uint8Array([1]), `4${"x".repeat(20_000)}`];
        kv.put(key, { ...row, v: 1, state: { ...row.state, queue } });
      });
      await object.restart();
      if (act === "tick") await runDurableObjectAlarm(object.stub);
      await object.restart();
      await client.post("4last");
      await object.restart();
      const payload = `4first\x1ebAQ==\x1e4${"x".repeat(20_000)}\x1e4last`;
      expect(await client.poll()).toBe(`2\x1e${payload}`);
      expect(await object.sessionRows()).toEqual([`sio_s:${client.sid}`]);
      await client.post("1");
    }
  });
});

describe("the sessions of an object", () => {
  it("can all be listed, also sleeping ones, and counted without running any code of theirs", async () => {
    const object = new TestObject("count");
    const first = await object.openSocket();
    const second = await object.openPolling();
    const { payload } = await second.park();
    const third = await object.openSocket();
    await object.sleep();
    expect(await object.run((instance) => instance.engine.clientsCount)).toBe(3);
    const ids = await object.run((instance) => Object.keys(instance.engine.clients));
    expect(new Set(ids)).toEqual(new Set([first.sid, second.sid, third.sid]));
    expect(object.journal.filter((line) => line === "connection again")).toEqual([]);
    await object.run((instance) => {
      instance.engine.close();
    });
    expect(await first.closed).toBe(1005);
    expect(await payload).toBe("1");
    expect(await object.run((instance) => instance.engine.clientsCount)).toBe(0);
  });

  it("are listed in the order in which they connected", async () => {
    const object = new TestObject("order");
    const sids: string[] = [];
    for (let i = 0; i < 5; i++) sids.push((await object.openSocket()).sid);
    await object.sleep();
    expect(await object.run((instance) => Object.keys(instance.engine.clients))).toEqual(sids);
  });
});
