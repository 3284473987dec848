type SetTimer = (run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => unknown;

interface AsyncContext<Store> {
  run<R>(store: Store, fn: () => R): R;
  getStore(): Store | undefined;
}

/** A bundler does not recognise this as the name of a module, which some runtimes do not have. */
const SPECIFIER = ["node", "async_hooks"].join(":");

/** Records which timers an object has set that are still pending, if the runtime has `AsyncLocalStorage`. */
export class TimerWatch {
  #context: AsyncContext<Set<unknown>> | undefined;
  readonly #owners = new Map<unknown, Set<unknown>>();

  constructor() {
    import(SPECIFIER).then(
      ({ AsyncLocalStorage }) => {
        this.#context = new AsyncLocalStorage();
      },
      () => {
        // Without it no timers are known, and an eviction that waits for one is given up.
      },
    );
    const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
    Object.assign(globalThis, {
      setTimeout: this.#watched(setTimeout as SetTimer, true),
      setInterval: this.#watched(setInterval as SetTimer, false),
      clearTimeout: (timer: never) => {
        this.#forget(timer);
        clearTimeout(timer);
      },
      clearInterval: (timer: never) => {
        this.#forget(timer);
        clearInterval(timer);
      },
    });
  }

  /** Runs code, and records the timers that it sets, at any later time as well, in a set. */
  run<R>(timers: Set<unknown>, code: () => R): R {
    return this.#context === undefined ? code() : this.#context.run(timers, code);
  }

  #watched(set: SetTimer, isOnce: boolean): SetTimer {
    return (run, ms, ...args) => {
      const owner = this.#context?.getStore();
      if (owner === undefined) return set(run, ms, ...args);
      const timer = set(
        (...given) => {
          if (isOnce) this.#forget(timer);
          run(...given);
        },
        ms,
        ...args,
      );
      this.#owners.set(timer, owner);
      owner.add(timer);
      return timer;
    };
  }

  #forget(timer: unknown): void {
    this.#owners.get(timer)?.delete(timer);
    this.#owners.delete(timer);
  }
}
