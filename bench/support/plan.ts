import { parseArgs } from "node:util";
import { type Entrant, entrants } from "./contestants.ts";

/** The request of the command line. */
export interface Plan {
  /** The parts to measure. */
  readonly parts: readonly string[];
  readonly entrants: readonly Entrant[];
  /** Whether clients get the compression that they offer; each setting has a table of its own. */
  readonly compressions: readonly boolean[];
  /** Whether to run just enough to show that the benchmarks work. The figures of such a run mean nothing. */
  readonly isQuick: boolean;
  /** `full`, or 1 in a quick run. */
  rounds(full: number): number;
  /** `full`, or a hundredth of it in a quick run. */
  count(full: number): number;
}

export const USAGE = `node bench/run.ts [part ...] [options]
  --base <checkout>        another checkout of this repository takes part, for instance a git worktree of an older commit
  --only <name,name>       leaves out all others, except for the bare object
  --compression <on|off>   one of the two tables
  --rounds <number>        at most so many: quicker, and less exact
  --quick                  the smallest counts: shows that the benchmarks run, and measures nothing`;

/** @throws TypeError for an option that does not exist */
export function readPlan(args: readonly string[]): Plan {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      base: { type: "string" },
      only: { type: "string" },
      compression: { type: "string" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const { base, only, compression, quick } = values;
  const most = quick ? 1 : Number(values.rounds ?? Number.POSITIVE_INFINITY);
  return {
    parts: positionals,
    entrants: entrants({ checkout: base, only: only?.split(",") }),
    compressions: compression === undefined ? [false, true] : [compression === "on"],
    isQuick: quick,
    rounds: (full) => Math.min(full, most),
    count: (full) => (quick ? Math.max(1, Math.round(full / 100)) : full),
  };
}
