import type { AsyncContext } from "../shared/mute.ts";
import type { Bind } from "../shared/timers.ts";

type AsyncContextClass = { new (): AsyncContext; readonly bind: Bind };

let found: AsyncContextClass | undefined;

/**
 * Written so that a bundler does not take it for the name of a module: wrangler would warn when the runtime has no such
 * module. A top-level await would keep the whole bundle from being wrapped in a function.
 */
const SPECIFIER = ["node", "async_hooks"].join(":");

// This settles before the first request. `process.getBuiltinModule` would be synchronous, but the first access to
// `globalThis.process` loads all of Node's `process`, which takes milliseconds of every cold start.
import(SPECIFIER).then(
  ({ AsyncLocalStorage }) => {
    found = AsyncLocalStorage;
  },
  () => {
    // Without the module, muting ends at the first await.
  },
);

/**
 * `AsyncLocalStorage`, where the runtime has it: with compatibility dates from 2026-08-04, or with the flag
 * `nodejs_compat` or `nodejs_als`.
 */
export function findAsyncContext(): AsyncContextClass | undefined {
  return found;
}
