import type { Frame } from "../codec/index.ts";
import type { Engine } from "../engine/engine.ts";
import type { Session } from "../engine/session.ts";
import type { SessionHost } from "../engine/session-ports.ts";
import type { SessionId } from "../shared/ids.ts";
import type { Timers } from "../shared/timers.ts";
import type { Mesh, MeshServer } from "./cluster/mesh.ts";
import type { DataRows } from "./data/data-rows.ts";
import type { RecoveryStore } from "./recovery/recovery-store.ts";

/** The object that a server and its sessions live in. The one port between them and the platform. */
export interface Host extends SessionHost<Session> {
  readonly engine: Engine;
  readonly timers: Timers;
  /** `false`: nothing is stored or replayed. */
  readonly hibernation: boolean;
  /** Whether no setup function has completed in this object before. Known from the moment the setup function runs. */
  readonly isFirstRun: boolean;
  /** Whether the user's setup function has completed in this instance. */
  readonly isSetUp: boolean;
  log(level: "warn" | "error", message: string, error?: unknown): void;
  /** Keeps the object in memory until the promise settles. A rejection is logged. */
  keepAwake(promise: Promise<unknown>): void;
  /** Runs the setup function unless it has run. Rejects when it fails: nobody may be served then. */
  ready(): Promise<void>;
  /**
   * Shows the sessions that are stored and not in memory, to build the rooms from; `visit` must load none of them. When
   * it returns false, the session is closed later, because nothing is known of it. `stored` is what
   * `SessionConsumer.record` returned when the session was last saved. It was read for this call alone, so `visit` may
   * keep it.
   */
  visitSleeping(visit: (sid: SessionId, stored: unknown) => boolean): void;
  /** Sends to a session that is not in memory without loading it. Returns false if it has to be loaded for that. */
  sendAsleep(sid: SessionId, frames: readonly Frame[], isVolatile: boolean): boolean;
  /** A session of this object, loaded if necessary; undefined when it does not exist any more. */
  session(sid: SessionId): Session | undefined;
  /** A session that has ended, to run the `disconnect` listeners of a socket whose session a restart has ended. */
  endedSession(sid: SessionId, handshakeData: unknown): Session;
  /**
   * Reserves 1,000 acknowledgement ids of a namespace and returns the first. The ids 0 to 999 belong to the object's
   * first instance, which reserves a block only when it has used them up.
   */
  nextAckBlock(nsp: string): number;
  /** Where `io.data` is stored, also when `hibernation` is false. */
  readonly dataRows: DataRows;
  /** This turn will write to {@link dataRows}: what is sent from now on waits until that is stored. */
  willWrite(): void;
  /** Has a tick come at this moment, or earlier, ms. */
  tickBy(time: number): void;
  /** The server's other objects, where it has any. */
  readonly mesh?: Mesh | undefined;
  /** This is what carries out from now on what other objects of the server say. */
  serveMesh?(server: MeshServer): void;
  /** Opens the storage of connection state recovery. Later calls return the same. */
  openRecovery(windowMs: number, maxBytes: number): RecoveryStore;
}
