import type { AsyncContext } from "../shared/mute.ts";

/** `AsyncLocalStorage`, where the runtime has it (compatibility dates from 2026-08-04, or `nodejs_compat`). */
export function findAsyncContext(): AsyncContext | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const hooks = process?.getBuiltinModule?.("node:async_hooks") as
    | { AsyncLocalStorage?: new () => AsyncContext }
    | undefined;
  return hooks?.AsyncLocalStorage === undefined ? undefined : new hooks.AsyncLocalStorage();
}
