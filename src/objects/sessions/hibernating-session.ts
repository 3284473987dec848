import type { Frame } from "../../codec/index.ts";
import type { HandshakeRecord } from "../../engine/handshake.ts";
import { byteLength, PING_EACH_BYTES, type StoredState } from "../../engine/state.ts";
import type { SessionId } from "../../shared/ids.ts";
import type { PayloadFormat } from "../../transports/polling.ts";
import { toBinaryFrame } from "../../transports/websocket.ts";
import type { StoredSession } from "../storage/session-store.ts";

/**
 * A session that is stored and not in memory. It holds only what a tick asks of every session: to hold thousands of
 * whole attachments costs the garbage collector more than reading one again.
 */
export interface HibernatingSession {
  readonly sid: SessionId;
  /** Undefined for a session that polls. */
  readonly socket: WebSocket | undefined;
  state: StoredState;
  /** Its client has joined no namespace. */
  isIdle: boolean;
  /** It ends as soon as it is loaded, because its record would take too much memory. */
  isOver?: boolean;
  /** Its row is of version 1, with a queue in it, until it is read. */
  isOld?: boolean;
  /** Bytes that were written to it since its last ping. */
  unread?: number;
  /** How its client wants binary messages, once that had to be read. */
  format?: PayloadFormat | undefined;
}

/**
 * Writes to the WebSocket of a hibernating session. `read` reads what is stored of it.
 * @returns false when nothing was written, or when the session has to be loaded for it
 */
export function writeTo(
  session: HibernatingSession,
  frames: readonly Frame[],
  needsHandshakeData: boolean,
  read: () => StoredSession | undefined,
): boolean {
  const { socket, state } = session;
  const unread = (session.unread ?? 0) + byteLength(frames);
  if (socket === undefined || state.phase === "closing" || unread >= PING_EACH_BYTES) return false;
  if (needsHandshakeData || frames.some((frame) => typeof frame !== "string")) {
    session.format ??= toFormat(read(), needsHandshakeData);
    if (session.format === undefined) return false;
  }
  try {
    for (const frame of frames) {
      socket.send(typeof frame === "string" ? frame : toBinaryFrame(frame, session.format as PayloadFormat));
    }
  } catch {
    // The peer is gone: the session is loaded, and tells its listeners.
    return false;
  }
  session.unread = unread;
  return true;
}

/** Undefined when the session has to end, because `handshakeData` was never asked about its client. */
export function toFormat(session: StoredSession | undefined, needsData: boolean): PayloadFormat | undefined {
  if (session === undefined) return undefined;
  const { protocol, b64, data } = JSON.parse(session.fixed) as HandshakeRecord;
  return needsData && data === undefined ? undefined : { protocol, b64 };
}
