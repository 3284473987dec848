import { requireBytes, toAttachment } from "../../codec/attachments.ts";
import {
  encodePacketFrames,
  type Frame,
  PacketDecoder,
  type PendingPacket,
  type SocketPacket,
} from "../../codec/index.ts";
import type { Untyped } from "../../shared/untyped.ts";

/**
 * A wire format for the option `parser`. `new Encoder().encode(packet)` returns an array of messages, text or bytes; a
 * `Decoder` is given messages with `add(message)`, and emits "decoded" with each packet. Both are untyped because the
 * packages that contain parsers describe them with types of their own.
 * @see https://socket.io/docs/v4/custom-parser/
 * @example
 * import * as parser from "socket.io-msgpack-parser";
 * defineServer({ parser }, setup);
 */
export interface ParserOption {
  Encoder: new () => Untyped;
  Decoder: new () => Untyped;
}

/** Gets a packet that a foreign decoder has put together. */
type OnDecoded = (packet: SocketPacket) => void;

/** What a foreign decoder has to offer. */
interface EmittingDecoder {
  add(message: string | Uint8Array): unknown;
  on(event: "decoded", listener: OnDecoded): unknown;
  destroy?(): void;
}

/** Puts the messages of one connection together to packets. */
export interface Decoder {
  /** The standard decoder returns the packet that is complete. A foreign one emits its packets, now or later. */
  add(chunk: string | Uint8Array): SocketPacket | undefined;
  /** Whether a part of a packet has arrived. */
  readonly isPending: boolean;
  /** That part, as it can be stored. */
  snapshot(): PendingPacket | undefined;
  restore(pending: PendingPacket): void;
  reset(): void;
}

/** The wire format of a server. */
export interface Parser {
  /** The Engine.IO frames that carry a packet. */
  encode(packet: SocketPacket): Frame[];
  /** The packet as its receivers get it: plain data, without bytes that the sender may still change. */
  decode(frames: readonly Frame[]): SocketPacket | undefined;
  createDecoder(onDecoded: OnDecoded): Decoder;
  /** Packets of a foreign format may break rules that the standard one keeps. */
  readonly isForeign: boolean;
}

/** A text message on the wire begins with the digit of its Engine.IO packet type. */
const MESSAGE = "4";

function toFrame(message: unknown): Frame {
  if (typeof message === "string") return MESSAGE + message;
  return requireBytes(toAttachment(message as object));
}

function decodeFrames(decoder: Pick<Decoder, "add">, frames: readonly Frame[]): SocketPacket | undefined {
  let packet: SocketPacket | undefined;
  for (const frame of frames) {
    packet = decoder.add(typeof frame === "string" ? frame.slice(MESSAGE.length) : new Uint8Array(frame));
  }
  return packet;
}

const standard: Parser = {
  encode: encodePacketFrames,
  decode: (frames) => decodeFrames(new PacketDecoder({ maxAttachments: Infinity }), frames),
  createDecoder: () => new PacketDecoder(),
  isForeign: false,
};

/** A foreign decoder emits packets, during `add` or later, and any number of them. */
class ForeignDecoder implements Decoder {
  /** It was given a message and has emitted nothing since, so it may have a part of a packet. */
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

/** The wire format of the option, or that of the Socket.IO protocol. */
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
