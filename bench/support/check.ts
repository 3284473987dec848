/** A bar, and the figure that was measured. */
export interface Check {
  readonly what: string;
  readonly bar: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** Prints the checks, and returns whether all bars are met. */
export function printChecks(checks: readonly Check[]): boolean {
  console.table(
    checks.map(({ what, bar, measured, isMet }) => ({ what, bar, measured, met: isMet ? "yes" : "NO" })),
  );
  return checks.every(({ isMet }) => isMet);
}
