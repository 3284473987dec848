import type { Frame } from "../../codec/index.ts";
import type { HandshakeRecord } from "../../engine/handshake.ts";
import { byteLength, PING_EACH_BYTES, type StoredState } from "../../engine/state.ts";
import type { SessionId } from "../../shared/ids.ts";
import type { PayloadFormat } from "../../transports/polling.ts";
import { toBinaryFrame } from "../../transports/websocket.ts";
import type { StoredSession } from "../storage/session-store.ts";
import type { CarrierHost } from "./carrier.ts";

/**
 * A session that is stored and not in memory. Only what a tick asks of everybody is kept: thousands of whole attachments
 * held at once cost more to collect than one costs to read again.
 */
export interface Sleeper {
  readonly sid: SessionId;
  /** Undefined for a session that polls. */
  readonly socket: WebSocket | undefined;
  state: StoredState;
  /** Its client has joined no namespace. */
  isIdle: boolean;
  /** It ends as soon as it is in memory: too much would have to be held of it. */
  isOver?: boolean;
  /** Its row is of version 1, with a queue in it, until it is read. */
  isOld?: boolean;
  /** Bytes that were written to it since its last ping. */
  unread?: number;
  /** How its client wants bytes, once somebody had to know. */
  format?: PayloadFormat | undefined;
}

/** Writes to the WebSocket of a sleeper. False: nothing, or nothing that counts, was written. */
export function writeTo(
  sleeper: Sleeper,
  frames: readonly Frame[],
  { engine, needsHandshakeData }: CarrierHost,
  read: () => StoredSession | undefined,
): boolean {
  const { socket, state } = sleeper;
  const isHeard = engine.listenerCount("flush") + engine.listenerCount("drain") > 0;
  const unread = (sleeper.unread ?? 0) + byteLength(frames);
  if (socket === undefined || state.phase === "closing" || isHeard || unread >= PING_EACH_BYTES) return false;
  if (needsHandshakeData || frames.some((frame) => typeof frame !== "string")) {
    sleeper.format ??= toFormat(read(), needsHandshakeData);
    if (sleeper.format === undefined) return false;
  }
  try {
    for (const frame of frames) {
      socket.send(typeof frame === "string" ? frame : toBinaryFrame(frame, sleeper.format as PayloadFormat));
    }
  } catch {
    // The peer is gone: its session says so to the layer above.
    return false;
  }
  sleeper.unread = unread;
  return true;
}

/** Undefined when the session has to end, because nobody was asked about its client. */
export function toFormat(session: StoredSession | undefined, needsData: boolean): PayloadFormat | undefined {
  if (session === undefined) return undefined;
  const { protocol, b64, data } = JSON.parse(session.fixed) as HandshakeRecord;
  return needsData && data === undefined ? undefined : { protocol, b64 };
}
