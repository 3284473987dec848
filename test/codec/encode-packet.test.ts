import { describe, expect, it } from "vitest";
import {
  CodecError,
  encodePacket,
  encodePacketFrames,
  MAX_DEPTH,
  PacketType,
  type SocketPacket,
} from "../../src/codec/index.ts";

const bytes = new Uint8Array([1, 2, 3]);
const slot = (num: number) => `{"_placeholder":true,"num":${num}}`;

function encodeEvent(...data: unknown[]): unknown[] {
  return encodePacket({ type: PacketType.EVENT, nsp: "/", data });
}

describe("text packets", () => {
  const rows: [SocketPacket, string][] = [
    [{ type: PacketType.CONNECT, nsp: "/" }, "0"],
    [{ type: PacketType.CONNECT, nsp: "/admin", data: { token: "123" } }, '0/admin,{"token":"123"}'],
    [{ type: PacketType.DISCONNECT, nsp: "/admin" }, "1/admin,"],
    [{ type: PacketType.EVENT, nsp: "/", data: ["hello", 1, "€"] }, '2["hello",1,"€"]'],
    [{ type: PacketType.EVENT, nsp: "/admin", data: ["hello"], id: 456 }, '2/admin,456["hello"]'],
    [{ type: PacketType.ACK, nsp: "/", data: [], id: 0 }, "30[]"],
    [{ type: PacketType.CONNECT_ERROR, nsp: "/", data: { message: "no" } }, '4{"message":"no"}'],
    [{ type: PacketType.EVENT, nsp: "/", data: null }, "2"],
    [{ type: PacketType.EVENT, nsp: "", data: ["a"] }, '2["a"]'],
  ];

  it.each(rows)("encodes %o as %s", (packet, header) => {
    expect(encodePacket(packet)).toStrictEqual([header]);
    expect(encodePacketFrames(packet)).toStrictEqual([`4${header}`]);
  });

  it("passes its replacer to JSON.stringify", () => {
    const packet: SocketPacket = { type: PacketType.EVENT, nsp: "/", data: ["a", 1] };
    const replacer = (_: string, value: unknown) => (value === 1 ? "one" : value);
    expect(encodePacket(packet, replacer)).toStrictEqual(['2["a","one"]']);
  });

  it("leaves values other than arrays and objects to JSON", () => {
    const date = new Date(0);
    expect(encodeEvent("a", date, undefined, new Map([[1, 2]]), Object.create(null))).toStrictEqual([
      '2["a","1970-01-01T00:00:00.000Z",null,{},{}]',
    ]);
  });
});

describe("binary packets", () => {
  it("turns an event with bytes into a binary one", () => {
    expect(encodeEvent("hello", bytes)).toStrictEqual([`51-["hello",${slot(0)}]`, bytes]);
    const packet: SocketPacket = { type: PacketType.EVENT, nsp: "/", data: ["hello", bytes] };
    expect(encodePacketFrames(packet)).toStrictEqual([`451-["hello",${slot(0)}]`, bytes]);
  });

  it("turns an acknowledgement with bytes into a binary one", () => {
    const packet: SocketPacket = { type: PacketType.ACK, nsp: "/admin", id: 456, data: [bytes] };
    expect(encodePacket(packet)).toStrictEqual([`61-/admin,456[${slot(0)}]`, bytes]);
  });

  it("finds bytes at any depth, in the order of the text", () => {
    const other = new Uint8Array([4]);
    const frames = encodeEvent("a", { x: [{ y: bytes }], z: 1 }, [[other]], bytes);
    expect(frames).toStrictEqual([
      `53-["a",{"x":[{"y":${slot(0)}}],"z":1},[[${slot(1)}]],${slot(2)}]`,
      bytes,
      other,
      bytes,
    ]);
    expect(frames[1]).toBe(bytes);
  });

  it("takes every kind of bytes, and of a view only the bytes that it covers", () => {
    const { buffer } = new Uint8Array([9, 9, 1, 0, 2, 0, 9, 9]);
    const [header, ...attachments] = encodeEvent(
      "a",
      buffer,
      new Uint16Array(buffer, 2, 2),
      new DataView(buffer, 6),
      Buffer.from("hi"),
    );
    expect(header).toBe(`54-["a",${slot(0)},${slot(1)},${slot(2)},${slot(3)}]`);
    expect(attachments.map((attachment) => [...(attachment as Uint8Array)])).toStrictEqual([
      [9, 9, 1, 0, 2, 0, 9, 9],
      [1, 0, 2, 0],
      [9, 9],
      [104, 105],
    ]);
  });

  it("returns a Blob as an attachment without reading its bytes", () => {
    const blob = new Blob(["hi"]);
    const frames = encodeEvent("a", { blob });
    expect(frames).toStrictEqual([`51-["a",{"blob":${slot(0)}}]`, blob]);
  });

  it("refuses to make a frame of a Blob, which cannot be read at once", () => {
    const packet: SocketPacket = { type: PacketType.EVENT, nsp: "/", data: ["a", bytes, new Blob(["hi"])] };
    expect(() => encodePacketFrames(packet)).toThrow(/a Blob cannot be sent at once; send .*arrayBuffer/);
  });

  it("leaves bytes in packets other than events and acknowledgements to JSON", () => {
    const packet: SocketPacket = { type: PacketType.CONNECT, nsp: "/", data: { a: bytes } };
    expect(encodePacket(packet)).toStrictEqual(['0{"a":{"0":1,"1":2,"2":3}}']);
  });

  it("encodes a packet that is already binary with the attachment count that it has", () => {
    const packet: SocketPacket = {
      type: PacketType.BINARY_EVENT,
      nsp: "/",
      attachments: 1,
      data: ["a", { _placeholder: true, num: 0 }],
    };
    expect(encodePacket(packet)).toStrictEqual([`51-["a",${slot(0)}]`]);
  });

  it("never changes the packet that it encodes", () => {
    const shared = Object.freeze({ bytes, list: Object.freeze([bytes, 1]) });
    const packet = Object.freeze({ type: PacketType.EVENT, nsp: "/", data: Object.freeze(["a", shared]) });
    encodePacket(packet as SocketPacket);
    expect(packet.data[1]).toStrictEqual({ bytes: new Uint8Array([1, 2, 3]), list: [bytes, 1] });
  });
});

