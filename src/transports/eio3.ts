import {
  CodecError,
  type DecodedPayload,
  decodeFrame,
  type EnginePacket,
  encodeBase64Frame,
  type Frame,
} from "../codec/index.ts";

/*
 * How Engine.IO v3 (clients of Socket.IO v2) encodes what v4 encodes in another way. Text packets are the same.
 *
 *   polling, text     <length in UTF-16 units>:<packet>...
 *   polling, binary   <0 text | 1 binary> <length in bytes, a byte a digit> <255> <packet>...
 *   websocket         a binary frame begins with the type of its packet, 4
 *   base64            b4<base64>
 */
const MESSAGE = 4;
const END_OF_LENGTH = 255;

export const BINARY_TYPE = "application/octet-stream";

/** Joins frames to one payload: bytes when one of them is binary and the client accepts bytes, otherwise text. */
export function encodePayloadV3(frames: readonly Frame[], b64: boolean): string | Uint8Array {
  const isText = b64 || frames.every((frame) => typeof frame === "string");
  if (!isText) return encodeBinary(frames);
  return frames.map(toTextV3).reduce((payload, packet) => `${payload}${packet.length}:${packet}`, "");
}

/** Encodes one frame for a WebSocket. */
export function encodeFrameV3(frame: Frame, b64: boolean): Frame {
  if (typeof frame === "string" || b64) return toTextV3(frame);
  return withType(frame);
}

/** Decodes one frame of a WebSocket. @throws CodecError */
export function decodeFrameV3(frame: string | ArrayBuffer | Uint8Array): EnginePacket {
  if (typeof frame === "string") {
    return decodeFrame(frame.startsWith("b4") ? `b${frame.slice(2)}` : frame);
  }
  const bytes = frame instanceof Uint8Array ? frame : new Uint8Array(frame);
  if (bytes[0] !== MESSAGE) throw new CodecError("UNKNOWN_ENGINE_PACKET");
  return { type: "message", data: bytes.subarray(1) };
}

/** Decodes the packets of a body up to the first invalid one. */
export function decodePayloadV3(body: string | Uint8Array): DecodedPayload {
  const packets: EnginePacket[] = [];
  try {
    const parts = typeof body === "string" ? splitText(body) : splitBinary(body);
    for (const part of parts) packets.push(decodeFrameV3(part));
    if (packets.length === 0) throw new CodecError("UNKNOWN_ENGINE_PACKET");
    return { packets, error: null };
  } catch (error) {
    return { packets, error: error as CodecError };
  }
}

function toTextV3(frame: Frame): string {
  return typeof frame === "string" ? frame : `b4${encodeBase64Frame(frame).slice(1)}`;
}

function withType(bytes: Uint8Array): Uint8Array {
  const typed = new Uint8Array(bytes.length + 1);
  typed[0] = MESSAGE;
  typed.set(bytes, 1);
  return typed;
}

function encodeBinary(frames: readonly Frame[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const frame of frames) {
    const isText = typeof frame === "string";
    const packet = isText ? new TextEncoder().encode(frame) : withType(frame);
    const digits = Array.from(String(packet.length), Number);
    parts.push(Uint8Array.from([isText ? 0 : 1, ...digits, END_OF_LENGTH]), packet);
  }
  const payload = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    payload.set(part, offset);
    offset += part.length;
  }
  return payload;
}

function* splitText(body: string): Iterable<string> {
  let start = 0;
  while (start < body.length) {
    const colon = body.indexOf(":", start);
    const length = colon === -1 ? Number.NaN : toLength(body.slice(start, colon));
    const end = colon + 1 + length;
    if (!(end <= body.length)) throw new CodecError("UNKNOWN_ENGINE_PACKET");
    yield body.slice(colon + 1, end);
    start = end;
  }
}

function* splitBinary(body: Uint8Array): Iterable<string | Uint8Array> {
  let start = 0;
  while (start < body.length) {
    const mark = body.indexOf(END_OF_LENGTH, start + 1);
    const length = mark === -1 ? Number.NaN : toLength(body.subarray(start + 1, mark).join(""));
    const end = mark + 1 + length;
    if (!(end <= body.length)) throw new CodecError("UNKNOWN_ENGINE_PACKET");
    const packet = body.subarray(mark + 1, end);
    yield body[start] === 0 ? new TextDecoder().decode(packet) : packet;
    start = end;
  }
}

function toLength(digits: string): number {
  return /^\d{1,10}$/.test(digits) ? Number(digits) : Number.NaN;
}
