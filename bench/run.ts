/**
 * Measures everything that docs/design.md sets a bar for. `npm run bench` runs all of it, `npm run bench -- echo waking`
 * a part. Ends with 1 when a bar is missed. The long soak is `node bench/soak.ts`.
 */
import { benchCodec } from "./codec.ts";
import { benchCosts } from "./costs.ts";
import { benchIdle } from "./idle.ts";
import { benchMemory } from "./memory.ts";
import { benchSizes } from "./sizes.ts";
import { type Check, printChecks } from "./support/check.ts";
import { type Comparison, isMet, printComparisons, round } from "./support/compare.ts";
import { benchEcho, benchFanOut, benchPolling } from "./traffic.ts";
import { benchWaking } from "./waking.ts";

const ROUNDS = { codec: 31, traffic: 41, waking: 5 };

const PARTS: Record<string, () => Promise<Check | Check[]>> = {
  sizes: benchSizes,
  codec: async () => benchCodec(ROUNDS.codec),
  echo: () => traffic(benchEcho(ROUNDS.traffic)),
  "fan-out": async () => [
    await traffic(benchFanOut(ROUNDS.traffic, 200)),
    await traffic(benchFanOut(ROUNDS.traffic, 1_000)),
  ],
  polling: () => traffic(benchPolling(ROUNDS.traffic)),
  costs: benchCosts,
  idle: benchIdle,
  memory: async () => {
    await benchMemory();
    return [];
  },
  waking: () => benchWaking(ROUNDS.waking),
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS);
const unknown = names.find((name) => PARTS[name] === undefined);
if (unknown !== undefined) {
  console.error(`There is no "${unknown}"; choose from ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}

const checks: Check[] = [];
for (const name of names) {
  const started = Date.now();
  console.log(`\n${name}`);
  try {
    checks.push(...[await PARTS[name]!()].flat());
  } catch (error) {
    console.error(error);
    checks.push({ what: name, bar: "runs to its end", measured: "an error, see above", isMet: false });
  }
  console.log(`${name}: ${Math.round((Date.now() - started) / 1_000)} s`);
}
console.log("\nall bars");
process.exit(printChecks(checks) ? 0 : 1);

async function traffic(running: Promise<Comparison>): Promise<Check> {
  const comparison = await running;
  printComparisons([comparison]);
  printRow(comparison);
  const { what, bar, ours, control, again } = comparison;
  return {
    what: `CPU: ${what}, ours / bare object`,
    bar: `${bar} x ${round(again / control)}`,
    measured: `${round(ours / control)}`,
    isMet: isMet(comparison),
  };
}

/** The row of the README's table. */
function printRow({ what, ours, control, again, node }: Comparison): void {
  const bare = (control + again) / 2;
  const us = (value: number) => `${Math.round(value)} µs`;
  console.log(`| ${what}, CPU | ${us(ours)} | ${us(bare)} | ${node === undefined ? "" : us(node)} |`);
}
