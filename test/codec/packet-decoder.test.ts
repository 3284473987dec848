import { describe, expect, it } from "vitest";
import { CodecError, PacketDecoder, PacketType, type SocketPacket } from "../../src/codec/index.ts";

const bytes = new Uint8Array([1, 2, 3]);
const slot = (num: unknown) => `{"_placeholder":true,"num":${JSON.stringify(num)}}`;

function decode(text: string): unknown {
  return new PacketDecoder().add(text);
}

function dataOf(packet: SocketPacket | undefined): Record<string, unknown>[] {
  return packet?.data as Record<string, unknown>[];
}

describe("text packets", () => {
  it.each([
    ["0", { type: PacketType.CONNECT, nsp: "/" }],
    ['0{"token":"123"}', { type: PacketType.CONNECT, nsp: "/", data: { token: "123" } }],
    ["0/admin,", { type: PacketType.CONNECT, nsp: "/admin" }],
    ["0/custom", { type: PacketType.CONNECT, nsp: "/custom" }],
    ['0/foo?x=1,{"a":1}', { type: PacketType.CONNECT, nsp: "/foo?x=1", data: { a: 1 } }],
    ["1/admin,", { type: PacketType.DISCONNECT, nsp: "/admin" }],
    ['2["hello",1,"€"]', { type: PacketType.EVENT, nsp: "/", data: ["hello", 1, "€"] }],
    ['2/admin,456["hello"]', { type: PacketType.EVENT, nsp: "/admin", data: ["hello"], id: 456 }],
    ["2[7]", { type: PacketType.EVENT, nsp: "/", data: [7] }],
    ["30[]", { type: PacketType.ACK, nsp: "/", data: [], id: 0 }],
    ['4{"message":"no"}', { type: PacketType.CONNECT_ERROR, nsp: "/", data: { message: "no" } }],
    ['4"no"', { type: PacketType.CONNECT_ERROR, nsp: "/", data: "no" }],
  ])("decodes %s", (text, packet) => {
    expect(decode(text)).toStrictEqual(packet);
  });

  it.each([
    ["2", { type: PacketType.EVENT, nsp: "/" }],
    ["3", { type: PacketType.ACK, nsp: "/" }],
    ["21", { type: PacketType.EVENT, nsp: "/", id: 1 }],
    ["399", { type: PacketType.ACK, nsp: "/", id: 99 }],
  ])("accepts %s, which has no data", (text, packet) => {
    expect(decode(text)).toStrictEqual(packet);
  });

  it("keeps a placeholder in a text packet as data", () => {
    expect(decode(`2["a",${slot(0)}]`)).toMatchObject({ data: ["a", { _placeholder: true, num: 0 }] });
  });

  it("reads an id of any length, as exactly as a number can represent it", () => {
    expect(decode('2100000000000000000000["a"]')).toMatchObject({ id: 1e20, data: ["a"] });
  });

  it.each(['2 ["a"]', '2\t["a"]', '2\u00a0["a"]'])(
    "ignores white space in place of an id in %j, as the official parser does",
    (text) => {
      expect(decode(text)).toStrictEqual({ type: PacketType.EVENT, nsp: "/", data: ["a"], id: 0 });
    },
  );

  it("passes its reviver to JSON.parse", () => {
    const decoder = new PacketDecoder({ reviver: (_, value) => (value === "one" ? 1 : value) });
    expect(decoder.add('2["a","one"]')).toMatchObject({ data: ["a", 1] });
  });
});

