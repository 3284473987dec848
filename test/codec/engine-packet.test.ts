import { describe, expect, it } from "vitest";
import {
  CodecError,
  decodeFrame,
  type EnginePacket,
  encodeBase64Frame,
  encodeFrame,
} from "../../src/codec/index.ts";

const texts: [EnginePacket, string][] = [
  [{ type: "open", data: '{"sid":"abc"}' }, '0{"sid":"abc"}'],
  [{ type: "close" }, "1"],
  [{ type: "ping" }, "2"],
  [{ type: "ping", data: "probe" }, "2probe"],
  [{ type: "pong", data: "probe" }, "3probe"],
  [{ type: "message", data: "hello €" }, "4hello €"],
  [{ type: "message" }, "4"],
  [{ type: "upgrade" }, "5"],
  [{ type: "noop" }, "6"],
];

describe("Engine.IO packets", () => {
  it.each(texts)("carries %o as %s", (packet, frame) => {
    expect(encodeFrame(packet)).toBe(frame);
    expect(decodeFrame(frame)).toStrictEqual(packet);
  });

  it("encodes an empty message as its type alone", () => {
    expect(encodeFrame({ type: "message", data: "" })).toBe("4");
  });

  it("encodes bytes as they are, without a type", () => {
    const bytes = new Uint8Array([1, 2, 3]);
    expect(encodeFrame({ type: "message", data: bytes })).toBe(bytes);
  });

  it("decodes a binary frame as a message", () => {
    const bytes = new Uint8Array([1, 2, 3]);
    expect(decodeFrame(bytes)).toStrictEqual({ type: "message", data: bytes });
    expect(decodeFrame(bytes).data).toBe(bytes);
    expect(decodeFrame(bytes.buffer)).toStrictEqual({ type: "message", data: bytes });
  });

  it.each(["", "7", "9", "a", "-1", " 4", "\x1e4", "toString", "__proto__", "{}", "€"])(
    "refuses %j",
    (frame) => {
      expect(() => decodeFrame(frame)).toThrow(new CodecError("UNKNOWN_ENGINE_PACKET"));
    },
  );
});

describe("bytes in text frames", () => {
  it.each([
    [[], "b"],
    [[1], "bAQ=="],
    [[1, 2], "bAQI="],
    [[1, 2, 3, 4], "bAQIDBA=="],
    [[251, 255, 191], "b+/+/"],
  ])("carries %j as %s", (bytes, frame) => {
    expect(encodeBase64Frame(new Uint8Array(bytes))).toBe(frame);
    expect(decodeFrame(frame)).toStrictEqual({ type: "message", data: new Uint8Array(bytes) });
  });

  it("encodes only the bytes that a view covers", () => {
    expect(encodeBase64Frame(new Uint8Array([9, 1, 2, 3, 4, 9]).subarray(1, 5))).toBe("bAQIDBA==");
  });

  it("carries a megabyte that contains every byte value", () => {
    const bytes = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * 7) & 255);
    const frame = encodeBase64Frame(bytes);
    expect(frame).toBe(`b${Buffer.from(bytes).toString("base64")}`);
    const { data } = decodeFrame(frame);
    expect(data instanceof Uint8Array && Buffer.compare(data, bytes)).toBe(0);
  });

  it("decodes base64 without padding, which some clients leave out", () => {
    expect(decodeFrame("bAQIDBA")).toStrictEqual({ type: "message", data: new Uint8Array([1, 2, 3, 4]) });
  });

  it.each(["b!", "bA", "bAQ=I", "bAQI_", "b€€€€", "bAQID\x00BA=="])(
    "refuses %j, which Node decodes to something arbitrary",
    (frame) => {
      expect(() => decodeFrame(frame)).toThrow(new CodecError("INVALID_BASE64"));
    },
  );
});
