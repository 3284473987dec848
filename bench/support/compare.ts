import type { Check } from "./check.ts";
import { AGAIN, BARE, type Contestant, OURS } from "./contestants.ts";

/** The cost of one unit of work in µs or bytes, by contestant. */
export type Costs = Readonly<Record<string, number>>;

/** The cost of something by contestant, as medians of the rounds. */
export interface Comparison {
  readonly what: string;
  readonly costs: ReadonlyMap<string, number>;
  readonly rounds: number;
}

/** The most that ours may cost, as a multiple of the cost of another contestant. */
export interface Bar {
  readonly what: string;
  readonly times: number;
  readonly than: string;
}

/**
 * Lets the contestants do the same work in turns, in another order each round. Each figure is a multiple of the
 * control's in the same round, because whatever slows the machine down for a while slows all of them.
 */
export async function compare<One extends { readonly name: string }>(
  all: readonly One[],
  { rounds, warmUp = 0 }: { rounds: number; warmUp?: number },
  measure: (one: One) => Promise<Costs>,
): Promise<Comparison[]> {
  const samples = new Map<string, Costs[]>(all.map(({ name }) => [name, []]));
  for (let round = -warmUp; round < rounds; round++) {
    for (let turn = 0; turn < all.length; turn++) {
      const one = all[(turn + round + warmUp) % all.length]!;
      const costs = await measure(one);
      if (round >= 0) samples.get(one.name)!.push(costs);
    }
  }
  const control = samples.get(BARE)!;
  return Object.keys(control[0] ?? {}).map((what) => {
    const base = median(control.map((costs) => costs[what]!));
    const toCost = (mine: Costs[]) =>
      base * median(mine.map((costs, i) => costs[what]! / control[i]![what]!));
    return { what, rounds, costs: new Map([...samples].map(([name, mine]) => [name, toCost(mine)])) };
  });
}

/** The CPU time that the server uses for one of the units that `work` does, in µs. */
export async function cpuOf({ server }: Contestant, work: () => Promise<number>): Promise<number> {
  const before = server.cpuUs();
  const units = await work();
  return (server.cpuUs() - before) / units;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** The checks of those bars whose contestants took part, with an allowance for the noise of the control. */
export function toChecks(comparisons: readonly Comparison[], bars: readonly Bar[], suffix = ""): Check[] {
  return bars.flatMap(({ what, times, than }) => {
    const costs = comparisons.find((comparison) => comparison.what === what)?.costs;
    const [ours, other] = [costs?.get(OURS), costs?.get(than)];
    if (costs === undefined || ours === undefined || other === undefined) return [];
    const noise = costs.get(AGAIN)! / costs.get(BARE)!;
    return {
      what: `${what}${suffix}, ours / ${than}`,
      bar: `${times} x ${round(noise)}`,
      measured: `${round(ours / other)}`,
      isMet: ours / other <= times * noise,
    };
  });
}

/** One line for each comparison: what the control costs, and which multiple of it the others cost. */
export function printComparisons(title: string, comparisons: readonly Comparison[]): void {
  console.table(
    comparisons.map(({ what, costs, rounds }) => {
      const control = costs.get(BARE)!;
      const others = [...costs].filter(([name]) => name !== BARE);
      return {
        [title]: what,
        [BARE]: round(control),
        ours: round(costs.get(OURS) ?? Number.NaN),
        ...Object.fromEntries(others.map(([name, cost]) => [`${name} x`, round(cost / control)])),
        rounds,
      };
    }),
  );
}

export function round(value: number): number {
  return Number(value.toPrecision(3));
}
