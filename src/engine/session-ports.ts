import type { EnginePacket, Frame } from "../codec/index.ts";
import type { ByteBudget } from "../shared/byte-budget.ts";
import type { OnListenerError } from "../shared/event-emitter.ts";
import type { Mute } from "../shared/mute.ts";
import type { Effect, PollAnswer } from "./effects.ts";
import type { CloseReason } from "./end-codes.ts";
import type { ObservedFact } from "./observed.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import type { EngineRequest } from "./request.ts";
import type { SessionRules } from "./state.ts";

/** What receives the messages of a session: the client object of Socket.IO. Bare Engine.IO has none. */
export interface SessionConsumer {
  /** Receives one message of the client. Calls come in order. */
  message(data: string | Uint8Array): void;
  /** The session is over. Called once; the object stays in memory until the promise settles. */
  closed(reason: CloseReason, description?: unknown): void | Promise<void>;
  /** What has to survive hibernation, as plain data that structured clone accepts. */
  record(): unknown;
  /** Whether something is under way that cannot be stored, so that a restart has to end the session. */
  isBusy(): boolean;
  /**
   * Wraps the request before user code sees it, so that what user code puts there is stored. Called once, when user
   * code first reads the request.
   */
  keepRequest?(request: EngineRequest): EngineRequest;
  /** Whether no namespace has been joined yet, so that `connectTimeout` applies. */
  isIdle?(): boolean;
  /** Discards the client's packets that wait to be handled, because the session ends for holding too much memory. */
  drop?(): void;
}

/**
 * What has changed since the session was last saved: frames that a poll may take before they have to be written, its
 * state, or everything.
 */
export type Change = "queue" | "state" | "record";

/**
 * Stores the messages of a packet that has not arrived completely. Over polling the rest may take any number of
 * requests and object instances.
 */
export interface HalfPacket {
  /** Appends messages to those that are stored. */
  keepHalf(messages: readonly Frame[]): void;
  /** The stored messages, oldest first; empty when there are none. */
  readHalf(): readonly Frame[];
  /** Removes the messages, because the packet is complete or was given up. */
  dropHalf(): void;
}

/** The Engine.IO server as its sessions know it. `S` is the session: this file imports no class that uses it. */
export interface SessionServer<S> {
  readonly opts: ResolvedEngineOptions;
  readonly clientsCount: number;
  /** @internal */
  readonly onListenerError: OnListenerError;
  listenerCount(event: "flush" | "drain"): number;
  emit(event: "flush", session: S, packets: readonly EnginePacket[]): boolean;
  emit(event: "drain", session: S): boolean;
}

/** The part of an object's host that its sessions need. */
export interface SessionHost<S> {
  readonly rules: SessionRules;
  readonly engine: SessionServer<S>;
  readonly budget: ByteBudget;
  readonly mute: Mute;
  /** Tells the option `observe`; undefined without it. */
  readonly observe?: ((fact: ObservedFact) => void) | undefined;
  /** The current time, ms. */
  now(): number;
  /** A number that changes with every turn of the event loop. */
  turn(): number;
  /**
   * Checks that the calling code runs in the object instance that `what` (of namespace `nsp`) belongs to.
   * @throws Error otherwise
   */
  checkInstance(what: string, nsp?: string): void;
  /**
   * Runs the user's setup function and `connection` listeners for a session that an earlier instance opened. The
   * session is abandoned when they fail.
   */
  resume(session: S): void | Promise<void>;
  /** Returns the bytes as a `Buffer` where the runtime has that class. */
  toBinary(bytes: Uint8Array): Uint8Array;
}

/** What belongs to one session alone: its sockets, its waiting poll and its place in storage. */
export interface SessionLink extends HalfPacket {
  /** When the runtime last answered a pong of this session by itself, ms. */
  pongedAt(): number;
  carryOut(effect: PlatformEffect): void;
  /** Answers the waiting poll and saves what has changed, once, at the end of this turn. */
  saveLater(change: Change): void;
  /** Keeps the object in memory until the promise settles. */
  keepAwake(promise: Promise<unknown>): void;
}

export type PlatformEffect = Exclude<Effect, PollAnswer | { type: "message" | "report" | "save" | "queued" }>;
