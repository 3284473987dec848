import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { DiskRows } from "../../src/objects/storage/disk-rows.ts";
import type { StoredSession } from "../../src/objects/storage/session-store.ts";
import { watch } from "./clock.ts";
import { TestObject } from "./support.ts";
import { TalkObject } from "./talk.ts";

const watched = watch();
const MB = 1_000_000;

/** Runs ticks until none is due within a second; returns their number, and what was left after each. */
async function tickOut<T>(object: TestObject, look: () => Promise<T>): Promise<T[]> {
  const seen: T[] = [];
  for (;;) {
    await runDurableObjectAlarm(object.stub);
    seen.push(await look());
    const at = await object.run((_, { storage }) => storage.getAlarm());
    if (at === null || at > Date.now() + 1_000) return seen;
    watched.clock.set(at - watched.clock.start);
  }
}

/** Lets an interval pass in which no client polls, so that the next tick finds all of them expired. */
async function abandon(object: TestObject): Promise<void> {
  await object.sleep();
  watched.clock.set(22_500);
  await tickOut(object, async () => 0);
  await object.sleep();
  watched.clock.set(50_000);
}

describe("a tick", () => {
  it("ends a bounded number of sleeping sessions, and is followed soon by the next tick", async () => {
    const object = new TestObject("many dead");
    for (let i = 0; i < 450; i++) await object.openPolling();
    await abandon(object);
    const left = await tickOut(object, () => object.run((instance) => instance.engine.clientsCount));
    expect(left).toEqual([50, 0]);
    expect(object.journal.filter((line) => line === "close ping timeout")).toHaveLength(450);
    expect(await object.sessionRows()).toEqual([]);
    expect(watched.logged).toEqual([]);
  }, 20_000);

  it("continues where the tick before stopped when its instance died", async () => {
    const object = new TestObject("died between ticks");
    for (let i = 0; i < 450; i++) await object.openPolling();
    await abandon(object);
    await runDurableObjectAlarm(object.stub);
    await object.run((_, ctx) => ctx.abort("killed")).catch(() => {});
    await tickOut(object, async () => 0);
    expect(await object.sessionRows()).toEqual([]);
  }, 20_000);

  it.each(["polling", "websocket"] as const)(
    "loads a bounded number of bytes into memory (%s)",
    async (transport) => {
      const left: string[] = [];
      const object = new TalkObject(`large dead ${transport}`, (io) => {
        io.on("connection", (socket) => {
          socket.on("keep", (done) => {
            socket.data.text = "x".repeat(1.5 * MB);
            done();
          });
          socket.on("disconnect", (reason) => left.push(`${reason} ${socket.data.text.length}`));
        });
      });
      for (let i = 0; i < 12; i++) await (await object.join(transport)).ask("keep");
      await object.sleep();
      watched.clock.set(22_500);
      await tickOut(object, async () => 0);
      await object.sleep();
      watched.clock.set(50_000);
      const counts = await tickOut(object, async () => left.length);
      expect(counts).toEqual([6, 12]);
      expect(left).toEqual(Array.from({ length: 12 }, () => `ping timeout ${1.5 * MB}`));
      expect(await object.sessionRows()).toEqual([]);
    },
    20_000,
  );

  it("closes sessions without a namespace, and loads none that have yet to be told", async () => {
    const object = new TalkObject("idle polls", () => {});
    const clients = [await object.openPolling(), await object.openPolling()];
    await object.sleep();
    watched.clock.set(45_000);
    await tickOut(object, async () => 0);
    const states = [...(await object.rows()).values()].map((row) => (row as StoredSession).state?.phase);
    expect(states.filter((phase) => phase === "closing")).toHaveLength(2);
    await object.sleep();
    expect(await clients[0]!.poll()).toBe("6\x1e1");
    watched.clock.set(76_000);
    await tickOut(object, async () => 0);
    expect(await object.sessionRows()).toEqual([]);
  });

  it.each(["TALK", "CLOSURE"] as const)(
    "removes a bounded number of rows that no code can use (%s)",
    async (kind) => {
      const object = new TalkObject("useless rows", () => {}, kind);
      // No alarm of the runtime runs in between.
      watched.clock.set(100_000);
      await object.run((_, { storage: { kv, sql } }) => {
        for (let i = 0; i < 40; i++) {
          kv.put(`sio_o:gone-${i}`, { v: 1, k: "s", sid: `gone-${i}`, text: "x".repeat(MB) });
          kv.put(`sio_s:foreign-${i}`, { v: 99, text: "x".repeat(MB) });
        }
        expect(sql.databaseSize).toBeGreaterThan(80 * MB);
      });
      await object.run((_, ctx) => ctx.abort("killed")).catch(() => {});
      await object.run((_, { storage }) => storage.setAlarm(Date.now()));
      const left = await tickOut(object, async () => (await object.sessionRows()).length);
      expect(left.length).toBeGreaterThan(2);
      expect(left.at(-1)).toBe(0);
      expect(await object.run((_, { storage: { sql } }) => sql.databaseSize)).toBeLessThan(MB);
    },
    20_000,
  );
});

