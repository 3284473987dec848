import { fromBase64, toBase64 } from "./base64.ts";
import { CodecError } from "./codec-error.ts";

/** What a transport carries: text (an encoded Engine.IO packet) or the bytes of a binary message. */
export type Frame = string | Uint8Array;

/** The index of a type is its digit on the wire. */
const TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"] as const;

export type EnginePacketType = (typeof TYPES)[number];

/** One Engine.IO packet. Only messages carry bytes. `data` is undefined where the packet is only its type. */
export interface EnginePacket {
  type: EnginePacketType;
  data?: string | Uint8Array;
}

/** Encodes a packet for a WebSocket. Bytes are sent as they are, because a binary frame can only be a message. */
export function encodeFrame(packet: EnginePacket): Frame {
  const { type, data } = packet;
  if (typeof data === "object") return data;
  return TYPES.indexOf(type) + (data || "");
}

/** Encodes bytes as text (`b` and base64), for long-polling and for WebSocket clients that connected with `b64=1`. */
export function encodeBase64Frame(bytes: Uint8Array): string {
  return `b${toBase64(bytes)}`;
}

/**
 * Decodes a frame received by a WebSocket, or one packet of a polling payload.
 * @throws CodecError "UNKNOWN_ENGINE_PACKET" or "INVALID_BASE64"
 */
export function decodeFrame(frame: Frame | ArrayBuffer): EnginePacket {
  if (typeof frame !== "string") {
    return { type: "message", data: frame instanceof ArrayBuffer ? new Uint8Array(frame) : frame };
  }
  const type = TYPES[frame.charCodeAt(0) - 48];
  if (type) return frame.length > 1 ? { type, data: frame.slice(1) } : { type };
  if (frame[0] !== "b") throw new CodecError("UNKNOWN_ENGINE_PACKET");
  return { type: "message", data: decodeBase64(frame.slice(1)) };
}

function decodeBase64(text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch {
    throw new CodecError("INVALID_BASE64");
  }
}
