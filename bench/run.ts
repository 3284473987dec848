/**
 * Measures everything for which docs/design.md sets a bar. `npm run bench` runs all of it, and `npm run bench -- echo
 * waking` a part. The exit code is 1 when a bar is missed. The long soak is `node bench/soak.ts`.
 */
import { benchCodec } from "./codec.ts";
import { benchCold } from "./cold.ts";
import { benchCosts } from "./costs.ts";
import { benchData } from "./data.ts";
import { benchGrowth } from "./growth.ts";
import { benchIdle } from "./idle.ts";
import { benchMemory } from "./memory.ts";
import { benchResident } from "./resident.ts";
import { benchShards } from "./shards.ts";
import { benchSizes } from "./sizes.ts";
import { type Check, printChecks } from "./support/check.ts";
import { type Plan, readPlan, USAGE } from "./support/plan.ts";
import { benchWaking } from "./waking.ts";
import { benchConnect, benchEcho, benchFanOut, benchPolling, benchUpgrade } from "./warm.ts";

type Part = (plan: Plan, compression: boolean) => Promise<Check | Check[]>;

/** The benchmarks that run without compression, and then with it. */
const TRAFFIC: Record<string, Part> = {
  cold: benchCold,
  echo: benchEcho,
  connect: benchConnect,
  "fan-out": async (plan, compression) => [
    ...(await benchFanOut(plan, compression, 200)),
    ...(await benchFanOut(plan, compression, 1_000)),
  ],
  resident: benchResident,
  upgrade: benchUpgrade,
};

/** The benchmarks to which compression makes no difference. */
const OTHERS: Record<string, Part> = {
  polling: (plan) => benchPolling(plan, false),
  growth: benchGrowth,
  sizes: benchSizes,
  codec: async (plan) => benchCodec(plan.rounds(31)),
  costs: benchCosts,
  data: (plan) => benchData(plan.rounds(9)),
  memory: async (plan) => {
    await benchMemory(plan.count(2_000));
    return [];
  },
  idle: benchIdle,
  shards: benchShards,
  waking: () => benchWaking(5),
};

const plan = toPlan();
const parts = plan.parts.length > 0 ? plan.parts : [...Object.keys(TRAFFIC), ...Object.keys(OTHERS)];
const unknown = parts.find((part) => !(part in TRAFFIC || part in OTHERS));
if (unknown !== undefined) {
  fail(`There is no "${unknown}"; choose from ${Object.keys({ ...TRAFFIC, ...OTHERS }).join(", ")}`);
}

const checks: Check[] = [];
const failures: Check[] = [];
for (const part of parts) {
  for (const compression of part in TRAFFIC ? plan.compressions : [false]) {
    const started = Date.now();
    console.log(`\n${part}${part in TRAFFIC ? `, compression ${compression ? "on" : "off"}` : ""}`);
    try {
      checks.push(...[await { ...TRAFFIC, ...OTHERS }[part]!(plan, compression)].flat());
    } catch (error) {
      console.error(error);
      failures.push({ what: part, bar: "runs to its end", measured: "an error, see above", isMet: false });
    }
    console.log(`${part}: ${Math.round((Date.now() - started) / 1_000)} s`);
  }
}
console.log("\nall bars");
// The figures of a quick run mean nothing, so it only counts that every part ran to its end.
const isMet = printChecks([...(plan.isQuick ? [] : checks), ...failures]);
process.exit(isMet ? 0 : 1);

function toPlan(): Plan {
  try {
    return readPlan(process.argv.slice(2));
  } catch (error) {
    return fail(`${(error as Error).message}\n${USAGE}`);
  }
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
