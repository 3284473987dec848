const SCHEDULE_KEY = "sio_schedule";
/** An alarm that is overdue by this much has been lost, ms. */
const LOST_AFTER_MS = 5_000;
/** The runtime sets no alarm after the year 2189, so what is due later is never due. */
const LATEST = 6.9e12;

/**
 * The object's one alarm, which the heartbeat and the user's schedule share. It is only set anew when it has to come
 * earlier, since that writes a row.
 *
 *   unknown (just woken) ─ look ─► none / at a time ─ runs ─► none
 */
export class Ticker {
  readonly #storage: DurableObjectStorage;
  readonly #longestMs: number;
  readonly #onError: (error: unknown) => void;
  /** When the alarm comes, ms; null for never, undefined when this instance has not read it yet. */
  #at: number | null | undefined;
  #looking: Promise<void> | undefined;
  #wanted = Infinity;

  /** `longestMs`: how far away an alarm for a session is at most. */
  constructor(storage: DurableObjectStorage, longestMs: number, onError: (error: unknown) => void) {
    this.#storage = storage;
    this.#longestMs = longestMs;
    this.#onError = onError;
  }

  /** Makes the alarm come at `time` (ms) or earlier. */
  ensureBy(time: number): void {
    if (!(Math.abs(time) < LATEST)) return;
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
   * Sets the alarm anew if it was lost: if it should have run long ago, or is too far away because the clock was set
   * back. Cheap enough for every event.
   */
  heal(now: number, next: () => number): void {
    if (this.#at === undefined) this.#looking ??= this.#look(() => this.#check(now, next));
    else if (this.#at !== null) this.#check(now, next);
  }

  /** The alarm has come. */
  ran(): void {
    this.#at = null;
  }

  get scheduledAt(): number | undefined {
    return this.#storage.kv.get<number>(SCHEDULE_KEY);
  }

  /** Stores the time of the user's own schedule; undefined removes it. */
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
      // An alarm that is running reads as none, so a value that was set meanwhile is kept.
      if (this.#at === undefined) this.#at = at;
    } catch (error) {
      this.#onError(error);
      this.#at = null;
    }
    const wanted = this.#wanted;
    this.#wanted = Infinity;
    this.#looking = undefined;
    if (wanted !== Infinity) this.ensureBy(wanted);
    check?.();
  }
}
