import { type Attachment, extractAttachments } from "./attachments.ts";
import { CodecError } from "./codec-error.ts";
import { PacketType, type SocketPacket } from "./socket-packet.ts";

/** What `JSON.stringify` takes as its second argument. */
export type Replacer = (this: unknown, key: string, value: unknown) => unknown;

/** The header as text, then its attachments in the order in which they must follow. */
export type EncodedPacket = [header: string, ...attachments: Attachment[]];

/**
 * Encodes a packet to the Engine.IO messages that carry it. Attachments are views on the caller's bytes; an EVENT or
 * ACK with binary data at any depth becomes a BINARY one. The packet is never changed.
 * @throws CodecError "CIRCULAR" or "TOO_DEEP"
 * @example
 * encodePacket({ type: PacketType.EVENT, nsp: "/", data: ["hello", bytes] });
 * // ['51-["hello",{"_placeholder":true,"num":0}]', bytes]
 */
export function encodePacket(packet: SocketPacket, replacer?: Replacer): EncodedPacket {
  try {
    return encode(packet, replacer);
  } catch (error) {
    throw toRefusal(error, packet.data);
  }
}

function encode(packet: SocketPacket, replacer?: Replacer): EncodedPacket {
  const { nsp, id } = packet;
  const frames: EncodedPacket = [""];
  let type: number = packet.type;
  let data = packet.data;
  let count = packet.attachments;
  if ((type === PacketType.EVENT || type === PacketType.ACK) && typeof data === "object" && data) {
    data = extractAttachments(data, frames);
    if (frames.length > 1) {
      type += PacketType.BINARY_EVENT - PacketType.EVENT;
      count = frames.length - 1;
    }
  }
  let header = `${type}`;
  if (type >= PacketType.BINARY_EVENT) header += `${count}-`;
  if (nsp && nsp !== "/") header += `${nsp},`;
  if (id != null) header += id;
  if (data != null) header += JSON.stringify(data, replacer);
  frames[0] = header;
  return frames;
}

/** Data that contains itself overflows our walk and is refused by JSON; data nested too deep only overflows. */
function toRefusal(error: unknown, data: unknown): unknown {
  try {
    extractAttachments([data], []);
  } catch (overflow) {
    if (overflow instanceof RangeError)
      return new CodecError(isRefusedByJson(data) ? "CIRCULAR" : "TOO_DEEP");
  }
  return error instanceof RangeError ? new CodecError("TOO_DEEP") : error;
}

function isRefusedByJson(data: unknown): boolean {
  try {
    JSON.stringify(data);
  } catch (error) {
    return error instanceof TypeError;
  }
  return false;
}
