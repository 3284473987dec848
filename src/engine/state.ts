import type { Frame } from "../codec/index.ts";
import type { EndCode } from "./end-codes.ts";

export type TransportName = "polling" | "websocket";

/** A GET that waits for packets. It waits in the Worker; this is what its answer depends on. */
export interface WaitingPoll {
  /** When a ping is due, ms. An answer after that moment begins with it. */
  readonly pingDueAt: number;
  /** How many packets the client takes in one payload. */
  readonly limit: number;
  /** When a v3 client last pinged, ms. */
  readonly pongedAt?: number;
}

/**
 * The state of an Engine.IO session as plain data, without the sockets that carry it.
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
  /** A WebSocket that may take over a session that polls. It exists in memory only: a restart ends it. */
  candidate: "none" | "attached" | "probing";
  /** The waiting GET, if there is one. It is stored with the channel that carries it. */
  poll: WaitingPoll | null;
  /**
   * Frames that no transport has taken yet, oldest first. Those that are stored in rows come before them.
   */
  queue: Frame[];
  /** Bytes in rows, where frames are stored while no poll takes them. */
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
  /** Polling: the tick that first found no poll, ms; 0 when polls come. */
  absentSince: number;
  /** Polling: since when more than `maxQueuedBytes` have waited, ms; 0 when they do not. */
  overfullSince: number;
  /** Closing: how long to wait for the client to take what is queued, ms. */
  closeBy: number;
  /** Closing: why. */
  closeCode: EndCode;
  /** WebSocket: bytes that were written and are not known to be read. */
  unreadBytes: number;
  /**
   * WebSocket: those of them that were written after the last ping (of a v3 client: after its last ping that counted).
   */
  bytesAfterPing: number;
  /** WebSocket of a v3 client: when everything that was written would have been sent at the allowed rate, ms. */
  sentBy: number;
}

/** A WebSocket gets a ping each time this many bytes have been written. */
export const PING_EACH_BYTES = 1_000_000;

/** How long more than `maxQueuedBytes` may wait for a client, ms. */
export const READ_WITHIN_MS = 5_000;

/** The options that transitions depend on. Times are in ms, sizes in bytes. */
export interface SessionRules {
  readonly pingInterval: number;
  readonly pingTimeout: number;
  /** The object hibernates between its ticks, so sessions are pinged at the same ticks as far as possible. */
  readonly coalescesPings: boolean;
  readonly maxQueuedBytes: number;
}

/** What is the same in most states. */
const USUAL = {
  protocol: 4,
  phase: "open",
  candidate: "none",
  poll: null,
  storedBytes: 0,
  queuedBytes: 0,
  pingedAt: 0,
  pongedAt: 0,
  seenAt: 0,
  absentSince: 0,
  overfullSince: 0,
  closeBy: 0,
  closeCode: "SERVER_CLOSED",
  unreadBytes: 0,
  bytesAfterPing: 0,
  sentBy: 0,
} as const;

export function createState(protocol: 3 | 4, transport: TransportName, now: number): SessionState {
  // The client's timer starts with the handshake, as with a ping.
  const pingedAt = transport === "polling" ? now : 0;
  return {
    ...USUAL,
    protocol,
    transport,
    queue: [],
    openedAt: now,
    pingedAt,
    pongedAt: pingedAt,
    seenAt: now,
  };
}

/**
 * The part of a state that is stored, without what belongs to an instance of the object. Values that are the same for
 * most sessions are left out: thousands of states are read at once, and every property takes time.
 */
export interface StoredState {
  /** 4, if left out. */
  readonly protocol?: 3;
  /** Open, if left out. */
  readonly phase?: "closing";
  readonly transport: TransportName;
  /** Only version 1 stored the queue here. */
  readonly queue?: readonly Frame[];
  readonly openedAt: number;
  readonly pingedAt?: number;
  readonly pongedAt?: number;
  readonly absentSince?: number;
  readonly overfullSince?: number;
  readonly closeBy?: number;
  /** `SERVER_CLOSED`, if left out. */
  readonly closeCode?: EndCode;
}

const STORED = ["protocol", "phase", "absentSince", "overfullSince", "closeBy", "closeCode"] as const;
const STORED_OF_SOCKET = [...STORED, "pingedAt", "pongedAt"] as const;

export function toStored(state: SessionState): StoredState {
  const { transport, openedAt } = state;
  const stored: Record<string, unknown> = {};
  for (const key of transport === "polling" ? STORED : STORED_OF_SOCKET) {
    if (state[key] !== USUAL[key]) stored[key] = state[key];
  }
  return { ...stored, transport, openedAt };
}

/** `storedBytes`: the bytes of its queue that are stored in rows. */
export function fromStored(stored: StoredState, storedBytes = 0): SessionState {
  const queue = [...(stored.queue ?? [])];
  return { ...USUAL, ...stored, queue, storedBytes, queuedBytes: storedBytes + byteLength(queue) };
}

/** Bytes of frames as they count against a bound; a string's length stands for its bytes. */
export function byteLength(frames: readonly Frame[]): number {
  let total = 0;
  for (const frame of frames) total += frame.length;
  return total;
}
