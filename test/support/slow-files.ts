import type { Reporter, TestModule } from "vitest/node";

/** How much one file may take of the three minutes that `npm test` has on two cores, in ms. */
const BUDGET_MS = 15_000;

/** Lists the files that take more than their share, so that a slow one is noticed in the run that made it slow. */
export default class SlowFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const slow = modules
      .filter(({ project }) => project.name !== "release")
      .map((module) => ({ file: module.relativeModuleId, ms: module.diagnostic().duration }))
      .filter(({ ms }) => ms > BUDGET_MS)
      .sort((a, b) => b.ms - a.ms);
    if (slow.length === 0) return;
    console.log(`\nFiles that took more than ${BUDGET_MS / 1_000} s (see test/README.md):`);
    for (const { file, ms } of slow) console.log(`  ${(ms / 1_000).toFixed(1).padStart(5)} s  ${file}`);
  }
}
