import type { Load } from "../load/client.ts";
import type { ServerProcess } from "./process.ts";

/** A server and the process that keeps it busy. */
export interface Contestant {
  readonly server: ServerProcess;
  readonly load: Load;
}

/** CPU of the servers for one unit of work, µs: medians of the rounds. */
export interface Comparison {
  readonly what: string;
  readonly bar: number;
  readonly ours: number;
  readonly control: number;
  readonly again: number;
  readonly node: number | undefined;
  readonly rounds: number;
}

export interface Contest {
  readonly ours: Contestant;
  readonly control: Contestant;
  readonly again: Contestant;
  readonly node?: Contestant;
}

/** Rounds that only let the engines compile. */
const WARM_UP = 2;

/**
 * Lets the contestants do the same work in turns, in another order each round. Each counts as a multiple of the
 * control in the same round: what slows the machine down for a while slows all of them.
 */
export async function compare(
  what: string,
  bar: number,
  contest: Contest,
  rounds: number,
  work: (contestant: Contestant) => Promise<number>,
): Promise<Comparison> {
  const { ours, control, again, node } = contest;
  const all = [control, ours, again, ...(node === undefined ? [] : [node])];
  const samples = all.map((): number[] => []);
  for (let round = -WARM_UP; round < rounds; round++) {
    for (let turn = 0; turn < all.length; turn++) {
      const i = (turn + round + WARM_UP) % all.length;
      const cost = await cpuOf(all[i]!, work);
      if (round >= 0) samples[i]!.push(cost);
    }
  }
  const multiple = (i: number) => median(samples[i]!.map((cost, round) => cost / samples[0]![round]!));
  const base = median(samples[0]!);
  return {
    what,
    bar,
    rounds,
    control: base,
    ours: base * multiple(1),
    again: base * multiple(2),
    node: node === undefined ? undefined : base * multiple(3),
  };
}

async function cpuOf(contestant: Contestant, work: (contestant: Contestant) => Promise<number>) {
  const before = contestant.server.cpuUs();
  const units = await work(contestant);
  return (contestant.server.cpuUs() - before) / units;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export function isMet({ bar, ours, control, again }: Comparison): boolean {
  return ours / control <= (bar * again) / control;
}

export function printComparisons(comparisons: readonly Comparison[]): void {
  console.table(
    comparisons.map((comparison) => {
      const { what, bar, ours, control, again, node, rounds } = comparison;
      return {
        "CPU of the server": what,
        "bar x": bar,
        "ours, us": round(ours),
        "control, us": round(control),
        "control again, us": round(again),
        "ours / control": round(ours / control),
        allowed: round((bar * again) / control),
        met: isMet(comparison) ? "yes" : "NO",
        "Socket.IO on Node / control": node === undefined ? "" : round(node / control),
        rounds,
      };
    }),
  );
}

export function round(value: number): number {
  return Number(value.toPrecision(3));
}
