import { type EncodedPacket, extractAttachments, isPrototypePolluted, mayHoldBytes } from "./attachments.ts";
import { ACK, BINARY_EVENT, EVENT, type SocketPacket } from "./socket-packet.ts";

/** What `JSON.stringify` takes as its second argument. */
export type Replacer = (this: unknown, key: string, value: unknown) => unknown;

/**
 * Encodes a packet to the Engine.IO messages that carry it. Attachments are views on the caller's bytes; an EVENT or
 * ACK with binary data at any depth becomes a BINARY one. The packet is never changed.
 * @throws CodecError "CIRCULAR"
 * @example
 * encodePacket({ type: PacketType.EVENT, nsp: "/", data: ["hello", bytes] });
 * // ['51-["hello",{"_placeholder":true,"num":0}]', bytes]
 */
export function encodePacket(packet: SocketPacket, replacer?: Replacer): EncodedPacket {
  return encodeMessages("", packet, isWithoutBytes, replacer);
}

/**
 * The same as frames for a WebSocket: the header is an Engine.IO message already. One concatenation less than
 * `encodeFrame` on top of `encodePacket`, which shows: engines build such a string only when it is read.
 * @throws CodecError "CIRCULAR"
 * @example
 * encodePacketFrames({ type: PacketType.EVENT, nsp: "/", data: ["hello"] }); // ['42["hello"]']
 */
export function encodePacketFrames(packet: SocketPacket, replacer?: Replacer): EncodedPacket {
  return encodeMessages("4", packet, isWithoutBytes, replacer);
}

/** Proves for most events, faster than a copy is made, that nothing has to be taken apart. */
function isWithoutBytes(data: object): boolean {
  return !isPrototypePolluted() && !mayHoldBytes(data);
}

/**
 * The encoder itself. `isPlain` may prove that data has no bytes in it; without that proof the data is copied to find
 * out. The small client does without it: it sends little, and the proof is code that every page would load.
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
