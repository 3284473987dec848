import { toAttachment } from "../../codec/attachments.ts";
import {
  type BinaryChunk,
  CodecError,
  encodePacketFrames,
  type Frame,
  PacketDecoder,
  type PendingPacket,
  type SocketPacket,
} from "../../codec/index.ts";
import { ACK, EVENT } from "../../codec/socket-packet.ts";
import type { Untyped } from "../../shared/untyped.ts";

/**
 * A wire format as Socket.IO's `parser` option takes it: `new Encoder().encode(packet)` gives the messages, and a
 * `Decoder` has `add(message)` and the event "decoded". Packages describe these in types of their own.
 */
export interface ParserOption {
  Encoder: new () => Untyped;
  Decoder: new () => Untyped;
}

/** Hears of a packet that a foreign decoder has put together. */
type OnDecoded = (packet: SocketPacket) => void;

/** What is asked of a foreign decoder. */
interface EmittingDecoder {
  add(message: string | Uint8Array): unknown;
  on(event: "decoded", listener: OnDecoded): unknown;
  destroy?(): void;
}

/** Puts the messages of one connection together to packets. */
export interface Decoder {
  /** Our own gives the packet that is complete; a foreign one tells of its packets, now or later, and gives none. */
  add(chunk: string | Uint8Array): SocketPacket | undefined;
  readonly isPending: boolean;
  snapshot(): PendingPacket | undefined;
  restore(pending: PendingPacket): void;
  reset(): void;
}

/** The wire format of a server. */
export interface Parser {
  /** The Engine.IO frames that carry a packet. */
  encode(packet: SocketPacket): Frame[];
  /** A packet as its receiver will have it: plain data, and no bytes that the sender may still change. */
  decode(frames: readonly Frame[]): SocketPacket | undefined;
  createDecoder(onDecoded: OnDecoded): Decoder;
  /** Packets of a foreign format may break rules that our own decoder enforces. */
  readonly isForeign: boolean;
}

/** A text message on the wire begins with the digit of its Engine.IO packet type. */
const MESSAGE = "4";

function toFrame(message: unknown): Frame {
  if (typeof message === "string") return MESSAGE + message;
  const bytes = toAttachment(message as object);
  if (bytes instanceof Uint8Array) return bytes;
  throw new Error("a Blob cannot be sent at once; send the result of its arrayBuffer()");
}

function decodeFrames(decoder: Pick<Decoder, "add">, frames: readonly Frame[]): SocketPacket | undefined {
  let packet: SocketPacket | undefined;
  for (const frame of frames) {
    packet = decoder.add(typeof frame === "string" ? frame.slice(MESSAGE.length) : new Uint8Array(frame));
  }
  return packet;
}

/** An event or an answer without data means nothing. The official parser lets it pass, and nothing ever comes of it. */
class StrictDecoder extends PacketDecoder {
  override add(chunk: string | BinaryChunk): SocketPacket | undefined {
    const packet = super.add(chunk);
    if (packet === undefined || packet.data !== undefined) return packet;
    if (packet.type === EVENT || packet.type === ACK) {
      throw new CodecError("INVALID_PAYLOAD");
    }
    return packet;
  }
}

const standard: Parser = {
  encode(packet) {
    const [header, ...attachments] = encodePacketFrames(packet);
    return attachments.length === 0 ? [header] : [header, ...attachments.map(toFrame)];
  },
  decode: (frames) => decodeFrames(new PacketDecoder({ maxAttachments: Number.POSITIVE_INFINITY }), frames),
  createDecoder: () => new StrictDecoder(),
  isForeign: false,
};

/** A foreign decoder answers with events: in the middle of `add` or later, and as often as it likes. */
class ForeignDecoder implements Decoder {
  /** It was given something and has not answered since: it may have half a packet. */
  isPending = false;
  readonly #decoder: EmittingDecoder;

  constructor(decoder: EmittingDecoder, onDecoded: OnDecoded) {
    this.#decoder = decoder;
    decoder.on("decoded", (packet) => {
      this.isPending = false;
      onDecoded(packet);
    });
  }

  add(chunk: string | Uint8Array): undefined {
    this.isPending = true;
    this.#decoder.add(chunk);
  }

  snapshot(): undefined {
    return undefined;
  }

  restore(): void {}

  reset(): void {
    this.#decoder.destroy?.();
  }
}

/** The wire format that an option asks for: Socket.IO's own unless it names another. */
export function createParser(option: ParserOption | undefined): Parser {
  if (option === undefined) return standard;
  const encoder: { encode(packet: SocketPacket): unknown[] } = new option.Encoder();
  const createDecoder = (onDecoded: OnDecoded) => new ForeignDecoder(new option.Decoder(), onDecoded);
  return {
    encode: (packet) => encoder.encode(packet).map(toFrame),
    decode: (frames) => {
      let decoded: SocketPacket | undefined;
      const decoder = createDecoder((packet) => {
        decoded = packet;
      });
      decodeFrames(decoder, frames);
      return decoded;
    },
    createDecoder,
    isForeign: true,
  };
}
