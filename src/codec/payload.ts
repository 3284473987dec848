import type { CodecError } from "./codec-error.ts";
import { decodeFrame, type EnginePacket, encodeBase64Frame, type Frame } from "./engine-packet.ts";

/** Separates the packets of a payload. JSON escapes this character, so no packet of Socket.IO contains it. */
export const SEPARATOR = "\x1e";

/** Joins frames to the body of one long-polling request or response. */
export function encodePayload(frames: readonly Frame[]): string {
  return frames
    .map((frame) => (typeof frame === "string" ? frame : encodeBase64Frame(frame)))
    .join(SEPARATOR);
}

/** The packets of a body in their order, up to the first malformed one; `error` says what is wrong with that one. */
export interface DecodedPayload {
  packets: EnginePacket[];
  error: CodecError | null;
}

/** Splits the body of a long-polling request or response. Packets before a malformed one are returned, as on Node. */
export function decodePayload(body: string): DecodedPayload {
  const packets: EnginePacket[] = [];
  try {
    for (const frame of body.split(SEPARATOR)) packets.push(decodeFrame(frame));
  } catch (error) {
    return { packets, error: error as CodecError };
  }
  return { packets, error: null };
}
