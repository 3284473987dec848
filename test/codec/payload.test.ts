import { describe, expect, it } from "vitest";
import { CodecError, decodePayload, encodePayload } from "../../src/codec/index.ts";

describe("polling payloads", () => {
  it("join packets with a record separator", () => {
    expect(encodePayload(["4hello", "2", "4€"])).toBe("4hello\x1e2\x1e4€");
  });

  it("carry bytes as base64 among text", () => {
    const body = "4hello\x1ebAQIDBA==\x1e4world";
    expect(encodePayload(["4hello", new Uint8Array([1, 2, 3, 4]), "4world"])).toBe(body);
    expect(decodePayload(body)).toStrictEqual({
      packets: [
        { type: "message", data: "hello" },
        { type: "message", data: new Uint8Array([1, 2, 3, 4]) },
        { type: "message", data: "world" },
      ],
      error: null,
    });
  });

  it("treat a body without a separator as one packet", () => {
    expect(decodePayload("3")).toStrictEqual({ packets: [{ type: "pong" }], error: null });
  });

  it.each([
    ["an unknown type", "4a\x1e2\x1e7\x1e4b"],
    ["an empty packet", "4a\x1e2\x1e\x1e4b"],
    ["a separator at the end", "4a\x1e2\x1e"],
  ])("keeps the packets before %s and drops those after it", (_, body) => {
    expect(decodePayload(body)).toStrictEqual({
      packets: [{ type: "message", data: "a" }, { type: "ping" }],
      error: new CodecError("UNKNOWN_ENGINE_PACKET"),
    });
  });

  it.each(["", "abc", "\x1e"])("finds no valid packet in %j", (body) => {
    expect(decodePayload(body)).toStrictEqual({
      packets: [],
      error: new CodecError("UNKNOWN_ENGINE_PACKET"),
    });
  });

  it("report invalid base64 with its own error code", () => {
    expect(decodePayload("4a\x1eb???")).toStrictEqual({
      packets: [{ type: "message", data: "a" }],
      error: new CodecError("INVALID_BASE64"),
    });
  });
});
