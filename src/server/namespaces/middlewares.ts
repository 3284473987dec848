import { runSafely } from "../../shared/run-safely.ts";

export type Middleware<Subject> = (subject: Subject, next: (error?: unknown) => void) => unknown;

/**
 * Runs middlewares one after the other. `done` gets the first error, or nothing when all have called `next`. What one
 * throws counts as the error that `onThrown` makes of it. While one does not call `next`, `done` is not called either.
 */
export function runMiddlewares<Subject>(
  list: readonly Middleware<Subject>[],
  subject: Subject,
  onThrown: (thrown: unknown) => unknown,
  done: (error?: unknown) => void,
): void {
  // Middlewares that are added meanwhile apply to the next subject.
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
