import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Session } from "../../src/engine/session.ts";
import type { SessionConsumer } from "../../src/engine/session-ports.ts";
import { TestObject, until } from "./support.ts";

let logged: unknown[][];

beforeEach(() => {
  logged = [];
  vi.spyOn(console, "error").mockImplementation((...args) => void logged.push(args));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** What the layer above would keep of a session. */
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

/** Gives the session of this object something to keep, and comes back when it is written down. */
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

  it("moves along when the session upgrades", async () => {
    const object = new TestObject("keeps upgrade");
    const polling = await object.openPolling();
    await keepIn(object, polling.sid, record);
    await polling.upgrade();
    await object.sleep();
    expect(await storedOf(object, polling.sid)).toEqual(record);
    expect(await object.sessionRows()).toEqual([]);
  });

  it("is written in a row while it is too large for an attachment, and no longer", async () => {
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

  it("survives the tick that pings it while it lies in a row", async () => {
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

  it("is removed at the first tick after a restart that took its socket", async () => {
    const object = new TestObject("overflow restart");
    const client = await object.openSocket();
    await keepIn(object, client.sid, { text: "x".repeat(20_000) });
    await object.restart();
    expect(await object.sessionRows()).toEqual([`sio_o:${client.sid}`]);
    await runDurableObjectAlarm(object.stub);
    expect(await object.sessionRows()).toEqual([]);
  });

  it("of another version of the code is unknown, and removed at the first tick", async () => {
    const object = new TestObject("row version");
    const other = await object.openPolling();
    const client = await object.openPolling();
    await object.run((_, { storage }) => {
      const key = `sio_s:${client.sid}`;
      storage.kv.put(key, { ...storage.kv.get<object>(key), v: 2 });
    });
    await object.restart();
    expect(await client.post("4hello")).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(await object.run((instance) => instance.engine.clientsCount)).toBe(1);
    await runDurableObjectAlarm(object.stub);
    expect(await object.sessionRows()).toEqual([`sio_s:${other.sid}`]);
  });

  it.each(["openPolling", "openSocket"] as const)(
    "ends the session when no row can hold it (%s), and nobody else notices",
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

  it("ends the session when it cannot be cloned, and nobody else notices", async () => {
    const object = new TestObject("cannot clone");
    const other = await object.openPolling();
    const client = await object.openPolling();
    await keepIn(object, client.sid, { callback: () => {} });
    expect(object.journal.at(-1)).toBe("close transport error");
    expect(await other.post("4still here")).toBe("200 ok");
  });
});

describe("a session with something under way", () => {
  it("ends with its instance over WebSocket, without a mark: the runtime closes the socket", async () => {
    const object = new TestObject("busy socket");
    const client = await object.openSocket();
    const before = await object.roles();
    await keepIn(object, client.sid, undefined, true);
    expect(await object.roles()).toEqual(before);
    await object.restart();
    expect(await client.closed).toBe(1006);
    expect(await object.run((instance) => instance.engine.clientsCount)).toBe(0);
  });

  it("ends when another instance finds it, so that its client starts again (polling)", async () => {
    const object = new TestObject("busy polling");
    const client = await object.openPolling();
    const { payload } = await client.park();
    await keepIn(object, client.sid, {}, true);
    await object.sleep();
    expect(await client.post("4hello")).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(await payload).toBe("1");
    expect(await object.sessionRows()).toEqual([]);
  });

  it("goes on in the instance that it is in", async () => {
    const object = new TestObject("busy awake");
    const client = await object.openSocket();
    await keepIn(object, client.sid, {}, true);
    expect(await client.echo("hello")).toBe("4hello");
  });

  it("goes on after sleep when it was over by then", async () => {
    const object = new TestObject("busy over");
    const client = await object.openSocket();
    await keepIn(object, client.sid, {}, true);
    await keepIn(object, client.sid, {}, false);
    await object.sleep();
    expect(await client.echo("hello")).toBe("4hello");
  });
});

describe("what is queued for a client that does not poll", () => {
  it("is kept, delivered once and in order, whatever happens to the object", async () => {
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

  it("is kept when a Worker goes away while it holds the poll", async () => {
    const object = new TestObject("queue lost");
    const client = await object.openPolling();
    const response = await object.fetch({ op: "poll", sid: client.sid });
    const channel = response.webSocket!;
    channel.accept();
    // What an object sees of a Worker that dies.
    channel.close(1001);
    await until(async () => (await object.roles()).length === 0);
    expect(await client.post("4kept")).toBe("200 ok");
    expect(await client.poll()).toBe("4kept");
    expect(object.journal.join()).not.toContain("close");
  });

  it("waits in memory when no row can hold it, and ends its session should the instance die", async () => {
    const object = new TestObject("queue heavy");
    const client = await object.openPolling();
    const text = "x".repeat(950_000);
    expect(await client.post(`4${text}`)).toBe("200 ok");
    const row = (await object.rows()).get(`sio_s:${client.sid}`);
    expect(row).toMatchObject({ busy: true, state: { queue: undefined } });
    expect((await client.poll()).length).toBe(950_001);
    await until(async () => {
      const written = (await object.rows()).get(`sio_s:${client.sid}`) as { busy: boolean };
      return !written.busy;
    });
    await object.sleep();
    expect(await client.post("4hello")).toBe("200 ok");
  });
});

describe("the sessions of an object", () => {
  it("are all seen, sleeping ones too, and counted without waking any code", async () => {
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

  it("come in the order in which they connected", async () => {
    const object = new TestObject("order");
    const sids: string[] = [];
    for (let i = 0; i < 5; i++) sids.push((await object.openSocket()).sid);
    await object.sleep();
    expect(await object.run((instance) => Object.keys(instance.engine.clients))).toEqual(sids);
  });
});
