import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { RawSession } from "../support/raw-session.ts";
import { until } from "./support/raid.ts";
import { MOST_GROWTH, MOST_HEAP, Victim } from "./support/victim.ts";
import { Witnesses } from "./support/witnesses.ts";

const request = { method: "GET", url: "https://example.com/socket.io/?EIO=4&transport=polling", headers: [] };
const fixed = JSON.stringify({ protocol: 4, b64: false, address: "", secure: true, openedAt: 1, request });

let victim: Victim | undefined;
afterEach(() => victim?.stop());

/** Writes rows that no bound has prevented. */
async function fill(prefix: string, v: number, count: number, bytes: number, room?: string): Promise<void> {
  const value = JSON.stringify({ v, k: "s", fixed, state: { transport: "polling", openedAt: 1 } });
  const query = new URLSearchParams({
    prefix,
    value,
    count: `${count}`,
    bytes: `${bytes}`,
    from: `${v}${bytes}`,
  });
  if (room !== undefined) query.set("room", room);
  await victim!.ask(`row?${query}`);
}

/** Opens the database of the object, as no code in the object can. */
function eachDatabase(use: (database: DatabaseSync) => void): (files: string[]) => void {
  return (files) => {
    for (const file of files) {
      const database = new DatabaseSync(file);
      use(database);
      database.close();
    }
  };
}

/** Runs ticks as long as one leaves something to do, and returns their number. */
async function tickOut(most: number): Promise<number> {
  for (let ticks = 1; ticks <= most; ticks++) {
    await victim!.tick();
    const { alarm, now } = (await victim!.ask("alarm")) as { alarm: number | null; now: number };
    if (alarm === null || alarm - now > 1_000) return ticks;
  }
  throw new Error(`not done after ${most} ticks`);
}

/** The interval without polls, and the time after which clients expire. */
async function letTimePass(most: number): Promise<void> {
  for (let i = 0; i < 6; i++) {
    await victim!.advance(26_000);
    await tickOut(most);
  }
}

async function expectHealed(): Promise<void> {
  const { rows, bytes } = await victim!.facts();
  expect(Object.keys(rows).filter((kind) => rows[kind] !== 0)).toEqual([]);
  expect(bytes).toBeLessThan(1_000_000);
  expect(await victim!.heap()).toBeLessThan(MOST_HEAP);
  expect(victim!.growth).toBeLessThan(MOST_GROWTH);
  const witnesses = await Witnesses.gather(victim!, 2);
  await witnesses.expectUndisturbed();
  witnesses.leave();
}

/** An object may inherit more from instances without bounds, or of another version, than its memory can hold. */
describe("an object that inherits", () => {
  it("300 MB of sessions that no code can use removes them by ticks alone, even if it dies in between", async () => {
    victim = await Victim.start();
    (await Witnesses.gather(victim, 1)).leave();
    await fill("sio_s:", 1, 120, 1_500_000);
    await fill("sio_o:", 1, 80, 1_000_000);
    await fill("sio_s:", 99, 40, 1_000_000);
    expect((await victim.facts()).bytes).toBeGreaterThan(300_000_000);
    await victim.restart();
    await victim.advance(26_000);
    for (let i = 0; i < 3; i++) await victim.tick();
    await victim.restart();
    await letTimePass(100);
    await expectHealed();
  }, 60_000);

  it("rows that cannot be read continues without them", async () => {
    victim = await Victim.start();
    const witnesses = await Witnesses.gather(victim, 2);
    await fill("sio_s:", 2, 30, 300);
    const some = "key LIKE 'sio_s:23000%' AND substr(key, -1) IN ('0', '3', '6')";
    // Each third row gets the beginning of a value, and nothing after it.
    await victim.restart(eachDatabase((it) => it.exec(`UPDATE _cf_KV SET value = x'ff0f6f' WHERE ${some}`)));
    const polling = witnesses.onlyPolling();
    await polling.expectUndisturbed();
    for (let i = 0; i < 4; i++) {
      await victim.advance(15_000);
      await tickOut(20);
      await polling.expectUndisturbed();
    }
    let left: unknown;
    const readable = "SELECT count(*) AS count FROM _cf_KV WHERE key LIKE 'sio_s:%' AND length(value) > 3";
    await victim.restart(eachDatabase((it) => (left = it.prepare(readable).get())));
    expect(left).toEqual({ count: 1 });
    await polling.expectUndisturbed();
    polling.leave();
  }, 30_000);

  it("30,000 sleeping sessions can broadcast to them, and loads none of them into memory", async () => {
    victim = await Victim.start();
    const witnesses = await Witnesses.gather(victim, 1);
    await fill("sio_s:", 2, 29_000, 0, "lobby");
    await victim.evict("hibernate");
    const session = await RawSession.start(victim);
    await session.post("40");
    await session.post('42["all of",1000,3]', { ms: 20_000 });
    await until("rows for all", async () => (await victim!.facts()).rows.sio_rows! >= 29_000, 20_000);
    expect(await victim.heap()).toBeLessThan(MOST_HEAP);
    expect(victim.growth).toBeLessThan(MOST_GROWTH);
    witnesses.leave();
  }, 60_000);

  it("30,000 sessions that no code can use removes them as well", async () => {
    victim = await Victim.start();
    (await Witnesses.gather(victim, 1)).leave();
    await fill("sio_s:", 2, 30_000, 300);
    await victim.restart();
    await letTimePass(300);
    await expectHealed();
  }, 60_000);
});
