import { describe, expect, it } from "vitest";
import { http, type Reply } from "../support/http.ts";
import { pathOf, RawSession } from "../support/raw-session.ts";
import { Raid } from "./support/raid.ts";
import { Siege } from "./support/siege.ts";
import { Victim } from "./support/victim.ts";

const handshake = pathOf({ EIO: "4", transport: "polling" });

/** While setup has not completed no client is served, however many ask. */
describe("setup under attack", () => {
  it("serves nobody while it fails, answers every request, and runs again a bounded number of times", async () => {
    const victim = await Victim.start("default", "failing");
    try {
      const raid = new Raid(victim);
      for (let round = 0; round < 2; round++) {
        const replies = await Promise.all(Array.from({ length: 50 }, () => http(victim, handshake)));
        expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([503]));
        expect(replies.every(({ headers }) => Number(headers["retry-after"]) > 0)).toBe(true);
        expect(await raid.open(50, { says: "40" })).toEqual([]);
        await victim.advance(100_000);
      }
      expect(raid.refused).toEqual(new Map([[503, 100]]));
      // The third run succeeds. Listeners of the failed ones would answer twice, or without the middleware.
      const session = await RawSession.start(victim);
      await session.post("40");
      expect(await session.nextPayload()).toEqual(['44{"message":"refused"}']);
      await session.post('40{"token":"let me in"}');
      expect((await session.nextPayload())[0]).toMatch(/^40\{"sid"/);
      await session.post('42["echo","once"]');
      expect(await session.nextPayload()).toEqual(['42["echo","once"]']);
    } finally {
      await victim.stop();
    }
  }, 60_000);

  it("holds a bounded number of requests while it hangs, and answers each of them", async () => {
    const victim = await Victim.start("small", "hanging");
    try {
      victim.beginAttack();
      const headers = Object.fromEntries(
        Array.from({ length: 8 }, (_, i) => [`x-padding-${i}`, String(i).repeat(1_800)]),
      );
      const asked: Promise<Reply>[] = [];
      for (let i = 0; i < 500; i++) {
        asked.push(http(victim, handshake, { headers, ms: 25_000 }));
        if (i % 40 === 39) await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const replies = await Promise.all(asked);
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([503]));
      expect(victim.isDown).toBe(false);
      expect(victim.growth).toBeLessThan(260_000_000);
      await victim.advance(100_000);
      const session = await RawSession.join(victim);
      expect(await session.isAlive()).toBe(true);
    } finally {
      await victim.stop();
    }
  }, 60_000);

  it("does not disconnect sleeping clients when only ticks run while it fails", async () => {
    const siege = await Siege.lay();
    await siege.victim.evict("hibernate");
    for (let i = 0; i < 3; i++) await siege.victim.tick();
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);
});
