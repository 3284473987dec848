/** Binds a function to the current async context. */
export type Bind = (fn: () => void) => () => void;

export interface Timer {
  readonly dueAt: number;
  readonly ms: number;
  readonly run: () => void;
}

/** The longest delay that the runtime accepts, ms. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * The timers of one object. However many wait, only one timer of the runtime is pending, since an object may have
 * 10,000 of those. None is pending when nothing waits, since a pending timer keeps the object in memory.
 *
 * Timers of the same length wait in one list, in the order in which they are due, so that only the heads are compared.
 */
export class Timers {
  readonly #bind: Bind;
  readonly #lists = new Map<number, Set<Timer>>();
  #pending: Parameters<typeof clearTimeout>[0];
  /** When the pending timer of the runtime fires, ms. */
  #firesAt = Infinity;
  #latest = 0;
  #clock = 0;
  /** How far the clock has been set back so far, ms. */
  #setBack = 0;

  constructor(bind: Bind = (fn) => fn) {
    this.#bind = bind;
  }

  get isWaiting(): boolean {
    return this.#lists.size > 0;
  }

  set(run: () => void, delay: number | undefined): Timer {
    const ms = Math.max(0, Number(delay) || 0);
    const timer: Timer = { dueAt: this.#now() + ms, ms, run: this.#bind(run) };
    const list = this.#lists.get(ms);
    if (list === undefined) this.#lists.set(ms, new Set([timer]));
    else list.add(timer);
    if (timer.dueAt < this.#firesAt) this.#arm(timer.dueAt);
    return timer;
  }

  /** Returns false when the timer has run or was cleared before. */
  clear(timer: Timer | undefined): boolean {
    const list = timer && this.#lists.get(timer.ms);
    if (!list?.delete(timer as Timer)) return false;
    if (list.size === 0) this.#lists.delete((timer as Timer).ms);
    if (this.#lists.size === 0) this.#arm(Infinity);
    return true;
  }

  /**
   * The current time, which never goes back. When the clock is set back, it continues from the last value, so that no
   * later timer fires early.
   */
  #now(): number {
    const clock = Date.now();
    this.#setBack += Math.max(0, this.#clock - clock);
    this.#clock = clock;
    this.#latest = Math.max(this.#latest, clock + this.#setBack);
    return this.#latest;
  }

  #arm(at: number): void {
    clearTimeout(this.#pending);
    this.#firesAt = at;
    if (at === Infinity) return;
    this.#firesAt = Math.min(at, this.#latest + LONGEST_MS);
    this.#pending = setTimeout(() => this.#fire(), this.#firesAt - this.#latest);
  }

  #fire(): void {
    // The runtime rounds delays: the time that it was asked for has come, even if the clock says otherwise.
    this.#latest = Math.max(this.#latest, this.#firesAt);
    const now = this.#now();
    const due: Timer[] = [];
    for (const list of this.#lists.values()) {
      for (const timer of list) {
        if (timer.dueAt > now) break;
        due.push(timer);
      }
    }
    due.sort((a, b) => a.dueAt - b.dueAt);
    this.#firesAt = Infinity;
    try {
      for (const timer of due) if (this.clear(timer)) timer.run();
    } finally {
      let next = Infinity;
      for (const [head] of this.#lists.values()) next = Math.min(next, (head as Timer).dueAt);
      if (next < this.#firesAt) this.#arm(next);
    }
  }
}

export function pause(timers: Timers, ms: number): Promise<void> {
  return new Promise((resolve) => void timers.set(resolve, ms));
}

/** Waits for a promise until `ms` are over; then the result is what `late` returns or throws. */
export async function inTime<T, Late>(
  timers: Timers,
  ms: number,
  promise: PromiseLike<T>,
  late: () => Late,
): Promise<T | Late> {
  let timer: Timer | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = timers.set(resolve, ms);
  });
  try {
    return await Promise.race([promise, timeout.then(late)]);
  } finally {
    timers.clear(timer);
  }
}
