import type { Frame } from "../codec/index.ts";
import type { ByteBudget } from "../shared/byte-budget.ts";
import type { SessionId } from "../shared/ids.ts";
import type { Effect } from "./effects.ts";
import type { Engine } from "./engine.ts";
import type { EngineRequest } from "./request.ts";
import type { Session } from "./session.ts";
import type { CloseReason, SessionRules } from "./state.ts";

/** What of a session never changes. */
export interface SessionIdentity {
  readonly id: SessionId;
  readonly protocol: 3 | 4;
  readonly request: EngineRequest;
  readonly remoteAddress: string;
  readonly secure: boolean;
  readonly openedAt: number;
  /** JSON of what `handshakeData` gave; empty for nothing. */
  readonly data?: string;
}

/** The layer above a session: Socket.IO's client, or plain Engine.IO listeners. */
export interface SessionConsumer {
  /** One message of the client. Calls come in order. */
  message(data: string | Uint8Array): void;
  /** The session is over. Called once; the object stays awake for the promise. */
  closed(reason: CloseReason, description?: unknown): void | Promise<void>;
  /** What has to survive, as plain data that structured clone can hold. */
  record(): unknown;
  /** Something is under way that cannot be stored: a restart has to end the session. */
  isBusy(): boolean;
  /** What user code gets as the session's request: whatever it puts there is to be kept. Asked once, when it looks. */
  keepRequest?(request: EngineRequest): EngineRequest;
  /** Nobody has joined anything yet: `connectTimeout` counts. */
  isIdle?(): boolean;
  /** The session ends for holding too much: what of its client waits to be dealt with is dropped. */
  drop?(): void;
}

/** What of a session is not written down yet: frames that a poll may take before they have to be, its state, or all of it. */
export type Change = "queue" | "state" | "record";

/** Keeps messages of a packet whose rest has not come: over polling that may take any number of requests, and instances. */
export interface HalfPacket {
  /** Writes messages down behind those that are kept. */
  keepHalf(messages: readonly Frame[]): void;
  /** What is kept, oldest first; empty where nothing is. */
  readHalf(): readonly Frame[];
  /** The packet is complete, or given up. */
  dropHalf(): void;
}

/** The object that sessions live in. */
export interface SessionHost {
  readonly rules: SessionRules;
  readonly engine: Engine;
  readonly budget: ByteBudget;
  /** `check` throws an Error when the code that asks runs outside the instance to which `what` belongs. */
  readonly here: { check(what: string, nsp?: string): void };
  now(): number;
  isMuted(): boolean;
  /** A number that changes with every turn of the event loop. */
  turn(): number;
  /** Runs the user's setup and `connection` listeners for a session that another instance opened; abandons it if that fails. */
  resume(session: Session): void | Promise<void>;
  toBinary(bytes: Uint8Array): Uint8Array;
}

/** The platform below a session. */
export interface SessionLink extends HalfPacket {
  readonly host: SessionHost;
  /** The last pong the runtime answered for this session by itself, ms. */
  pongedAt(): number;
  carryOut(effect: PlatformEffect): void;
  /** Flush, and save what has changed, once, at the end of this turn. */
  touched(change: Change): void;
  keepAwake(promise: Promise<unknown>): void;
}

export type PlatformEffect = Exclude<Effect, { type: "message" | "report" | "save" | "queued" }>;