describe("binary packets", () => {
  it("is decoded as an event once its attachment has arrived", () => {
    const decoder = new PacketDecoder();
    expect(decoder.add(`51-["hello",${slot(0)}]`)).toBeUndefined();
    expect(decoder.isPending).toBe(true);
    const packet = decoder.add(bytes);
    expect(packet).toStrictEqual({ type: PacketType.EVENT, nsp: "/", data: ["hello", bytes] });
    expect(dataOf(packet)[1]).toBe(bytes);
    expect(decoder.isPending).toBe(false);
  });

  it("is decoded as an acknowledgement with its id and namespace", () => {
    const decoder = new PacketDecoder();
    decoder.add(`61-/admin,456[${slot(0)}]`);
    expect(decoder.add(bytes)).toStrictEqual({ type: PacketType.ACK, nsp: "/admin", id: 456, data: [bytes] });
  });

  it("puts attachments where their placeholders are, at any depth", () => {
    const decoder = new PacketDecoder();
    const buffer = new ArrayBuffer(2);
    decoder.add(`52-["a",{"x":[${slot(1)},{"y":${slot(0)}}]},${slot(1)}]`);
    decoder.add(bytes);
    expect(decoder.add(buffer)?.data).toStrictEqual(["a", { x: [buffer, { y: bytes }] }, buffer]);
  });

  it("is followed by the next packet", () => {
    const decoder = new PacketDecoder();
    decoder.add(`51-["a",${slot(0)}]`);
    decoder.add(bytes);
    expect(decoder.add('2["b"]')).toMatchObject({ data: ["b"] });
  });

  it("waits for an attachment that no placeholder refers to", () => {
    const decoder = new PacketDecoder();
    expect(decoder.add('51-["a"]')).toBeUndefined();
    expect(decoder.add(bytes)).toStrictEqual({ type: PacketType.EVENT, nsp: "/", data: ["a"] });
  });

  it("leaves a placeholder with a fractional number empty, as socket.io-parser does", () => {
    const decoder = new PacketDecoder();
    decoder.add(`51-["a",${slot(0.5)}]`);
    expect(decoder.add(bytes)?.data).toStrictEqual(["a", undefined]);
  });

  it("restores data that is nested 10,000 levels deep without recursion", () => {
    const decoder = new PacketDecoder();
    decoder.add(`51-["a",${"[".repeat(10_000)}${slot(0)}${"]".repeat(10_000)}]`);
    let item: unknown = dataOf(decoder.add(bytes))[1];
    while (Array.isArray(item)) item = item[0];
    expect(item).toBe(bytes);
  });
});

describe("refusals", () => {
  it.each(["", "7", "9", "a", "-1", " 2", "[", "\u0660", "€"])(
    "refuses the unknown packet type of %j",
    (text) => {
      expect(() => decode(text)).toThrow(new CodecError("UNKNOWN_PACKET_TYPE"));
    },
  );

  it.each([
    ["no count", '5["a"]'],
    ["no dash", "51"],
    ["an empty count", '5-["a"]'],
    ["a count that is not a number", '5a-["a"]'],
    ["a fractional count", '51.23-["a"]'],
    ["a negative count", '5-1-["a"]'],
    ["a count of 0", '50-["a"]'],
    ["an infinite count", '5Infinity-["a"]'],
    ["no count in an acknowledgement", "6[]"],
  ])("refuses %s: %s", (_, text) => {
    expect(() => decode(text)).toThrow(new CodecError("ILLEGAL_ATTACHMENTS"));
  });

  it("refuses more than 10 attachments, or than the options allow", () => {
    expect(() => decode('511-["a"]')).toThrow(new CodecError("TOO_MANY_ATTACHMENTS"));
    expect(() => decode('599999999999999999999-["a"]')).toThrow(new CodecError("TOO_MANY_ATTACHMENTS"));
    expect(decode('510-["a"]')).toBeUndefined();
    const decoder = new PacketDecoder({ maxAttachments: 1 });
    expect(() => decoder.add('52-["a"]')).toThrow(new CodecError("TOO_MANY_ATTACHMENTS"));
    expect(decoder.isPending).toBe(false);
  });

  it.each([-1, 1, 10, "0", null, "length", "__proto__", undefined])(
    "refuses a placeholder numbered %j where one attachment came",
    (num) => {
      const decoder = new PacketDecoder();
      decoder.add(`51-["a",{"b":${slot(num)}}]`.replace('"num":undefined', '"n":0'));
      expect(() => decoder.add(bytes)).toThrow(new CodecError("ILLEGAL_ATTACHMENTS"));
    },
  );

  it("refuses text while an attachment is awaited", () => {
    const decoder = new PacketDecoder();
    decoder.add(`51-["a",${slot(0)}]`);
    expect(() => decoder.add('2["b"]')).toThrow(new CodecError("UNEXPECTED_TEXT"));
  });

  it("refuses bytes that no packet announced", () => {
    expect(() => new PacketDecoder().add(bytes)).toThrow(new CodecError("UNEXPECTED_BINARY"));
    expect(() => new PacketDecoder().add(bytes.buffer)).toThrow(new CodecError("UNEXPECTED_BINARY"));
  });

  it.each([
    ["a CONNECT with text", '0"token"'],
    ["a CONNECT with a list", '0["token"]'],
    ["a CONNECT with null", "0null"],
    ["a DISCONNECT with data", "1{}"],
    ["a DISCONNECT with data in a namespace", '1/admin,"bye"'],
    ["an EVENT that is not a list", '2{"a":1}'],
    ["an EVENT that is text", '2"a"'],
    ["an empty EVENT", "2[]"],
    ["an EVENT named null", "2[null]"],
    ["an EVENT named by an object", "2[{}]"],
    ["an EVENT named true", "2[true]"],
    ["a binary EVENT named by a placeholder", `51-[${slot(0)}]`],
    ["an ACK that is not a list", "31{}"],
    ["a binary ACK that is not a list", "61-1{}"],
    ["a CONNECT_ERROR with a list", '4["no"]'],
    ["a CONNECT_ERROR with a number", "41.5"],
    ["a negative id", '2-5["a"]'],
    ["a fractional id", '21.5["a"]'],
    ["broken JSON", '2["a"'],
    ["something after the JSON", '2["a"]x'],
    ["a namespace without its comma", '2admin,["a"]'],
  ])("refuses %s: %s", (_, text) => {
    expect(() => decode(text)).toThrow(new CodecError("INVALID_PAYLOAD"));
  });

  it.each(["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"])(
    "refuses an event named %s, with bytes and without",
    (event) => {
      expect(() => decode(`2["${event}"]`)).toThrow(new CodecError("INVALID_PAYLOAD"));
      expect(() => decode(`51-["${event}",${slot(0)}]`)).toThrow(new CodecError("INVALID_PAYLOAD"));
    },
  );

  it("accepts a reserved event name anywhere but as the name of an event", () => {
    expect(decode('2["a","connect"]')).toMatchObject({ data: ["a", "connect"] });
    expect(decode('31["disconnect"]')).toMatchObject({ data: ["disconnect"] });
  });
});

