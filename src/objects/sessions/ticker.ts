const SCHEDULE_KEY = "sio_schedule";
/** An alarm that is overdue by this much has been lost. */
const LOST_AFTER_MS = 5_000;

/**
 * The object's one alarm, shared by the heartbeat and by the user's schedule. A row is written only when the alarm has
 * to come earlier than it would.
 *
 *   unknown (just woken) ─ look ─► none / at a time ─ runs ─► none
 */
export class Ticker {
  readonly #storage: DurableObjectStorage;
  readonly #longestMs: number;
  readonly #onError: (error: unknown) => void;
  /** Undefined: this instance has not looked yet. */
  #at: number | null | undefined;
  #looking: Promise<void> | undefined;
  #wanted = Number.POSITIVE_INFINITY;

  /** `longestMs`: no alarm for a session is farther away than this. */
  constructor(storage: DurableObjectStorage, longestMs: number, onError: (error: unknown) => void) {
    this.#storage = storage;
    this.#longestMs = longestMs;
    this.#onError = onError;
  }

  /** Sees to it that the alarm comes at `time` (ms) or earlier. */
  ensureBy(time: number): void {
    if (!Number.isFinite(time)) return;
    if (this.#at === undefined) {
      this.#wanted = Math.min(this.#wanted, time);
      this.#looking ??= this.#look();
      return;
    }
    if (this.#at !== null && this.#at <= time) return;
    this.#at = time;
    this.#storage.setAlarm(time).catch(this.#onError);
  }

  /**
   * Notices a lost alarm: one that should have run long ago, or, after the clock was set back, one that is too far
   * away. Cheap enough for every event.
   */
  heal(now: number, next: () => number): void {
    if (this.#at === undefined) this.#looking ??= this.#look(() => this.#check(now, next));
    else if (this.#at !== null) this.#check(now, next);
  }

  /** The alarm has gone off. */
  ran(): void {
    this.#at = null;
  }

  get scheduledAt(): number | undefined {
    return this.#storage.kv.get<number>(SCHEDULE_KEY);
  }

  /** Keeps the time of the user's own schedule; undefined removes it. */
  schedule(time: number | undefined): void {
    if (time === undefined) {
      this.#storage.kv.delete(SCHEDULE_KEY);
      return;
    }
    this.#storage.kv.put(SCHEDULE_KEY, time);
    this.ensureBy(time);
  }

  #check(now: number, next: () => number): void {
    const at = this.#at ?? 0;
    if (at + LOST_AFTER_MS < now) this.#at = null;
    else if (at <= now + this.#longestMs) return;
    this.ensureBy(next());
  }

  async #look(check?: () => void): Promise<void> {
    try {
      const at = await this.#storage.getAlarm();
      // An alarm that runs now reads as none, and what ran meanwhile knows better.
      if (this.#at === undefined) this.#at = at;
    } catch (error) {
      this.#onError(error);
      this.#at = null;
    }
    const wanted = this.#wanted;
    this.#wanted = Number.POSITIVE_INFINITY;
    this.#looking = undefined;
    if (wanted !== Number.POSITIVE_INFINITY) this.ensureBy(wanted);
    check?.();
  }
}
