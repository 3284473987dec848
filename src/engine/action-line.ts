type Action = () => void | Promise<void>;

/**
 * Passes what happens to a session on to its listeners, in order. For a session that an earlier instance opened,
 * actions wait until the user's code has been set up again.
 *
 * run ──► at once | waits for setup ──► released, in order
 */
export class ActionLine {
  readonly #resume: () => void | Promise<void>;
  readonly #keepAwake: (promise: Promise<unknown>) => void;
  #isResumed: boolean;
  #held: Action[] | null = null;

  /** `resume` sets the user's code up; it is called once, when the first action needs it. */
  constructor(
    isResumed: boolean,
    resume: () => void | Promise<void>,
    keepAwake: (promise: Promise<unknown>) => void,
  ) {
    this.#isResumed = isResumed;
    this.#resume = resume;
    this.#keepAwake = keepAwake;
  }

  /** Whether actions are waiting. */
  get isHolding(): boolean {
    return this.#held !== null;
  }

  /** Whether an action would run at once. */
  get isFree(): boolean {
    return this.#isResumed && this.#held === null;
  }

  run(action: Action): void {
    if (this.#held !== null) {
      this.#held.push(action);
      return;
    }
    if (this.#isResumed) {
      this.#perform(action);
      return;
    }
    this.#isResumed = true;
    this.#held = [action];
    const resumed = this.#resume();
    if (resumed === undefined) this.#release();
    else this.#keepAwake(resumed.then(() => this.#release()));
  }

  /** Setup has failed: discards the waiting actions, and lets later ones run at once. */
  giveUp(): void {
    this.#isResumed = true;
    this.#held = null;
  }

  /** Discards the waiting actions, except for the last `kept` of them. */
  drop(kept: number): void {
    if (this.#held !== null) this.#held = this.#held.slice(this.#held.length - kept);
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const action of held) this.#perform(action);
  }

  #perform(action: Action): void {
    const done = action();
    if (done !== undefined) this.#keepAwake(done);
  }
}
