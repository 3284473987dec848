/**
 * Measures what a fresh isolate costs before its code is compiled, with a process of its own for each sample. Most
 * Durable Objects are in this state most of the time, since they start, serve a few hundred events and sleep again.
 */
import type { Check } from "./support/check.ts";
import { type Bar, type Costs, compare, cpuOf, printComparisons, toChecks } from "./support/compare.ts";
import { BARE, type Contestant, type Entrant, enter, leave, PARTYSERVER } from "./support/contestants.ts";
import { sleep } from "./support/counts.ts";
import type { Plan } from "./support/plan.ts";

/** The process and its isolate: what V8 has to parse and run before anything is served. */
const START = "start of the process";
const FIRST = "first connect of a cold isolate";
const CONNECTS = "connects 2 to 200 of a fresh isolate";
const MESSAGES = "echo, first 2,000 messages";
const SOCKETS = 200;
const EACH = 10;
/** The time after the answer in which work of the server still counts as part of it. */
const SETTLED_MS = 60;

const BARS: readonly Bar[] = [
  { what: FIRST, times: 1.3, than: PARTYSERVER },
  { what: CONNECTS, times: 1.4, than: BARE },
  { what: MESSAGES, times: 1.3, than: BARE },
];

export async function benchCold(plan: Plan, compression: boolean): Promise<Check[]> {
  const comparisons = await compare(plan.entrants, { rounds: plan.rounds(15) }, (entrant) =>
    measure(entrant, compression),
  );
  printComparisons("cold, µs of CPU", comparisons);
  return compression ? [] : toChecks(comparisons, BARS);
}

async function measure(entrant: Entrant, compression: boolean): Promise<Costs> {
  const contestant = await enter(entrant, compression);
  try {
    await contestant.load.run("start");
    return {
      [START]: contestant.server.cpuUs(),
      [FIRST]: await cpuOf(contestant, () => connect(contestant, 1)),
      [CONNECTS]: await cpuOf(contestant, () => connect(contestant, SOCKETS - 1)),
      [MESSAGES]: await cpuOf(contestant, () => contestant.load.run("echo", EACH, 2)),
    };
  } finally {
    await leave(contestant);
  }
}

/** Opens sockets, and waits until the server has nothing left to do for them. */
export async function connect(
  { load, server, path }: Contestant,
  count: number,
  asBrowsers = true,
): Promise<number> {
  await load.run("openSockets", server.port, count, "", path, asBrowsers);
  await sleep(SETTLED_MS);
  return count;
}