describe("toJSON", () => {
  it("is called on values beside bytes", () => {
    class Point {
      readonly hidden = new Uint8Array([7]);
      toJSON(): unknown {
        return { x: 1 };
      }
    }
    expect(encodeEvent("a", new Point())).toStrictEqual(['2["a",{"x":1}]']);
    expect(encodeEvent("a", new Point(), bytes)).toStrictEqual([`51-["a",{"x":1},${slot(0)}]`, bytes]);
  });

  it("may return bytes, at any depth", () => {
    class Photo {
      toJSON(): unknown {
        return { name: "a.jpg", data: [bytes] };
      }
    }
    const header = `51-["a",{"name":"a.jpg","data":[${slot(0)}]}]`;
    expect(encodeEvent("a", new Photo())).toStrictEqual([header, bytes]);
    expect(encodeEvent("a", { toJSON: () => bytes })).toStrictEqual([`51-["a",${slot(0)}]`, bytes]);
  });

  it("hides the bytes of a plain object that has it as its own method", () => {
    expect(encodeEvent("a", { data: bytes, toJSON: () => "none" })).toStrictEqual(['2["a","none"]']);
    expect(encodeEvent("a", { data: bytes, toJSON: () => "none" }, bytes)).toStrictEqual([
      `51-["a","none",${slot(0)}]`,
      bytes,
    ]);
  });

  it("is called once when it returns its own object", () => {
    class Self {
      readonly data = bytes;
      toJSON(): unknown {
        return this;
      }
    }
    expect(encodeEvent("a", new Self())).toStrictEqual([`51-["a",{"data":${slot(0)}}]`, bytes]);
  });

  it("may be inherited from a prototype", () => {
    const child = Object.create({ toJSON: () => ({ data: bytes }) });
    expect(encodeEvent("a", child)).toStrictEqual([`51-["a",{"data":${slot(0)}}]`, bytes]);
  });

  it("passes on what it throws", () => {
    const failing = {
      toJSON(): unknown {
        throw new Error("not ready");
      },
    };
    expect(() => encodeEvent("a", failing)).toThrow("not ready");
  });
});

describe("hostile and broken data", () => {
  it("encodes a key named __proto__ as an ordinary key, with and without bytes", () => {
    const data = JSON.parse('{"__proto__":{"polluted":true},"b":1}');
    expect(encodeEvent("a", data)).toStrictEqual(['2["a",{"__proto__":{"polluted":true},"b":1}]']);
    data.c = bytes;
    Object.defineProperty(data, "__proto__", { value: { d: bytes } });
    expect(encodeEvent("a", data)).toStrictEqual([
      `52-["a",{"__proto__":{"d":${slot(0)}},"b":1,"c":${slot(1)}}]`,
      bytes,
      bytes,
    ]);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  it("leaves inherited properties out", () => {
    const child = Object.create({ inherited: bytes });
    child.own = 1;
    expect(encodeEvent("a", child)).toStrictEqual(['2["a",{"own":1}]']);
  });

  it.each([PacketType.CONNECT, PacketType.EVENT, PacketType.ACK, PacketType.CONNECT_ERROR])(
    "refuses data that contains itself in a packet of type %i",
    (type) => {
      const loop: Record<string, unknown> = {};
      loop.list = [{ loop }];
      expect(() => encodePacket({ type, nsp: "/", data: loop })).toThrow(new CodecError("CIRCULAR"));
    },
  );

  it("refuses data that contains itself and bytes", () => {
    const loop: unknown[] = [bytes];
    loop.push(loop);
    expect(() => encodeEvent("a", loop)).toThrow(new CodecError("CIRCULAR"));
    expect(() => encodePacket({ type: PacketType.CONNECT, nsp: "/", data: { loop } })).toThrow(
      new CodecError("CIRCULAR"),
    );
  });

  it("refuses data whose toJSON contains itself", () => {
    const loop = { toJSON: () => ({ loop }) };
    expect(() => encodeEvent("a", loop)).toThrow(new CodecError("CIRCULAR"));
  });

  it("accepts data that is nested as deep as the limit, and refuses one level more", () => {
    const deepest = "[".repeat(MAX_DEPTH) + "]".repeat(MAX_DEPTH);
    const encode = (json: string) =>
      encodePacket({ type: PacketType.EVENT, nsp: "/", data: JSON.parse(json) });
    expect(encode(deepest)).toStrictEqual([`2${deepest}`]);
    expect(() => encode(`[${deepest}]`)).toThrow(new CodecError("CIRCULAR"));
  });

  it("refuses 10,000 levels instead of overflowing the stack", () => {
    const deep = JSON.parse(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`);
    expect(() => encodeEvent("a", deep)).toThrow(new CodecError("CIRCULAR"));
  });

  it("fails for a BigInt as JSON.stringify does", () => {
    expect(() => encodeEvent("a", 1n)).toThrow(TypeError);
  });
});
