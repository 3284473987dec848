import { describe, expect, it } from "vitest";
import type { TargetName } from "../support/app.ts";
import { damageOf, type SoakOptions, type SoakReport, soak } from "../support/soak.ts";
import { start, targets } from "../support/targets.ts";

const NONE = { lost: 0, duplicated: 0, reordered: 0 };
const short: SoakOptions = {
  clients: 40,
  messages: 4_000,
  interruption: "none",
  between: [50, 300],
  hasRetries: false,
  seed: Number(process.env.SEED ?? 1),
  limitMs: 100_000,
};

async function run(target: TargetName, variant: string, options: SoakOptions): Promise<SoakReport> {
  const server = await start(target, "soak", variant);
  try {
    return await soak(server, options);
  } finally {
    await server.close();
  }
}

/** The short version of `node bench/soak.ts`. */
describe.each(targets)("40 stock clients on %s", (target) => {
  it("lose, repeat and reorder nothing while the object is hibernated several times a second", async () => {
    const report = await run(target, "default", { ...short, interruption: "hibernate" });
    expect(report).toMatchObject({
      sent: 4_000,
      received: 4_000,
      reconnections: 0,
      toClient: NONE,
      toServer: NONE,
      shared: NONE,
    });
  }, 120_000);

  it("receive everything in order through restarts, with recovery, and what they send is never reordered", async () => {
    const options: SoakOptions = { ...short, interruption: "close", between: [700, 1_500], hasRetries: true };
    const report = await run(target, "recovery", options);
    expect(report).toMatchObject({
      unrecovered: 0,
      toClient: NONE,
      shared: NONE,
      // A stock client does not send again what was lost with a connection, unless it has the option `retries`.
      toServer: { duplicated: 0, reordered: 0 },
      toServerWithRetries: { lost: 0, reordered: 0 },
    });
  }, 120_000);
});

describe("the count of damage", () => {
  it("finds what is lost, duplicated and reordered", () => {
    expect(damageOf([0, 1, 2, 3], 4)).toEqual(NONE);
    expect(damageOf([0, 2, 1, 1, 4], 6)).toEqual({ lost: 2, duplicated: 1, reordered: 1 });
    expect(damageOf([0, 20, 40], 61, 20)).toEqual({ lost: 1, duplicated: 0, reordered: 0 });
  });
});
