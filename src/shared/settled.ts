/** A promise that has settled: what is passed to its `then` runs at the end of the turn. */
export const SETTLED = Promise.resolve();
