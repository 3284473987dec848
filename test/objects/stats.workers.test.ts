import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { PRICES } from "../../src/http/stats.ts";
import { runtimeOf } from "../../src/objects/session-object.ts";
import { SpreadObject, spreadOver, talk } from "../fixtures/worker.ts";
import { Clock } from "./clock.ts";
import { env, TestObject } from "./support.ts";
import { TalkObject } from "./talk.ts";

const TICK_MS = 22_500;
let clock: Clock;
beforeEach(async () => {
  clock = new Clock();
  await clock.attach(new TestObject("clock"));
});
afterEach(() => clock.stop());

const sumOf = async (name: string) => (await talk.stats(env, { name })).sum;

async function tick(object: TestObject, ticks: number): Promise<void> {
  clock.set(ticks * TICK_MS);
  await runDurableObjectAlarm(object.stub);
}

describe("stats", () => {
  it("of a server that nobody has used are zero, run no setup, and leave no row", async () => {
    const setups: string[] = [];
    const object = new TalkObject("stats nobody", () => void setups.push("setup"));
    const { objects, sum } = await talk.stats(env, { name: object.name });
    expect(objects).toMatchObject([{ name: object.name, shard: "0", awakeObjects: 0, requests: 1 }]);
    expect(sum).toMatchObject({
      websocket: 0,
      polling: 0,
      rooms: 0,
      queuedBytes: 0,
      rowsWritten: 0,
      messages: 0,
    });
    expect(setups).toEqual([]);
    expect([...(await object.rows()).keys()]).toEqual([]);
  });

  it("ask each server once, however often it is named", async () => {
    const { objects } = await talk.stats(env, { name: ["stats twice", "stats twice"] });
    expect(objects.map(({ name }) => name)).toEqual(["stats twice"]);
  });

  it.each(["awake", "asleep"])(
    "tell clients by transport, rooms and queued bytes (object %s)",
    async (state) => {
      const setups: string[] = [];
      const object = new TalkObject(`stats clients ${state}`, (io) => {
        setups.push("setup");
        io.on("connection", (socket) => socket.join(["all", socket.conn.transport.name]));
      });
      await object.join("websocket");
      await object.join("websocket");
      await object.join("polling");
      await object.act((io) => void io.emit("hello", "x".repeat(1_000)));
      if (state === "asleep") await object.sleep();
      setups.length = 0;
      const isAwake = state === "awake";
      const sum = await sumOf(object.name);
      expect(sum).toMatchObject({
        websocket: 2,
        polling: 1,
        awake: isAwake ? 3 : 0,
        asleep: isAwake ? 0 : 3,
        awakeObjects: isAwake ? 1 : 0,
        rooms: 3,
      });
      expect(sum.queuedBytes).toBeGreaterThan(1_000);
      expect(setups).toEqual([]);
    },
  );

  it("keep what was counted up to the last tick over naps and restarts, and write no row in quiet ticks", async () => {
    const object = new TalkObject("stats kept", () => {});
    const client = await object.join("websocket");
    await tick(object, 1);
    const before = await sumOf(object.name);
    expect(before).toMatchObject({ wakes: 1, alarms: 1, messages: 1, checks: 1, since: clock.start });
    const row = (await object.rows()).get("sio_tally");
    await client.live();
    await tick(object, 2);
    await object.sleep();
    const stored = (await object.rows()).get("sio_tally");
    expect(stored).not.toEqual(row);
    await object.sleep();
    for (const ticks of [3, 4, 5]) {
      await client.live();
      await tick(object, ticks);
      await object.sleep();
    }
    expect((await object.rows()).get("sio_tally")).toEqual(stored);
    await object.sleep();
    clock.set(5.5 * TICK_MS);
    const after = await sumOf(object.name);
    expect(after).toMatchObject({ wakes: 5, alarms: 5, messages: 1, checks: 5 });
    await object.restart();
    expect(await sumOf(object.name)).toMatchObject({ messages: 1, since: clock.start, websocket: 0 });
  });

  it("count the rows of user code, and leave nothing when everybody has gone", async () => {
    const object = new TalkObject("stats rows", () => {});
    const client = await object.join("polling");
    const { rowsWritten } = await sumOf(object.name);
    await object.run((_, { storage }) => {
      storage.kv.put("mine", 1);
      storage.kv.delete("mine");
      storage.kv.delete("nothing");
      storage.sql.exec("CREATE TABLE IF NOT EXISTS mine (n)");
    });
    expect((await sumOf(object.name)).rowsWritten).toBeGreaterThanOrEqual(rowsWritten + 2);
    await tick(object, 1);
    await client.say("1");
    for (const ticks of [2, 3, 4]) await tick(object, ticks);
    expect([...(await object.rows()).keys()].filter((key) => key.startsWith("sio_tally"))).toEqual([]);
  });

  it("add up the shards of each server that is named, and cost what the prices say", async () => {
    for (const shard of ["0", "1", "2"]) {
      await new TalkObject(
        shard === "0" ? "stats spread" : `stats spread#${shard}`,
        () => {},
        "SPREAD",
      ).connect();
    }
    const names = ["stats spread", "stats spread else"];
    const free = { millionRequests: 0, millionGbSeconds: 0 };
    const { objects, sum, cost } = await spreadOver.stats(env, { name: names, prices: free });
    expect(objects.map(({ name, shard }) => `${name} ${shard}`)).toEqual(
      names.flatMap((name) => ["0", "1", "2"].map((shard) => `${name} ${shard}`)),
    );
    expect(sum.websocket).toBe(3);
    expect(cost.total).toBeCloseTo((sum.rowsWritten * PRICES.millionRowsWritten) / 1e6, 12);
    expect(sum.rowsWritten).toBeGreaterThan(3);
  });

  it("name the objects that fail or do not answer in time, and add up the others", async () => {
    const { socketIoStats } = SpreadObject.prototype;
    const answer = vi.spyOn(SpreadObject.prototype, "socketIoStats");
    onTestFinished(() => answer.mockRestore());
    answer.mockImplementation(async function (this: SpreadObject) {
      const { shard } = runtimeOf(this).platform.identity.require();
      if (shard === "0") throw new Error("out of order");
      if (shard === "1") await new Promise(() => {});
      return socketIoStats.call(this);
    });
    for (const shard of ["0", "1", "2"]) {
      const name = shard === "0" ? "stats fail" : `stats fail#${shard}`;
      await new TalkObject(name, () => {}, "SPREAD").connect();
    }
    const { objects, failed, sum } = await spreadOver.stats(env, { name: "stats fail", timeout: 500 });
    expect(failed).toEqual([
      { name: "stats fail", shard: "0", error: "out of order" },
      { name: "stats fail", shard: "1", error: "no answer within 500 ms" },
    ]);
    expect(objects.map(({ shard }) => shard)).toEqual(["2"]);
    expect(sum).toMatchObject({ websocket: 1, wakes: 1 });
  });

  it("of no server are zero", async () => {
    const { objects, failed, sum, cost } = await talk.stats(env, { name: [] });
    expect([objects, failed]).toEqual([[], []]);
    expect(sum).toMatchObject({ websocket: 0, polling: 0, queuedBytes: 0 });
    expect(cost).toEqual({ requests: 0, rowsWritten: 0, duration: 0, total: 0 });
  });

  it.each<[object, string]>([
    [{ name: "" }, "1 to 256 bytes"],
    [{ timeout: -1 }, "the option timeout has to be"],
    [{ timeout: "5 s" }, "Leave it out for 5000"],
    [
      { prices: { eventMs: -1 } },
      "the option prices.eventMs has to be of this kind: number from 0 on, or Infinity; it is the number -1",
    ],
    [{ prices: { gigabytes: "0.128" } }, "Leave it out for the list price"],
  ])("reject for %o, and say why", async (options, message) => {
    await expect(talk.stats(env, options as never)).rejects.toThrow(message);
  });
});
