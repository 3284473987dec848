import { insertAttachments } from "./attachments.ts";
import { CodecError } from "./codec-error.ts";
import { decodeHeader, type Reviver } from "./decode-header.ts";
import type { SocketPacket } from "./socket-packet.ts";

/** Attachments a packet may have unless the options say otherwise: what socket.io-parser allows since 4.2.6. */
export const DEFAULT_MAX_ATTACHMENTS = 10;

/** A binary message as the host received it; it is handed on as it came. */
export type BinaryChunk = Uint8Array | ArrayBuffer;

export interface PacketDecoderOptions {
  /** @default 10 */
  maxAttachments?: number;
  reviver?: Reviver;
}

/** The messages of a packet that is half received, its header first. Structured clone can hold them. */
export type PendingPacket = readonly (string | BinaryChunk)[];

/** Puts the messages of one connection together to packets; attachments follow their header at once. */
export class PacketDecoder {
  readonly #options: PacketDecoderOptions;
  #packet: SocketPacket | undefined;
  #chunks: (string | BinaryChunk)[] = [];

  constructor(options: PacketDecoderOptions = {}) {
    this.#options = options;
  }

  /** Whether attachments are awaited. */
  get isPending(): boolean {
    return this.#chunks.length > 0;
  }

  /**
   * Takes one Engine.IO message. Returns the packet it completes, or undefined while attachments are awaited. A binary
   * packet comes out as the EVENT or ACK that it carries, as from socket.io-parser.
   * @throws CodecError after which the connection is of no use
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

  /** What is half received, for a server that must be able to sleep; undefined when nothing is. */
  snapshot(): PendingPacket | undefined {
    return this.#packet && [...this.#chunks];
  }

  /** Goes on from a snapshot. */
  restore(pending: PendingPacket): void {
    this.reset();
    for (const chunk of pending) this.add(chunk);
  }

  /** Forgets what is half received. */
  reset(): void {
    this.#packet = undefined;
    this.#chunks = [];
  }
}
