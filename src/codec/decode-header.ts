import { CodecError } from "./codec-error.ts";
import {
  ACK,
  BINARY_ACK,
  BINARY_EVENT,
  CONNECT,
  CONNECT_ERROR,
  EVENT,
  type PacketType,
  RESERVED_EVENTS,
  type SocketPacket,
} from "./socket-packet.ts";

/** The second argument of `JSON.parse`. */
export type Reviver = (this: unknown, key: string, value: unknown) => unknown;

/**
 * Decodes `<type>[<count>-][<namespace>,][<id>][JSON]`. A BINARY packet is returned as the EVENT or ACK that it
 * carries, with the number of attachments that have to follow.
 * @throws CodecError
 */
export function decodeHeader(text: string, maxAttachments: number, reviver?: Reviver): SocketPacket {
  let type = text.charCodeAt(0) - 48;
  if (!(type >= CONNECT && type <= BINARY_ACK)) throw new CodecError("UNKNOWN_PACKET_TYPE");
  let at = 1;
  let attachments = 0;
  if (type >= BINARY_EVENT) {
    type -= BINARY_EVENT - EVENT;
    const dash = text.indexOf("-");
    attachments = dash > 0 ? Number(text.slice(1, dash)) : 0;
    at = dash + 1;
    if (!Number.isInteger(attachments) || attachments < 1) throw new CodecError("ILLEGAL_ATTACHMENTS");
    if (attachments > maxAttachments) throw new CodecError("TOO_MANY_ATTACHMENTS");
  }
  let nsp = "/";
  if (text.charCodeAt(at) === 47) {
    const comma = text.indexOf(",", at);
    const end = comma < 0 ? text.length : comma;
    nsp = text.slice(at, end);
    at = end + 1;
  }
  const packet: SocketPacket = { type: type as PacketType, nsp };
  const start = at;
  while (isIdCharacter(text, at)) at++;
  if (at > start) packet.id = Number(text.slice(start, at));
  if (at < text.length) packet.data = decodeData(type, text.slice(at), reviver);
  if (attachments) packet.attachments = attachments;
  return packet;
}

/** Accepts digits and, like socket.io-parser, white space: `42 ["a"]` has the id 0. */
function isIdCharacter(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (code < 58 || code > 127) && Number(text[at]) >= 0;
}

function decodeData(type: number, json: string, reviver?: Reviver): unknown {
  let data: unknown;
  try {
    data = JSON.parse(json, reviver);
  } catch {
    // `data` stays undefined, which no type of packet may carry.
  }
  if (!isDataValid(type, data)) throw new CodecError("INVALID_PAYLOAD");
  return data;
}

function isDataValid(type: number, data: unknown): boolean {
  if (Array.isArray(data)) return type === ACK || (type === EVENT && isEvent(data[0]));
  if (typeof data === "string") return type === CONNECT_ERROR;
  return (type === CONNECT || type === CONNECT_ERROR) && typeof data === "object" && !!data;
}

function isEvent(name: unknown): boolean {
  return typeof name === "number" || (typeof name === "string" && !RESERVED_EVENTS.has(name));
}
