import type { Frame } from "../codec/index.ts";
import type { Engine } from "../engine/engine.ts";
import type { Session } from "../engine/session.ts";
import type { ByteBudget } from "../shared/byte-budget.ts";
import type { SessionId } from "../shared/ids.ts";
import type { Mute } from "../shared/mute.ts";
import type { Timers } from "../shared/timers.ts";
import type { RecoveryStore } from "./recovery/recovery-store.ts";

/** What the server needs of the object that it lives in. */
export interface ServerHost {
  readonly engine: Engine;
  readonly mute: Mute;
  readonly timers: Timers;
  readonly budget: ByteBudget;
  /** `false`: nothing is stored or replayed. */
  readonly hibernation: boolean;
  /** No instance of this object has run before. Asked for when something depends on it, not before setup. */
  readonly isFirstRun: boolean;
  /** The user's setup function has run, and settled. */
  readonly isSetUp: boolean;
  /** Connection state recovery's storage; there only when the option is on. */
  readonly recovery?: RecoveryStore;
  now(): number;
  log(level: "warn" | "error", message: string, error?: unknown): void;
  keepAwake(promise: Promise<unknown>): void;
  /** @throws Error when the code that asks runs outside the instance to which `what` belongs */
  checkHere(what: string, nsp?: string): void;
  /** Runs the setup function unless it has run. Rejects when it fails: then nobody is to be served. */
  ready(): void | Promise<void>;
  /**
   * Shows the sessions that are stored and not in memory, to build membership from; `visit` must bring none there.
   * What it answers: false ends the session when there is time for it, since nothing is held of it.
   * `stored` is what `SessionConsumer.record` gave when it was last saved, read for this call: what is kept of it lives on.
   */
  visitSleeping(visit: (sid: SessionId, stored: unknown) => boolean): void;
  /** Sends to a session that is not in memory, and leaves it there. False: it has to be brought into memory. */
  sendAsleep(sid: SessionId, frames: readonly Frame[], isVolatile: boolean): boolean;
  /** A session of this object, brought into memory if need be; undefined when it is gone. */
  session(sid: SessionId): Session | undefined;
  /** A session that is over, for the last words of a socket whose own one a restart swallowed. */
  ghost?(sid: SessionId, handshakeData: unknown): Session;
  /**
   * First of 1,000 acknowledgement ids of a namespace that nobody has used. The ids 0 to 999 belong to the object's
   * first instance, which asks for a block only when it has used them up.
   */
  nextAckBlock(nsp: string): number;
  /** A `Buffer` where there is one. */
  toBinary(bytes: Uint8Array): Uint8Array;
}
