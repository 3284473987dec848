import { decodeFrame, type EnginePacket, encodeBase64Frame, type Frame } from "../codec/index.ts";
import { decodeFrameV3, encodeFrameV3 } from "./eio3.ts";
import type { PayloadFormat } from "./polling.ts";

/** Decodes a message of a WebSocket. @throws CodecError */
export function decodeMessage(data: string | ArrayBuffer, { protocol }: PayloadFormat): EnginePacket {
  return protocol === 3 ? decodeFrameV3(data) : decodeFrame(data);
}

/** Encodes a binary message as the client wants it. */
export function toBinaryFrame(bytes: Uint8Array, { protocol, b64 }: PayloadFormat): Frame {
  if (protocol === 3) return encodeFrameV3(bytes, b64);
  return b64 ? encodeBase64Frame(bytes) : bytes;
}

/**
 * Whether a message has more than `limit` bytes. A string is measured in UTF-8: at most three bytes for each UTF-16
 * unit.
 */
export function isTooLarge(data: string | ArrayBuffer, limit: number): boolean {
  if (typeof data !== "string") return data.byteLength > limit;
  if (data.length * 3 <= limit) return false;
  return data.length > limit || new TextEncoder().encode(data).byteLength > limit;
}
