import type { Frame } from "../codec/index.ts";

/** Why a session ended, in the words of engine.io. */
export type CloseReason =
  | "transport close"
  | "transport error"
  | "ping timeout"
  | "parse error"
  | "forced close";

export type TransportName = "polling" | "websocket";

/** A GET that waits for packets. It waits in the Worker; here is only what its answer depends on. */
export interface WaitingPoll {
  /** When a ping is due, in ms: an answer after that moment begins with one. */
  readonly pingDueAt: number;
  /** How many packets its client takes in one payload. */
  readonly limit: number;
  /** When a client that pings by itself did so last, ms. */
  readonly pongedAt?: number;
}

/**
 * One Engine.IO connection as plain data: everything a session is, apart from the sockets that carry it.
 *
 * ```
 *  polling ── GET waits / is answered ──┐
 *    │ candidate: none → attached → probing ("2probe"/"3probe")
 *    │                      └── "5" ──► websocket
 *  open ──► closing (the client has to take what waits for it, over polling its "1" too) ──► closed
 * ```
 */
export interface SessionState {
  /** Clients of Engine.IO v3 ping, and the server answers. */
  readonly protocol: 3 | 4;
  phase: "open" | "closing" | "closed";
  transport: TransportName;
  /** A WebSocket that wants to take over a polling session. Lives in memory: a restart ends it. */
  candidate: "none" | "attached" | "probing";
  /** The GET that waits, if there is one. Lives with the channel that carries it. */
  poll: WaitingPoll | null;
  /**
   * Frames that no transport has taken yet, oldest first; those that are written down lie in rows, and come before
   * them.
   */
  queue: Frame[];
  /** Bytes in rows. They lie there while nobody asks for them. */
  storedBytes: number;
  /** Bytes in `queue` and in rows. */
  queuedBytes: number;
  readonly openedAt: number;
  /** When the last ping went out, ms; 0 when this instance does not know. */
  pingedAt: number;
  /**
   * When the last sign of life came in, ms: a pong (the runtime knows of later ones, which it answered itself), or a
   * ping of a v3 client. 0 when this instance does not know.
   */
  pongedAt: number;
  /** When a request, or over WebSocket a message, was last seen, ms; 0 when this instance does not know. */
  seenAt: number;
  /** Polling: the tick that first found nobody asking, ms; 0 when somebody is. */
  absentSince: number;
  /** Polling: since when more than `maxQueuedBytes` have waited, ms; 0 when they do not. */
  overfullSince: number;
  /** Closing: when to stop waiting for the client to take what is left, ms. */
  closeBy: number;
  /** WebSocket: bytes written of which nothing proves that they were read. */
  unreadBytes: number;
  /**
   * WebSocket: those of them that were written after the last ping (of a v3 client: its last ping that proved
   * anything).
   */
  bytesAfterPing: number;
  /** WebSocket of a v3 client: when the rate at which it is written to allows for what it was sent, ms. */
  sentBy: number;
}

/** A WebSocket that is written to without end gets a ping each time this many bytes have gone out. */
export const PING_EACH_BYTES = 1_000_000;

/** For so long more than `maxQueuedBytes` may wait for a client that reads, ms. */
export const READ_WITHIN_MS = 5_000;

/** What of the options the state depends on. Times in ms, sizes in bytes. */
export interface SessionRules {
  readonly pingInterval: number;
  readonly pingTimeout: number;
  /** The object sleeps between its ticks, and sessions share one rhythm of pings. */
  readonly coalescesPings: boolean;
  readonly maxQueuedBytes: number;
}

export function createState(protocol: 3 | 4, transport: TransportName, now: number): SessionState {
  return {
    protocol,
    phase: "open",
    transport,
    candidate: "none",
    poll: null,
    queue: [],
    storedBytes: 0,
    queuedBytes: 0,
    openedAt: now,
    // The handshake tells the client as much as a ping does: its timer starts with it.
    pingedAt: transport === "polling" ? now : 0,
    pongedAt: transport === "polling" ? now : 0,
    seenAt: now,
    absentSince: 0,
    overfullSince: 0,
    closeBy: 0,
    unreadBytes: 0,
    bytesAfterPing: 0,
    sentBy: 0,
  };
}

/**
 * The part of a state that is worth writing down, without what belongs to an instance of the object. What is as it is
 * for most sessions is left out: thousands of these are read at once, and every property takes its time.
 */
export interface StoredState {
  /** 4, if left out. */
  readonly protocol?: 3;
  /** Open, if left out. */
  readonly phase?: "closing";
  readonly transport: TransportName;
  /** Only version 1 kept it here. */
  readonly queue?: readonly Frame[];
  readonly openedAt: number;
  readonly pingedAt?: number;
  readonly pongedAt?: number;
  readonly absentSince?: number;
  readonly overfullSince?: number;
  readonly closeBy?: number;
}

export function toStored(state: SessionState): StoredState {
  const { absentSince, closeBy, openedAt, overfullSince, phase, pingedAt, pongedAt, protocol, transport } =
    state;
  const stored: { -readonly [Key in keyof StoredState]: StoredState[Key] } = { transport, openedAt };
  if (protocol === 3) stored.protocol = protocol;
  if (phase === "closing") stored.phase = phase;
  if (transport === "websocket") {
    if (pingedAt !== 0) stored.pingedAt = pingedAt;
    if (pongedAt !== 0) stored.pongedAt = pongedAt;
  }
  if (absentSince !== 0) stored.absentSince = absentSince;
  if (overfullSince !== 0) stored.overfullSince = overfullSince;
  if (closeBy !== 0) stored.closeBy = closeBy;
  return stored;
}

/** `storedBytes`: what of its queue lies in rows. */
export function fromStored(stored: StoredState, storedBytes = 0): SessionState {
  const queue = [...(stored.queue ?? [])];
  return {
    protocol: 4,
    phase: "open",
    candidate: "none",
    poll: null,
    pingedAt: 0,
    pongedAt: 0,
    seenAt: 0,
    absentSince: 0,
    overfullSince: 0,
    closeBy: 0,
    unreadBytes: 0,
    bytesAfterPing: 0,
    sentBy: 0,
    ...stored,
    queue,
    storedBytes,
    queuedBytes: storedBytes + byteLength(queue),
  };
}

/** Bytes of frames as they count against a bound; a string's length stands for its bytes. */
export function byteLength(frames: readonly Frame[]): number {
  let total = 0;
  for (const frame of frames) total += frame.length;
  return total;
}
