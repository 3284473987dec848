import type { Host } from "../host.ts";
import type { RecoveryRecord, RecoveryStore } from "./recovery-store.ts";

/** How soon a `disconnect` that is due is tried again while the setup function has not completed, ms. */
const WITHOUT_SETUP_MS = 60_000;

interface RecoveryExpiry {
  tick(now: number): void;
  /** When the next tick has something to do, ms; infinite when there is nothing. */
  nextTickAt(now: number): number;
}

/**
 * Ends the wait for clients that do not come back: at ticks, once their time is over. `expire` runs the `disconnect`
 * listeners of such a client, unless they have run.
 */
export function createExpiry(
  store: RecoveryStore,
  host: Host,
  expire: (record: RecoveryRecord) => Promise<void> | void,
): RecoveryExpiry {
  const isWaitingForSetup = () => !host.isSetUp && store.isAnybodyDue;
  const prune = (now: number) => {
    for (const record of store.prune(now, host.isSetUp)) {
      const done = expire(record);
      if (done !== undefined) host.keepAwake(done);
    }
  };
  return {
    tick(now) {
      prune(now);
      if (!isWaitingForSetup()) return;
      // A `disconnect` listener is due, and listeners exist only after setup.
      const done = host.ready().then(
        () => prune(host.now()),
        () => {
          // The failure was logged where it happened. The records stay, and a later tick tries again.
        },
      );
      host.keepAwake(done);
    },
    nextTickAt(now) {
      const next = store.nextPruneAt(now);
      return isWaitingForSetup() ? Math.max(next, now + WITHOUT_SETUP_MS) : next;
    },
  };
}
