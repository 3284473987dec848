import { isThenable } from "./event-emitter.ts";
import { type Timer, Timers } from "./timers.ts";

/** What `AsyncLocalStorage` offers, where the runtime has it. */
export interface AsyncContext {
  run<T>(store: unknown, fn: () => T): T;
  getStore(): unknown;
}

/** One muted run. It is switched off as the run ends, so what it left behind (timers, listeners) is heard. */
interface MutedRun {
  isOn: boolean;
}

/**
 * Knows whether the code that asks runs as a replay: what it does to the outside happened the first time already.
 *
 * run(fn) --> on --> fn settles, or its time is over --> off, for ever
 *
 * With an async context it holds across `await`; without one only for the synchronous part.
 */
export class Mute {
  readonly #context: AsyncContext | undefined;
  readonly #timers: Timers;
  #current: MutedRun | undefined;
  #running = 0;

  constructor(context?: AsyncContext, timers = new Timers()) {
    this.#context = context;
    this.#timers = timers;
  }

  get active(): boolean {
    if (this.#running === 0) return false;
    const run =
      this.#context === undefined ? this.#current : (this.#context.getStore() as MutedRun | undefined);
    return run?.isOn === true;
  }

  /** Runs `fn` muted. When it takes longer than `limitMs`, the answer is undefined and `fn` goes on unmuted. */
  run<T>(fn: () => T | Promise<T>, limitMs: number): T | Promise<T | undefined> {
    const run: MutedRun = { isOn: true };
    this.#running++;
    let result: T | Promise<T>;
    try {
      result = this.#enter(run, fn);
    } catch (error) {
      this.#end(run);
      throw error;
    }
    if (!isThenable(result)) {
      this.#end(run);
      return result;
    }
    return this.#settle(run, result, limitMs);
  }

  /**
   * Runs `fn` heard, also within a muted run: for what happens now for the first time, though a replay brought it
   * about.
   */
  lift<T>(fn: () => T): T {
    return this.#running === 0 ? fn() : this.#enter(undefined, fn);
  }

  #enter<T>(run: MutedRun | undefined, fn: () => T): T {
    if (this.#context !== undefined) return this.#context.run(run, fn);
    const outer = this.#current;
    this.#current = run;
    try {
      return fn();
    } finally {
      this.#current = outer;
    }
  }

  async #settle<T>(run: MutedRun, result: Promise<T>, limitMs: number): Promise<T | undefined> {
    let timer: Timer | undefined;
    const limit = new Promise<undefined>((resolve) => {
      timer = this.#timers.set(() => resolve(undefined), limitMs);
    });
    try {
      return await Promise.race([result, limit]);
    } finally {
      this.#timers.clear(timer);
      this.#end(run);
    }
  }

  #end(run: MutedRun): void {
    run.isOn = false;
    this.#running--;
  }
}

/** For code whose time is over: whatever it does, nobody hears of it. */
export class Silence extends Mute {
  override get active(): boolean {
    return true;
  }
}
