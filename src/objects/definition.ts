import type { Frame } from "../codec/index.ts";
import type { Engine, SessionLayer } from "../engine/engine.ts";
import type { ResolvedEngineOptions } from "../engine/options.ts";
import type { Session } from "../engine/session.ts";
import type { ByteBudget } from "../shared/byte-budget.ts";
import type { SessionId } from "../shared/ids.ts";
import type { Mute } from "../shared/mute.ts";
import type { Timers } from "../shared/timers.ts";
import type { RecoveryLog } from "./recovery/recovery-log.ts";

/** What the object offers to the layer above the sessions. */
export interface LayerHost {
  readonly ctx: DurableObjectState;
  readonly engine: Engine;
  readonly mute: Mute;
  readonly timers: Timers;
  readonly budget: ByteBudget;
  readonly hibernation: boolean;
  readonly isFirstRun: boolean;
  /** The setup function has run in this instance. */
  readonly isSetUp: boolean;
  now(): number;
  log(level: "warn" | "error", message: string, error?: unknown): void;
  keepAwake(promise: Promise<unknown>): void;
  /** @throws Error when the code that asks runs outside the instance to which `what` belongs */
  checkHere(what: string, nsp?: string): void;
  /** Rejects when the setup function fails. */
  ready(): Promise<void>;
  /** Shows what is stored of each session that is not in memory; `visit` must bring none there; false ends the session later. */
  visitSleeping(visit: (sid: SessionId, stored: unknown) => boolean): void;
  session(sid: SessionId): Session | undefined;
  /** Sends to a session that is not in memory, and leaves it there. False: it has to be brought into memory. */
  sendAsleep(sid: SessionId, frames: readonly Frame[], isVolatile: boolean): boolean;
  /** A session that is over, for the last words of a socket whose own one a restart swallowed. */
  ghost(sid: SessionId, handshakeData: unknown): Session;
  toBinary(bytes: Uint8Array): Uint8Array;
  /** First of 1,000 ids for acknowledgements of a namespace that nobody has used: one row. */
  nextAckBlock(nsp: string): number;
  /** Storage for connection state recovery. */
  recovery(windowMs: number, maxBytes: number): RecoveryLog;
}

/** The layer above the sessions: a Socket.IO server, or bare Engine.IO. */
export interface ObjectLayer<Api> extends SessionLayer {
  /** What user code gets: `io`, or the engine. */
  readonly api: Api;
  /** `connectTimeout`, ms; a session that has joined nothing by then is closed. Undefined: none. */
  readonly connectTimeout: number | undefined;
  /** A method of the object's class has settled: it may have changed what it was given unseen. */
  onSettled?(): void;
  /** Something to look after once in a while, at a tick. */
  tick?(now: number): void;
  /** When there is something to look after, ms; infinite when there is nothing. */
  nextTickAt?(now: number): number;
}

/** What `defineServer` and `defineEngine` make an object class from. */
export interface ObjectDefinition<Api> {
  readonly engine: ResolvedEngineOptions;
  /** The option `handshakeData` is given: no session may be without what it found out. */
  readonly needsHandshakeData: boolean;
  createLayer(host: LayerHost): ObjectLayer<Api>;
  /** The user's function. */
  setup(api: Api, context: { env: Cloudflare.Env; ctx: DurableObjectState }): unknown;
}
