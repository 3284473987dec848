import type { SocketPacket } from "../codec/socket-packet.ts";

/** A frame on its way out: text, or the bytes of a message as the user gave them. */
export type Frame = string | ArrayBuffer | ArrayBufferView | Blob;

/** Names with a meaning of their own on either side: nobody may send them as events. */
export const RESERVED = /^(connect(_error)?|disconnect(ing)?|(new|remove)Listener)$/;

/** Encodes a packet to frames. JSON itself does the walk, which spares the bundle another one. */
export function encode(type: number, nsp: string, data?: unknown, id: number | "" = ""): Frame[] {
  const attachments: Frame[] = [];
  const json = JSON.stringify(data, function (this: Record<string, unknown>, key, value: unknown) {
    // `this[key]` is what was there before `toJSON`, which a Buffer has.
    const bytes = [this[key], value].find(isBinary);
    return bytes ? { _placeholder: true, num: attachments.push(bytes) - 1 } : value;
  });
  const count = attachments.length;
  const kind = count ? `${type + 3}${count}-` : type;
  return [`4${kind}${nsp === "/" ? "" : `${nsp},`}${id}${json ?? ""}`, ...attachments];
}

function isBinary(value: unknown): value is ArrayBuffer | ArrayBufferView | Blob {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob;
}

/** Type, attachments, namespace, id (the original takes white space for digits), data. */
const PACKET = /^(?:([0-4])|([56])(\d+)-)(?:(\/[^,]*),?)?([\d\s]*)(.*)$/s;

/** What data each type may have, if it has any. */
const DATA = [/^{/, /$^/, /^\[\s*[-"\d]/, /^\[/, /^[{"]/];

/** As many attachments as an official server takes. */
const MAX_ATTACHMENTS = 10;

type Refusal =
  | "UNKNOWN_PACKET_TYPE"
  | "ILLEGAL_ATTACHMENTS"
  | "UNEXPECTED_TEXT"
  | "UNEXPECTED_BINARY"
  | "INVALID_PAYLOAD";

function refuse(code: Refusal): never {
  throw new Error(code);
}

/**
 * Puts the messages of one connection together to packets. It refuses what `src/codec` refuses: the tests hold the two,
 * and socket.io-parser, against each other.
 */
export function createDecoder(): (message: string | ArrayBuffer | Uint8Array) => SocketPacket | undefined {
  let header = "";
  let attachments: unknown[] | undefined;
  return (message) => {
    if (typeof message === "string") {
      if (attachments) refuse("UNEXPECTED_TEXT");
      attachments = [];
      header = message;
    } else {
      if (!attachments) refuse("UNEXPECTED_BINARY");
      attachments.push(message);
    }
    const received = attachments;
    const [, plain, binary, count, nsp = "/", id, json] =
      PACKET.exec(header) ?? refuse("UNKNOWN_PACKET_TYPE");
    const missing = +(count ?? 0) - received.length;
    const packet: SocketPacket = { type: +(plain ?? +binary! - 3) as SocketPacket["type"], nsp };
    if (binary && !(+count! > 0 && +count! <= MAX_ATTACHMENTS)) refuse("ILLEGAL_ATTACHMENTS");
    if (id) packet.id = +id;
    if (json) {
      packet.data = JSON.parse(json, (_key, value) =>
        !binary || missing || value?._placeholder !== true
          ? value
          : value.num in received
            ? received[value.num]
            : refuse("ILLEGAL_ATTACHMENTS"),
      );
      const isReserved = packet.type === 2 && RESERVED.test((packet.data as string[])[0] as string);
      if (isReserved || !DATA[packet.type]!.test(json)) refuse("INVALID_PAYLOAD");
    }
    if (missing) return undefined;
    attachments = undefined;
    return packet;
  };
}
