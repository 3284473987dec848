import { runSafely } from "../../shared/run-safely.ts";

export type Middleware<Subject> = (subject: Subject, next: (error?: unknown) => void) => unknown;

/**
 * Lets something pass middlewares, one after the other: `done` hears of the first error, or of none at the end. What is
 * thrown counts as the error that `onThrown` makes of it. One that never says `next` keeps everybody waiting.
 */
export function runMiddlewares<Subject>(
  list: readonly Middleware<Subject>[],
  subject: Subject,
  onThrown: (thrown: unknown) => unknown,
  done: (error?: unknown) => void,
): void {
  // Those that are added meanwhile are for the next one.
  const middlewares = list.slice();
  const run = (index: number) => {
    const middleware = middlewares[index];
    if (middleware === undefined) {
      done();
      return;
    }
    let isCalled = false;
    const next = (error?: unknown) => {
      if (isCalled) return;
      isCalled = true;
      if (error) done(error);
      else run(index + 1);
    };
    runSafely(
      () => middleware(subject, next),
      (thrown) => next(onThrown(thrown)),
    );
  };
  run(0);
}
