import type { Host } from "../host.ts";
import type { RecoveryRecord, RecoveryStore } from "./recovery-store.ts";

/** How soon a `disconnect` that is due is tried again while the setup function has not completed, ms. */
const WITHOUT_SETUP_MS = 60_000;

/** Ends the wait for clients that do not come back: at ticks, once their time is over. */
export class RecoveryExpiry {
  readonly #store: RecoveryStore;
  readonly #host: Host;
  readonly #expire: (record: RecoveryRecord) => Promise<void> | void;

  /** `expire` runs the `disconnect` listeners of a client whose time is over, unless they have run. */
  constructor(store: RecoveryStore, host: Host, expire: (record: RecoveryRecord) => Promise<void> | void) {
    this.#store = store;
    this.#host = host;
    this.#expire = expire;
  }

  tick(now: number): void {
    this.#prune(now);
    if (!this.#isWaitingForSetup) return;
    // A `disconnect` listener is due, and listeners exist only after setup.
    const done = this.#host.ready().then(
      () => this.#prune(this.#host.now()),
      () => {
        // The failure was logged where it happened. The records stay, and a later tick tries again.
      },
    );
    this.#host.keepAwake(done);
  }

  /** When the next tick has something to do, ms; infinite when there is nothing. */
  nextTickAt(now: number): number {
    const next = this.#store.nextPruneAt(now);
    return this.#isWaitingForSetup ? Math.max(next, now + WITHOUT_SETUP_MS) : next;
  }

  #prune(now: number): void {
    for (const record of this.#store.prune(now, this.#host.isSetUp)) {
      const done = this.#expire(record);
      if (done !== undefined) this.#host.keepAwake(done);
    }
  }

  get #isWaitingForSetup(): boolean {
    return !this.#host.isSetUp && this.#store.isAnybodyDue;
  }
}
