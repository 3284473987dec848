/** Values that are compared with what they were. */
interface Comparable {
  /** Looks for changes. */
  compare(): void;
  /** No code is at work any more that could change the values unseen. */
  release(): void;
}

/**
 * Trackers with values that changed hands without a proxy (a `Map`, bytes, what a method returned), so that changes of
 * them are only found by comparison:
 *
 *   escaped ──► compared whenever a handler settles ──► all handlers have settled: compared a last time, and released
 */
export class EscapedValues {
  /** Trackers of values that escaped since the last comparison. */
  readonly #recent = new Set<Comparable>();
  /** Trackers of values that escaped while other handlers were at work, which may still hold them. */
  readonly #held = new Set<Comparable>();
  /** Values to which user code has a reference for good. */
  readonly #always = new Set<Comparable>();
  #handlers = 0;

  get isEmpty(): boolean {
    return this.#recent.size === 0 && this.#always.size === 0;
  }

  /** Whether handlers that await something are at work, which may hold what they were given, or what they assigned. */
  get isHeld(): boolean {
    return this.#handlers > 0;
  }

  add(tracker: Comparable): void {
    this.#recent.add(tracker);
  }

  /** Has the values compared whenever code of the user has settled. */
  addForGood(tracker: Comparable): void {
    this.#always.add(tracker);
  }

  /** The owner of the values is gone. */
  forget(tracker: Comparable | undefined): void {
    if (tracker === undefined) return;
    this.#recent.delete(tracker);
    this.#held.delete(tracker);
    this.#always.delete(tracker);
  }

  /** A handler that awaits something begins: it may hold what it was given until it ends. */
  handlerStarted(): void {
    this.#handlers++;
  }

  handlerEnded(): void {
    this.#handlers--;
  }

  /** Looks for changes. Called when code of the user has settled. */
  compare(): void {
    for (const tracker of this.#always) tracker.compare();
    for (const tracker of this.#recent) {
      tracker.compare();
      if (this.#handlers > 0) this.#held.add(tracker);
      else tracker.release();
    }
    this.#recent.clear();
    if (this.#handlers > 0 || this.#held.size === 0) return;
    for (const tracker of this.#held) {
      tracker.compare();
      tracker.release();
    }
    this.#held.clear();
  }
}
