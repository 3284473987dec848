import {
  encodePacket,
  type Frame,
  PacketDecoder,
  type PendingPacket,
  type SocketPacket,
} from "../codec/index.ts";
import type { Untyped } from "../shared/untyped.ts";

/** A wire format as Socket.IO's `parser` option takes it. */
export interface ParserOption {
  Encoder: new () => { encode(packet: Untyped): unknown[] };
  Decoder: new () => {
    add(chunk: Untyped): unknown;
    on(event: "decoded", listener: (packet: Untyped) => void): unknown;
    destroy?(): void;
  };
}

/** Puts the messages of one connection together to packets. */
export interface Decoder {
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
  createDecoder(): Decoder;
  /** Packets of a foreign format may break rules that our own decoder enforces. */
  readonly isForeign: boolean;
}

/** A text message on the wire begins with the digit of its Engine.IO packet type. */
const MESSAGE = "4";

function toFrames(messages: readonly unknown[]): Frame[] {
  const frames: Frame[] = [];
  for (const message of messages) {
    if (typeof message === "string") frames.push(MESSAGE + message);
    else if (message instanceof Uint8Array) frames.push(message);
    else if (message instanceof ArrayBuffer) frames.push(new Uint8Array(message));
    else if (ArrayBuffer.isView(message)) frames.push(toBytes(message));
    else throw new Error("a Blob cannot be sent at once; send the result of its arrayBuffer()");
  }
  return frames;
}

function toBytes(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

const standard: Parser = {
  encode(packet) {
    const messages = encodePacket(packet);
    return messages.length === 1 ? [MESSAGE + messages[0]] : toFrames(messages);
  },
  createDecoder: () => new PacketDecoder(),
  isForeign: false,
};

/** A foreign decoder answers with an event, in the middle of `add`. */
class ForeignDecoder implements Decoder {
  readonly isPending = false;
  readonly #create: () => InstanceType<ParserOption["Decoder"]>;
  #decoder: InstanceType<ParserOption["Decoder"]>;
  #decoded: SocketPacket | undefined;

  constructor(create: () => InstanceType<ParserOption["Decoder"]>) {
    this.#create = create;
    this.#decoder = this.#listen();
  }

  add(chunk: string | Uint8Array): SocketPacket | undefined {
    this.#decoded = undefined;
    this.#decoder.add(chunk);
    return this.#decoded;
  }

  snapshot(): undefined {
    return undefined;
  }

  restore(): void {}

  reset(): void {
    this.#decoder.destroy?.();
    this.#decoder = this.#listen();
  }

  #listen(): InstanceType<ParserOption["Decoder"]> {
    const decoder = this.#create();
    decoder.on("decoded", (packet: SocketPacket) => {
      this.#decoded = packet;
    });
    return decoder;
  }
}

/** The wire format that an option asks for: Socket.IO's own unless it names another. */
export function createParser(option: ParserOption | undefined): Parser {
  if (option === undefined) return standard;
  const encoder = new option.Encoder();
  return {
    encode: (packet) => toFrames(encoder.encode(packet)),
    createDecoder: () => new ForeignDecoder(() => new option.Decoder()),
    isForeign: true,
  };
}
