import { insertAttachments } from "./attachments.ts";
import { CodecError } from "./codec-error.ts";
import { DEFAULT_MAX_ATTACHMENTS } from "./constants.ts";
import { decodeHeader, type Reviver } from "./decode-header.ts";
import type { SocketPacket } from "./socket-packet.ts";

/** A binary message as it was received; it is passed on without a copy. */
export type BinaryChunk = Uint8Array | ArrayBuffer;

export interface PacketDecoderOptions {
  /**
   * How many attachments a packet may have; a packet that announces more is refused with "TOO_MANY_ATTACHMENTS".
   * @default 10
   */
  maxAttachments?: number;
  /** The second argument of `JSON.parse`, for the payloads of packets. */
  reviver?: Reviver;
}

/** The messages of an incomplete packet, its header first. The structured clone algorithm can copy them. */
export type PendingPacket = readonly (string | BinaryChunk)[];

/** Assembles the messages of one connection to packets. The attachments of a packet directly follow its header. */
export class PacketDecoder {
  readonly #options: PacketDecoderOptions;
  #packet: SocketPacket | undefined;
  #chunks: (string | BinaryChunk)[] = [];

  constructor(options: PacketDecoderOptions = {}) {
    this.#options = options;
  }

  /** Whether a packet is incomplete because attachments are missing. */
  get isPending(): boolean {
    return this.#chunks.length > 0;
  }

  /**
   * Adds one Engine.IO message. Returns the packet that it completes, or undefined while attachments are missing. A
   * binary packet is returned as the EVENT or ACK that it carries, as by socket.io-parser.
   * @throws CodecError after which the connection has to be closed
   */
  add(chunk: string | BinaryChunk): SocketPacket | undefined {
    let packet = this.#packet;
    if (typeof chunk === "string") {
      if (packet) throw new CodecError("UNEXPECTED_TEXT");
      const { maxAttachments = DEFAULT_MAX_ATTACHMENTS, reviver } = this.#options;
      packet = decodeHeader(chunk, maxAttachments, reviver);
      if (!packet.attachments) return packet;
      this.#packet = packet;
    }
    if (!packet) throw new CodecError("UNEXPECTED_BINARY");
    const chunks = this.#chunks;
    chunks.push(chunk);
    if (chunks.length <= (packet.attachments ?? 0)) return undefined;
    this.reset();
    delete packet.attachments;
    insertAttachments(packet.data, chunks.slice(1));
    return packet;
  }

  /** The incomplete packet, for a server that stores it before it sleeps; undefined when there is none. */
  snapshot(): PendingPacket | undefined {
    return this.#packet && [...this.#chunks];
  }

  /** Continues with an incomplete packet from {@link snapshot}. */
  restore(pending: PendingPacket): void {
    this.reset();
    for (const chunk of pending) this.add(chunk);
  }

  /** Discards an incomplete packet. */
  reset(): void {
    this.#packet = undefined;
    this.#chunks = [];
  }
}
