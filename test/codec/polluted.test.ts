import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodePacket, PacketDecoder, PacketType, type SocketPacket } from "../../src/codec/index.ts";

const bytes = new Uint8Array([1, 2]);
const pollution = { polluted: "yes", loop: { bar: 1 }, evil: () => "evil", bytes: new Uint8Array([9]) };

/** An object on Object.prototype inherits itself: code that follows inherited keys never ends. */
describe("with Object.prototype polluted", () => {
  beforeAll(() => Object.assign(Object.prototype, pollution));
  afterAll(() => {
    for (const name of Object.keys(pollution)) Reflect.deleteProperty(Object.prototype, name);
  });

  const event = (...data: unknown[]): SocketPacket => ({ type: PacketType.EVENT, nsp: "/", data });

  it("encodes what data holds itself", () => {
    expect(encodePacket(event("a", { b: [{ c: 1 }] }))).toEqual(['2["a",{"b":[{"c":1}]}]']);
    expect(encodePacket(event("a", { b: [{ c: bytes }] }))).toEqual([
      '51-["a",{"b":[{"c":{"_placeholder":true,"num":0}}]}]',
      bytes,
    ]);
  });

  it("decodes what was sent, with attachments and without", () => {
    const decoder = new PacketDecoder();
    expect(JSON.stringify(decoder.add('2["a",{"b":{}}]')?.data)).toBe('["a",{"b":{}}]');
    decoder.add('51-["a",{"b":{"c":{"_placeholder":true,"num":0}}}]');
    const packet = decoder.add(bytes) as SocketPacket;
    const [, value] = packet.data as [string, { b: { c: unknown } }];
    expect(value.b.c).toBe(bytes);
    expect(Object.keys(value)).toEqual(["b"]);
  });
});
