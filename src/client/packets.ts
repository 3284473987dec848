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
    const bytes = [this[key], value].find(
      (each): each is Exclude<Frame, string> =>
        each instanceof ArrayBuffer || ArrayBuffer.isView(each) || each instanceof Blob,
    );
    return bytes ? { _placeholder: true, num: attachments.push(bytes) - 1 } : value;
  });
  const count = attachments.length;
  const kind = count ? `${type + 3}${count}-` : type;
  return [`4${kind}${nsp === "/" ? "" : `${nsp},`}${id}${json ?? ""}`, ...attachments];
}

/** Type, number of attachments, namespace, id (the original takes white space for digits), data. */
const PACKET = /^([0-4]|[56]([^-]*)-)(?:(\/[^,]*),?)?([\d\s]*)(.*)$/s;

/** As many attachments as an official server takes. */
const COUNT = /^([1-9]|10)$/;

/** A type with the data that it may have, if it has any. */
const DATA = /^(0{|2\[\s*[-"\d]|3\[|4["{])/;

function refuse(): never {
  throw new Error("parse error");
}

/**
 * Puts the messages of one connection together to packets. It refuses what `src/codec` refuses, some of it with the
 * TypeError that nonsense leads to; the tests hold the two, and socket.io-parser, against each other.
 */
export function createDecoder(): (message: string | ArrayBuffer | Uint8Array) => SocketPacket | undefined {
  let header: string;
  let attachments: unknown[] | undefined;
  return (message) => {
    if (typeof message === "string") {
      if (attachments) refuse();
      attachments = [];
      header = message;
    } else attachments!.push(message);
    const received = attachments!;
    const [, kind, count, nsp = "/", id, json] = PACKET.exec(header)!;
    // BINARY_EVENT and BINARY_ACK, 5 and 6, are the EVENT and ACK that they carry: half as much.
    const type = (+kind![0]! >> +(count != null)) as SocketPacket["type"];
    // NaN where there is nothing to insert: a placeholder in a text packet is data.
    const missing = +count! - received.length;
    let data: unknown;
    if (!COUNT.test(+(count ?? 1) as unknown as string)) refuse();
    if (json) {
      data = JSON.parse(json, (_key, value) =>
        missing === 0 && value?._placeholder === true
          ? (received.find((_bytes, index) => index === value.num) ?? refuse())
          : value,
      );
      if (!DATA.test(type + json) || (type === 2 && RESERVED.test((data as string[])[0]!))) refuse();
    }
    if (missing) return undefined;
    attachments = undefined;
    return { type, nsp, id: id ? +id : undefined, data };
  };
}
