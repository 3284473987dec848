import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodePacket, PacketDecoder, PacketType, type SocketPacket } from "../../src/codec/index.ts";

const bytes = new Uint8Array([1, 2]);
const pollution = { polluted: "yes", loop: { bar: 1 }, evil: () => "evil", bytes: new Uint8Array([9]) };

/**
 * With an object on Object.prototype every object inherits itself, so that code that follows inherited keys never ends.
 */
describe("the codec with a polluted Object.prototype", () => {
  beforeAll(() => Object.assign(Object.prototype, pollution));
  afterAll(() => {
    for (const name of Object.keys(pollution)) Reflect.deleteProperty(Object.prototype, name);
  });

  const event = (...data: unknown[]): SocketPacket => ({ type: PacketType.EVENT, nsp: "/", data });

  it("encodes only own properties of data", () => {
    expect(encodePacket(event("a", { b: [{ c: 1 }] }))).toEqual(['2["a",{"b":[{"c":1}]}]']);
    expect(encodePacket(event("a", { b: [{ c: bytes }] }))).toEqual([
      '51-["a",{"b":[{"c":{"_placeholder":true,"num":0}}]}]',
      bytes,
    ]);
  });

  it("decodes packets with and without attachments as they were sent", () => {
    const decoder = new PacketDecoder();
    expect(JSON.stringify(decoder.add('2["a",{"b":{}}]')?.data)).toBe('["a",{"b":{}}]');
    decoder.add('51-["a",{"b":{"c":{"_placeholder":true,"num":0}}}]');
    const packet = decoder.add(bytes) as SocketPacket;
    const [, value] = packet.data as [string, { b: { c: unknown } }];
    expect(value.b.c).toBe(bytes);
    expect(Object.keys(value)).toEqual(["b"]);
  });
});
