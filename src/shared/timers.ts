/** Runs a function later in the async context that it is handed over in. */
export type Bind = (fn: () => void) => () => void;

export interface Timer {
  readonly dueAt: number;
  readonly ms: number;
  readonly run: () => void;
}

/** What the runtime takes for a delay. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * The timers of one object. However many wait, one of the runtime's is pending: of those there are 10,000 for each
 * object. None is pending when nothing waits, since a pending timer keeps the object awake.
 *
 * Timers of the same length wait in one list: who came first is due first, so that only the heads are compared.
 */
export class Timers {
  readonly #bind: Bind;
  readonly #lists = new Map<number, Set<Timer>>();
  #pending: Parameters<typeof clearTimeout>[0];
  /** When the pending one goes off. */
  #firesAt = Number.POSITIVE_INFINITY;
  #latest = 0;
  #clock = 0;
  /** By how much the clock was set back so far. */
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

  /** False: it has run, or was cleared before. */
  clear(timer: Timer | undefined): boolean {
    const list = timer && this.#lists.get(timer.ms);
    if (!list?.delete(timer as Timer)) return false;
    if (list.size === 0) this.#lists.delete((timer as Timer).ms);
    if (this.#lists.size === 0) this.#arm(Number.POSITIVE_INFINITY);
    return true;
  }

  /** Never goes back, and goes on at once where the clock does: nothing that is set then may be due early. */
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
    if (at === Number.POSITIVE_INFINITY) return;
    this.#firesAt = Math.min(at, this.#latest + LONGEST_MS);
    this.#pending = setTimeout(() => this.#fire(), this.#firesAt - this.#latest);
  }

  #fire(): void {
    // The runtime rounds: what it was asked for has come, whatever the clock says.
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
    this.#firesAt = Number.POSITIVE_INFINITY;
    try {
      for (const timer of due) if (this.clear(timer)) timer.run();
    } finally {
      let next = Number.POSITIVE_INFINITY;
      for (const [head] of this.#lists.values()) next = Math.min(next, (head as Timer).dueAt);
      if (next < this.#firesAt) this.#arm(next);
    }
  }
}
