/**
 * Measures the resident memory of a browser's WebSocket: by how much the server's process grows with each, without
 * kernel buffers. Each socket offers compression and sends one message, so that everything that is allocated on first
 * use is included.
 */
import { connect } from "./cold.ts";
import type { Check } from "./support/check.ts";
import { type Bar, compare, printComparisons, toChecks } from "./support/compare.ts";
import { BARE, type Entrant, enter, leave } from "./support/contestants.ts";
import { sleep } from "./support/counts.ts";
import type { Plan } from "./support/plan.ts";

const MEMORY = "memory of a browser's socket";
const WARM_UP = 500;
const SOCKETS = 3_000;
const BARS: readonly Bar[] = [{ what: MEMORY, times: 1.15, than: BARE }];

export async function benchResident(plan: Plan, compression: boolean): Promise<Check[]> {
  const comparisons = await compare(plan.entrants, { rounds: plan.rounds(3) }, async (entrant) => ({
    [MEMORY]: await measure(entrant, compression, plan),
  }));
  printComparisons("resident memory, bytes", comparisons);
  return compression ? [] : toChecks(comparisons, BARS);
}

async function measure(entrant: Entrant, compression: boolean, plan: Plan): Promise<number> {
  const contestant = await enter(entrant, compression);
  const { load, server } = contestant;
  const open = async (count: number) => {
    await connect(contestant, count);
    await load.run("echo", 1, 1);
    await sleep(200);
    return server.rssBytes();
  };
  try {
    // Code is compiled and caches are filled before the measurement begins.
    const before = await open(plan.count(WARM_UP));
    const count = plan.count(SOCKETS);
    return ((await open(count)) - before) / count;
  } finally {
    await leave(contestant);
  }
}
