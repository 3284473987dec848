import { CodecError } from "./codec-error.ts";
import { PacketType, RESERVED_EVENTS, type SocketPacket } from "./socket-packet.ts";

/** What `JSON.parse` takes as its second argument. */
export type Reviver = (this: unknown, key: string, value: unknown) => unknown;

/**
 * Decodes `<type>[<count>-][<namespace>,][<id>][JSON]`. Only a BINARY packet has `attachments`.
 * @throws CodecError
 */
export function decodeHeader(text: string, maxAttachments: number, reviver?: Reviver): SocketPacket {
  const type = text.charCodeAt(0) - 48;
  if (!(type >= PacketType.CONNECT && type <= PacketType.BINARY_ACK))
    throw new CodecError("UNKNOWN_PACKET_TYPE");
  const packet: SocketPacket = { type: type as PacketType, nsp: "/" };
  let at = 1;
  if (type >= PacketType.BINARY_EVENT) {
    const dash = text.indexOf("-");
    packet.attachments = toCount(text.slice(1, dash), maxAttachments);
    at = dash + 1;
  }
  if (text[at] === "/") {
    const comma = text.indexOf(",", at);
    const end = comma < 0 ? text.length : comma;
    packet.nsp = text.slice(at, end);
    at = end + 1;
  }
  const start = at;
  while (isIdCharacter(text.charCodeAt(at))) at++;
  if (at > start) packet.id = Number(text.slice(start, at));
  if (at < text.length) packet.data = decodeData(type, text.slice(at), reviver);
  return packet;
}

function toCount(text: string, max: number): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new CodecError("ILLEGAL_ATTACHMENTS");
  if (count > max) throw new CodecError("TOO_MANY_ATTACHMENTS");
  return count;
}

/** Digits, and white space too: socket.io-parser swallows it, so `42 ["a"]` has the id 0. */
function isIdCharacter(code: number): boolean {
  if (code > 57) return code > 127 && String.fromCharCode(code).trim() === "";
  return code >= 48 || code === 32 || (code >= 9 && code <= 13);
}

function decodeData(type: number, json: string, reviver?: Reviver): unknown {
  let data: unknown;
  try {
    data = JSON.parse(json, reviver);
  } catch {
    throw new CodecError("INVALID_PAYLOAD");
  }
  if (!isDataValid(type, data)) throw new CodecError("INVALID_PAYLOAD");
  return data;
}

function isDataValid(type: number, data: unknown): boolean {
  if (type === PacketType.DISCONNECT) return data === undefined;
  const isArray = Array.isArray(data);
  if (type === PacketType.CONNECT || type === PacketType.CONNECT_ERROR) {
    const isObject = typeof data === "object" && data !== null && !isArray;
    return isObject || (type === PacketType.CONNECT_ERROR && typeof data === "string");
  }
  if (!isArray || type === PacketType.ACK || type === PacketType.BINARY_ACK) return isArray;
  const event: unknown = data[0];
  return typeof event === "number" || (typeof event === "string" && !RESERVED_EVENTS.has(event));
}
