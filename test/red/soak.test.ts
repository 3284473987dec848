import { expect, it } from "vitest";
import { soakThroughAll } from "./support/long-soak.ts";

const NONE = { lost: 0, duplicated: 0, reordered: 0 };

/** One minute of `node bench/soak.ts`, which runs for ten. */
it("40 stock clients lose, repeat and reorder nothing through naps, restarts and cuts, and leave nothing behind", async () => {
  const { report, remains, isDown } = await soakThroughAll({
    durationMs: 60_000,
    seed: Number(process.env.SEED ?? 1),
  });
  expect(isDown).toBe(false);
  expect(report).toMatchObject({
    unrecovered: 0,
    toClient: NONE,
    shared: NONE,
    toServerWithRetries: NONE,
  });
  expect(report.interruptions).toBeGreaterThan(3);
  expect(remains).toMatchObject({ rows: {}, alarm: null });
  expect(remains.heap[1]).toBeLessThan(remains.heap[0] + 4_000_000);
}, 300_000);
