import {
  type EncodedPacket,
  extractAttachments,
  isPrototypePolluted,
  mayHoldBytes,
  requireBytes,
} from "./attachments.ts";
import type { Frame } from "./engine-packet.ts";
import { ACK, BINARY_EVENT, EVENT, type SocketPacket } from "./socket-packet.ts";

/** The second argument of `JSON.stringify`. */
export type Replacer = (this: unknown, key: string, value: unknown) => unknown;

/**
 * Encodes a packet to the Engine.IO messages that carry it. Attachments are views on the caller's bytes. An EVENT or
 * ACK that contains binary data at any depth becomes a BINARY packet. The packet that you pass is not changed.
 * @throws CodecError "CIRCULAR"
 * @example
 * encodePacket({ type: PacketType.EVENT, nsp: "/", data: ["hello", bytes] });
 * // ['51-["hello",{"_placeholder":true,"num":0}]', bytes]
 */
export function encodePacket(packet: SocketPacket, replacer?: Replacer): EncodedPacket {
  return encodeMessages("", packet, isWithoutBytes, replacer);
}

/**
 * Encodes a packet to frames for a WebSocket: the header already has the Engine.IO type of a message in front. This is
 * measurably faster than `encodeFrame` on the result of `encodePacket`, because it saves a string concatenation.
 * @throws CodecError "CIRCULAR", or an Error for a Blob, because reading its bytes is asynchronous
 * @example
 * encodePacketFrames({ type: PacketType.EVENT, nsp: "/", data: ["hello"] }); // ['42["hello"]']
 */
export function encodePacketFrames(packet: SocketPacket, replacer?: Replacer): Frame[] {
  const frames = encodeMessages("4", packet, isWithoutBytes, replacer);
  for (let i = 1; i < frames.length; i++) requireBytes(frames[i]);
  return frames as Frame[];
}

/** Shows for most events, faster than a copy could be made, that they contain no binary data. */
function isWithoutBytes(data: object): boolean {
  return !isPrototypePolluted() && !mayHoldBytes(data);
}

/**
 * The encoder behind both functions. If `isPlain` returns true, the data contains no binary data and is encoded as it
 * is; otherwise it is copied in search of binary data. The small client always has it copied, because it sends little,
 * and every page would have to load the code of the check.
 * @internal
 */
export function encodeMessages(
  prefix: "" | "4",
  packet: SocketPacket,
  isPlain: (data: object) => boolean,
  replacer?: Replacer,
): EncodedPacket {
  const { nsp, id } = packet;
  const frames: EncodedPacket = [prefix];
  let type: number = packet.type;
  let data = packet.data;
  let count = packet.attachments;
  if (typeof data === "object" && data && !isPlain(data)) {
    const copy = extractAttachments(data, frames);
    if (frames.length > 1 && (type === EVENT || type === ACK)) {
      type += BINARY_EVENT - EVENT;
      data = copy;
      count = frames.length - 1;
    } else frames.length = 1;
  }
  let header = prefix + type;
  if (type >= BINARY_EVENT) header += `${count}-`;
  if (nsp && nsp !== "/") header += `${nsp},`;
  if (id != null) header += id;
  frames[0] = data == null ? header : header + JSON.stringify(data, replacer);
  return frames;
}
