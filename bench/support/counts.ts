import type { Counts } from "../workers/counts.ts";

export type { Counts };

/** What happened in the objects of a server since it was started. The Worker answers, so that no object is woken. */
export async function readCounts(port: number): Promise<Counts> {
  const response = await fetch(`http://127.0.0.1:${port}/bench`);
  return (await response.json()) as Counts;
}

/** Counts what happens while `work` runs. */
export async function countDuring(port: number, work: () => Promise<unknown>): Promise<Counts> {
  const before = await readCounts(port);
  await work();
  await settled();
  const after = await readCounts(port);
  const names = Object.keys(after) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as Counts;
}

/** Close events and alarms arrive a moment after the answer that caused them. */
function settled(): Promise<void> {
  return sleep(200);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A figure per unit, rounded to the digits that matter. */
export function each(count: number, units: number): number {
  return Number((count / units).toFixed(2));
}
