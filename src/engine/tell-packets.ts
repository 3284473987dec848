import { decodeFrame, type EnginePacket, type Frame } from "../codec/index.ts";
import type { EventEmitter } from "../shared/event-emitter.ts";
import { CLOSE, NOOP, PING } from "./effects.ts";
import type { SessionServer } from "./session-ports.ts";
import type { SessionEvents } from "./session-types.ts";

/** Emits `packetCreate` for a packet that is about to be sent. */
export function tellCreated(
  session: EventEmitter<SessionEvents>,
  packet: EnginePacket,
  compress = true,
): void {
  session.emit("packetCreate", { ...packet, options: { compress } });
}

/**
 * Emits `flush` for packets that are about to be sent. A noop or a close belongs to the transport, and is left out.
 */
export function tellFlush<S extends EventEmitter<SessionEvents>>(
  session: S,
  engine: SessionServer<S>,
  frames: readonly Frame[],
): void {
  const isOwn = session.listenerCount("flush") > 0;
  const isPing = frames[0] === PING && session.listenerCount("packetCreate") > 0;
  if (!isOwn && !isPing && engine.listenerCount("flush") === 0) return;
  if (frames[0] === NOOP || frames[0] === CLOSE) return;
  const packets = frames.map((frame) => decodeFrame(frame));
  if (isPing) tellCreated(session, { type: "ping" });
  if (isOwn) session.emit("flush", packets);
  engine.emit("flush", session, packets);
}
