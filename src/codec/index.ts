export type { Attachment, EncodedPacket } from "./attachments.ts";
export { CodecError, type CodecErrorCode } from "./codec-error.ts";
export { DEFAULT_MAX_ATTACHMENTS, MAX_DEPTH } from "./constants.ts";
export type { Reviver } from "./decode-header.ts";
export { encodePacket, encodePacketFrames, type Replacer } from "./encode-packet.ts";
export {
  decodeFrame,
  type EnginePacket,
  type EnginePacketType,
  encodeBase64Frame,
  encodeFrame,
  type Frame,
} from "./engine-packet.ts";
export {
  type BinaryChunk,
  PacketDecoder,
  type PacketDecoderOptions,
  type PendingPacket,
} from "./packet-decoder.ts";
export { type DecodedPayload, decodePayload, encodePayload, SEPARATOR } from "./payload.ts";
export { PacketType, RESERVED_EVENTS, type SocketPacket } from "./socket-packet.ts";