describe("hostile data", () => {
  it("decodes a key named __proto__ as an ordinary key, and changes no prototype", () => {
    const text = `["a",{"__proto__":{"polluted":true}},{"__proto__":${slot(0)}}]`;
    const decoder = new PacketDecoder();
    decoder.add(`51-${text}`);
    const [, plain, placed] = dataOf(decoder.add(bytes));
    expect(Object.getOwnPropertyDescriptor(plain, "__proto__")?.value).toStrictEqual({ polluted: true });
    expect(Object.getOwnPropertyDescriptor(placed, "__proto__")?.value).toBe(bytes);
    expect(Object.getPrototypeOf(placed)).toBe(Object.prototype);
    expect("polluted" in {}).toBe(false);
  });

  it("decodes text that is nested 10,000 levels deep, which JSON reads without recursion", () => {
    const json = `["a",${"[".repeat(10_000)}${"]".repeat(10_000)}]`;
    expect(decode(`2${json}`)).toMatchObject({ type: PacketType.EVENT });
    expect(() => decode(`2["a",${"[".repeat(10_000)}`)).toThrow(new CodecError("INVALID_PAYLOAD"));
  });

  it("ignores unknown keys of a placeholder", () => {
    const decoder = new PacketDecoder();
    decoder.add('51-["a",{"_placeholder":true,"num":0,"__proto__":{"num":7}}]');
    expect(decoder.add(bytes)?.data).toStrictEqual(["a", bytes]);
  });
});

describe("a packet that is half received", () => {
  const header = `52-/b,7["a",${slot(0)},${slot(1)}]`;

  it("is completed by another decoder after a structured clone", () => {
    const before = new PacketDecoder();
    before.add(header);
    before.add(bytes);
    const pending = structuredClone(before.snapshot());
    expect(pending).toStrictEqual([header, bytes]);
    const after = new PacketDecoder();
    after.restore(pending ?? []);
    expect(after.isPending).toBe(true);
    const rest = new Uint8Array([4]);
    expect(after.add(rest)).toStrictEqual({
      type: PacketType.EVENT,
      nsp: "/b",
      id: 7,
      data: ["a", bytes, rest],
    });
  });

  it("does not change a snapshot when more of it arrives", () => {
    const decoder = new PacketDecoder();
    decoder.add(header);
    const pending = decoder.snapshot();
    decoder.add(bytes);
    decoder.add(bytes);
    expect(pending).toStrictEqual([header]);
    expect(decoder.snapshot()).toBeUndefined();
  });

  it("is discarded when another one is restored", () => {
    const decoder = new PacketDecoder();
    decoder.add(header);
    decoder.restore([`51-["c",${slot(0)}]`]);
    expect(decoder.add(bytes)).toStrictEqual({ type: PacketType.EVENT, nsp: "/", data: ["c", bytes] });
  });

  it("is discarded by a reset", () => {
    const decoder = new PacketDecoder();
    decoder.add(header);
    decoder.reset();
    expect(decoder.isPending).toBe(false);
    expect(decoder.add('2["b"]')).toMatchObject({ data: ["b"] });
  });
});
