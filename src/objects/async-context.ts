import type { AsyncContext } from "../shared/mute.ts";
import type { Bind } from "../shared/timers.ts";

type AsyncContextClass = { new (): AsyncContext; readonly bind: Bind };

/** `AsyncLocalStorage`, where the runtime has it (compatibility dates from 2026-08-04, or `nodejs_compat`). */
export function findAsyncContext(): AsyncContextClass | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const hooks = process?.getBuiltinModule?.("node:async_hooks") as
    | { AsyncLocalStorage?: AsyncContextClass }
    | undefined;
  return hooks?.AsyncLocalStorage;
}
