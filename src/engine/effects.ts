import type { EnginePacket, Frame } from "../codec/index.ts";
import type { CloseReason, EndCode } from "./end-codes.ts";
import type { SessionRules, SessionState } from "./state.ts";

/** What happened to a session. */
export type SessionEvent =
  | { readonly type: "packet"; readonly packet: EnginePacket; readonly now: number }
  | { readonly type: "candidate-packet"; readonly packet: EnginePacket }
  /**
   * `pongedAt`: when the runtime last answered a pong by itself, ms; 0 where it was not asked. `pingEach`: a ping is
   * written after this many bytes, to find out whether the client reads.
   */
  | {
      readonly type: "send";
      readonly frames: readonly Frame[];
      readonly now: number;
      readonly pongedAt: number;
      readonly pingEach: number;
    }
  | { readonly type: "drain"; readonly now: number; readonly pongedAt: number; readonly pingEach: number }
  | { readonly type: "flush"; readonly now: number }
  /** The queue was stored in rows, which takes this many bytes. */
  | { readonly type: "queue-stored"; readonly bytes: number }
  /** The oldest frames were taken out of rows, because a transport can send them. `left`: bytes that stay in rows. */
  | { readonly type: "queue-loaded"; readonly frames: readonly Frame[]; readonly left: number }
  | { readonly type: "poll"; readonly now: number; readonly limit: number }
  | { readonly type: "poll-gone"; readonly cause: "pinged" | "aborted" | "lost"; readonly now: number }
  | { readonly type: "release-poll" }
  | { readonly type: "candidate" }
  | { readonly type: "candidate-gone" }
  | { readonly type: "transport-gone"; readonly code: EndCode; readonly description?: unknown }
  | {
      readonly type: "close";
      readonly code: EndCode;
      readonly discard: boolean;
      readonly now: number;
      readonly description?: unknown;
    }
  /** `lateness`: how long the tick was overdue, ms. */
  | { readonly type: "tick"; readonly now: number; readonly pongedAt: number; readonly lateness: number };

/** What has to be done about an event, in order. */
export type Effect =
  /** Pass a message on to the server and the listeners. */
  | { readonly type: "message"; readonly data: string | Uint8Array }
  /**
   * Write frames to the session's WebSocket. `hasMore`: others follow for the same event, so nothing may be written in
   * between.
   */
  | { readonly type: "write"; readonly frames: readonly Frame[]; readonly hasMore?: boolean }
  /** Answer the waiting poll, which ends it. */
  | { readonly type: "answer"; readonly frames: readonly Frame[] }
  /** Answer the GET that was just received. */
  | { readonly type: "reply"; readonly frames: readonly Frame[] }
  /** Let the GET that was just received wait for packets. */
  | { readonly type: "park"; readonly poll: NonNullable<SessionState["poll"]>; readonly pingInMs: number }
  /** Refuse the request: the session is over, the client overlaps itself, or another upgrade is under way. */
  | { readonly type: "refuse" }
  /** Send a "release-poll" event in 100 ms. */
  | { readonly type: "release-later" }
  /** Send a "drain" event in 25 ms. */
  | { readonly type: "drain-later" }
  | { readonly type: "write-candidate"; readonly frame: Frame }
  | { readonly type: "drop-candidate" }
  /** The candidate is the session's transport from now on. */
  | { readonly type: "take-over" }
  | { readonly type: "close-socket"; readonly code?: number; readonly reason?: string }
  | { readonly type: "report"; readonly event: "heartbeat" | "upgrading" | "upgrade" | "drain" }
  /** What is stored of the session is out of date. */
  | { readonly type: "save" }
  /** Frames were queued. They are stored unless a poll takes them before the turn ends. */
  | { readonly type: "queued" }
  /** The session has ended: remove it, and tell the server and the listeners. Always the last effect. */
  | {
      readonly type: "closed";
      readonly code: EndCode;
      readonly reason: CloseReason;
      readonly description?: unknown;
    };

export type SessionEnd = Extract<Effect, { type: "closed" }>;

/** What a request of the client is answered with. */
export type PollAnswer = Extract<Effect, { type: "reply" | "park" | "refuse" }>;

/** Changes the state in place and returns what has to be done about it. */
export type Transition<E extends SessionEvent["type"]> = (
  state: SessionState,
  event: Extract<SessionEvent, { type: E }>,
  rules: SessionRules,
) => Effect[];

export const NOTHING: Effect[] = [];
export const SAVE: Effect = { type: "save" };
export const QUEUED: Effect = { type: "queued" };
export const DRAIN_LATER: Effect = { type: "drain-later" };

export const PING: Frame = "2";
export const CLOSE: Frame = "1";
export const NOOP: Frame = "6";
export const PROBE_ANSWER: Frame = "3probe";
