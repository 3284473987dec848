import { isThenable } from "./event-emitter.ts";
import { inTime, Timers } from "./timers.ts";

/** The part of `AsyncLocalStorage` that is used here. */
export interface AsyncContext {
  run<T>(store: unknown, fn: () => T): T;
  getStore(): unknown;
}

/**
 * One muted run. It is switched off when the run ends, so timers and listeners that it has left behind are not muted.
 */
interface MutedRun {
  isOn: boolean;
}

/**
 * Knows whether the calling code runs as a replay. What a replay sends or joins is skipped, since it happened the first
 * time.
 *
 * run(fn) --> on --> fn settles, or its time is over --> off, for ever
 *
 * With an async context, muting lasts across `await`; without one it covers only the synchronous part.
 */
export class Mute {
  readonly #context: AsyncContext | undefined;
  readonly #timers: Timers;
  #current: MutedRun | undefined;
  #running = 0;
  #isSilent = false;

  constructor(context?: AsyncContext, timers = new Timers()) {
    this.#context = context;
    this.#timers = timers;
  }

  get active(): boolean {
    if (this.#running === 0) return this.#isSilent;
    const run =
      this.#context === undefined ? this.#current : (this.#context.getStore() as MutedRun | undefined);
    return this.#isSilent || run?.isOn === true;
  }

  /** Mutes everything from now on: the attempt at setup has failed that the code belongs to. */
  silence(): void {
    this.#isSilent = true;
  }

  /** Runs `fn` muted. When it takes longer than `limitMs`, the result is undefined and `fn` goes on unmuted. */
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
   * Runs `fn` unmuted, also within a muted run: for what happens for the first time now, although a replay has caused
   * it.
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
    try {
      return await inTime(this.#timers, limitMs, result, () => undefined);
    } finally {
      this.#end(run);
    }
  }

  #end(run: MutedRun): void {
    run.isOn = false;
    this.#running--;
  }
}
