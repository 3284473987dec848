import { expect, it, vi } from "vitest";

const samples: [number[], string][] = [
  [[], ""],
  [[0], "AA=="],
  [[255, 254], "//4="],
  [[1, 2, 3], "AQID"],
];

async function load(): Promise<typeof import("../../src/codec/base64.ts")> {
  vi.resetModules();
  return import("../../src/codec/base64.ts");
}

it.each(samples)("writes and reads %j as %s on a platform with btoa and atob only", async (bytes, text) => {
  const { fromBase64, toBase64 } = await load();
  expect(toBase64(new Uint8Array(bytes))).toBe(text);
  expect([...fromBase64(text)]).toStrictEqual(bytes);
});

it("uses the platform's own methods for bytes where they exist", async () => {
  const native = Uint8Array as unknown as Record<string, unknown>;
  const prototype = Uint8Array.prototype as unknown as Record<string, unknown>;
  const { fromBase64: oldFrom } = native;
  const { toBase64: oldTo } = prototype;
  native.fromBase64 = (text: string) => new Uint8Array([text.length]);
  prototype.toBase64 = function (this: Uint8Array) {
    return `native ${this.length}`;
  };
  try {
    const { fromBase64, toBase64 } = await load();
    expect(toBase64(new Uint8Array(3))).toBe("native 3");
    expect([...fromBase64("AQID")]).toStrictEqual([4]);
  } finally {
    if (oldFrom) native.fromBase64 = oldFrom;
    else delete native.fromBase64;
    if (oldTo) prototype.toBase64 = oldTo;
    else delete prototype.toBase64;
  }
});
