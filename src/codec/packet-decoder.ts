import { insertAttachments } from "./attachments.ts";
import { CodecError } from "./codec-error.ts";
import { decodeHeader, type Reviver } from "./decode-header.ts";
import { PacketType, type SocketPacket } from "./socket-packet.ts";

/** Attachments a packet may have unless the options say otherwise: what socket.io-parser allows since 4.2.6. */
export const DEFAULT_MAX_ATTACHMENTS = 10;

/** A binary message as the host received it; it is handed on as it came. */
export type BinaryChunk = Uint8Array | ArrayBuffer;

export interface PacketDecoderOptions {
  /** @default 10 */
  maxAttachments?: number;
  reviver?: Reviver;
}

/** What is half received: the header and the attachments so far. Structured clone can hold it. */
export interface PendingPacket {
  header: string;
  attachments: BinaryChunk[];
}

/** Puts the messages of one connection together to packets; attachments follow their header at once. */
export class PacketDecoder {
  readonly #maxAttachments: number;
  readonly #reviver: Reviver | undefined;
  #packet: SocketPacket | undefined;
  #missing = 0;
  #header = "";
  #attachments: BinaryChunk[] = [];

  constructor(options: PacketDecoderOptions = {}) {
    this.#maxAttachments = options.maxAttachments ?? DEFAULT_MAX_ATTACHMENTS;
    this.#reviver = options.reviver;
  }

  /** Whether attachments are awaited. */
  get isPending(): boolean {
    return this.#missing > 0;
  }

  /**
   * Takes one Engine.IO message. Returns the packet it completes, or undefined while attachments are awaited. A binary
   * packet comes out as the EVENT or ACK that it carries, as from socket.io-parser.
   * @throws CodecError after which the connection is of no use
   */
  add(chunk: string | BinaryChunk): SocketPacket | undefined {
    if (typeof chunk !== "string") return this.#addAttachment(chunk);
    if (this.#missing > 0) throw new CodecError("UNEXPECTED_TEXT");
    const packet = decodeHeader(chunk, this.#maxAttachments, this.#reviver);
    if (packet.attachments === undefined) return packet;
    this.#missing = packet.attachments;
    this.#header = chunk;
    this.#packet = packet;
    return undefined;
  }

  #addAttachment(chunk: BinaryChunk): SocketPacket | undefined {
    if (!this.#packet) throw new CodecError("UNEXPECTED_BINARY");
    this.#attachments.push(chunk);
    if (--this.#missing > 0) return undefined;
    const { attachments: _, type, ...packet } = this.#packet;
    const attachments = this.#attachments;
    this.reset();
    if (packet.data) insertAttachments(packet.data, attachments);
    return { ...packet, type: type === PacketType.BINARY_EVENT ? PacketType.EVENT : PacketType.ACK };
  }

  /** What is half received, for a server that must be able to sleep; undefined when nothing is. */
  snapshot(): PendingPacket | undefined {
    return this.#packet && { header: this.#header, attachments: [...this.#attachments] };
  }

  /** Goes on from a snapshot. */
  restore(pending: PendingPacket): void {
    this.reset();
    this.add(pending.header);
    for (const attachment of pending.attachments) this.add(attachment);
  }

  /** Forgets what is half received. */
  reset(): void {
    this.#packet = undefined;
    this.#missing = 0;
    this.#attachments = [];
  }
}
