import type { AsyncContext } from "../shared/mute.ts";
import type { Bind } from "../shared/timers.ts";

type AsyncContextClass = { new (): AsyncContext; readonly bind: Bind };

let found: AsyncContextClass | undefined;

/**
 * A bundler does not read this as the name of a module. If it did, wrangler would warn wherever the runtime has no such
 * module; a top-level await would keep the whole bundle from being wrapped in a function.
 */
const SPECIFIER = ["node", "async_hooks"].join(":");

// Settled before the first request. `process.getBuiltinModule` would do it at once, but the first look at
// `globalThis.process` loads all of Node's `process`, which takes milliseconds of every cold start.
import(SPECIFIER).then(
  ({ AsyncLocalStorage }) => {
    found = AsyncLocalStorage;
  },
  () => {
    // This runtime has no such module: muting ends at the first await.
  },
);

/**
 * `AsyncLocalStorage`, where the runtime has it: with compatibility dates from 2026-08-04, or with the flag
 * `nodejs_compat` or `nodejs_als`.
 */
export function findAsyncContext(): AsyncContextClass | undefined {
  return found;
}
