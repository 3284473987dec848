import type { Session } from "./session.ts";
import type { SessionLink } from "./session-ports.ts";

type Action = () => void | Promise<void>;

/**
 * What has to reach the layer above in order. For a session that another instance opened, nothing does before the
 * user's code has been set up again.
 *
 * run ──► at once | waits for setup ──► released, in order
 */
export class ActionLine {
  readonly #session: Session;
  readonly #link: SessionLink;
  #isResumed: boolean;
  #held: Action[] | null = null;

  constructor(session: Session, link: SessionLink) {
    this.#session = session;
    this.#link = link;
    this.#isResumed = !session.recovered;
  }

  /** Something waits. */
  get isHolding(): boolean {
    return this.#held !== null;
  }

  /** Nothing has to wait, or ask for setup. */
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
    const resumed = this.#link.host.resume(this.#session);
    if (resumed === undefined) this.#release();
    else this.#link.keepAwake(resumed.then(() => this.#release()));
  }

  /** Setup has failed: what waits for it is dropped, and nothing more waits. */
  giveUp(): void {
    this.#isResumed = true;
    this.#held = null;
  }

  /** Drops what waits, but for the last `kept` actions. */
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
    if (done !== undefined) this.#link.keepAwake(done);
  }
}
