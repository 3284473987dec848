import { isThenable } from "./event-emitter.ts";

/** Runs what may be user code, and passes what it throws or rejects with to `onError`. */
export function runSafely<T>(run: () => T, onError: (error: unknown) => void): T | undefined {
  try {
    const result = run();
    if (isThenable(result)) result.then(undefined, onError);
    return result;
  } catch (error) {
    onError(error);
    return undefined;
  }
}