it("an infinite connectTimeout lets a client join whenever it wants", async () => {
  const object = new TalkObject("patient", (io) => void io.connectTimeout(Infinity));
  const client = await object.connect();
  for (const ms of [22_500, 45_000, 67_500]) {
    watched.clock.set(ms);
    await runDurableObjectAlarm(object.stub);
    await client.live();
  }
  await client.join();
  expect(watched.logged).toEqual([]);
});

it("rows of sessions that no longer exist are removed at the first tick of an instance", async () => {
  const object = new TestObject("orphans");
  const client = await object.openPolling();
  await client.post("4kept");
  await object.run((_, { storage: { sql } }) => {
    const rows = new DiskRows(sql);
    rows.append("nobody", "queue", ["4lost"]);
    rows.append("nobody", "half", ["51-lost"]);
    rows.note("no one", 100_000);
  });
  await object.sleep();
  watched.clock.set(22_500);
  await tickOut(object, async () => 0);
  expect(await object.sessionRows()).toEqual([`sio_s:${client.sid}`, `sio_rows:${client.sid}:queue:1`]);
});

it("a session whose stored queue has vanished continues without it", async () => {
  const object = new TestObject("vanished");
  const client = await object.openPolling();
  await client.post("4lost");
  await object.run((_, { storage: { sql } }) => new DiskRows(sql).drop(client.sid));
  const { payload } = await client.park();
  await client.post("4next");
  expect(await payload).toBe("4next");
});

describe("a session whose row cannot be used", () => {
  const spoilt: [string, (row: StoredSession) => unknown][] = [
    ["is not a session", () => ({ v: 2 })],
    ["has lost its request", (row) => ({ ...row, fixed: "{" })],
    ["holds sockets that are none", (row) => ({ ...row, record: { v: 1, sockets: {} } })],
    ["is null", () => null],
  ];

  it.each(spoilt)("because it %s is removed, and no other session is affected", async (name, spoil) => {
    const object = new TalkObject(`spoilt ${name}`, (io) => {
      io.on("connection", (socket) => void socket.on("echo", (text, done) => done(text)));
    });
    const other = await object.join("polling");
    const client = await object.join("polling");
    await object.run((_, { storage: { kv } }) => {
      const key = `sio_s:${client.sid}`;
      kv.put(key, spoil(kv.get<StoredSession>(key)!));
    });
    await object.sleep();
    expect(await other.ask("echo", "hello")).toEqual(['43["hello"]']);
    await object.act((io) => void io.emit("everybody"));
    expect(await other.hear()).toBe('42["everybody"]');
    await object.sleep();
    watched.clock.set(22_500);
    await tickOut(object, async () => 0);
    await expect(client.say('42["echo","again"]')).rejects.toThrow("400");
    expect((await object.sessionRows()).filter((key) => key.includes(client.sid))).toEqual([]);
    expect(await other.ask("echo", "still")).toEqual(['43["still"]']);
  });
});
