import { serialize } from "node:v8";
import { describe, expect, it } from "vitest";
import { estimateBytes, estimateMemory } from "../../src/shared/estimate-bytes.ts";

const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));

describe("the estimate of what structured clone needs", () => {
  it.each([
    [""],
    ["text".repeat(1_000)],
    ["ж".repeat(1_000)],
    [[1, 2.5, -3, true, null, undefined]],
    [{ a: { b: { c: [{}, {}, "x"] } } }],
    [new Map([["key", { value: [1] }]])],
    [new Set(["a", "b"])],
    [new Uint8Array(1_000)],
    [new ArrayBuffer(1_000)],
    [Array.from({ length: 1_000 }, (_, i) => ({ id: i, name: `name ${i}` }))],
  ])("is never too small: case %#", (value) => {
    const exact = serialize(value).byteLength;
    expect(estimateBytes(value)).toBeGreaterThanOrEqual(exact - 4);
    expect(estimateBytes(value)).toBeLessThan(8 * exact + 40);
  });

  it("terminates for circular values, and counts shared values once", () => {
    const circle: Record<string, unknown> = { text: "x".repeat(10_000) };
    circle.self = [circle, circle];
    expect(estimateBytes(circle)).toBeLessThan(11_000);
  });

  it("is infinite for what is nested too deeply to be stored, and finite in memory", () => {
    expect(estimateBytes(nested(1_000))).toBeLessThan(20_000);
    expect(estimateBytes(nested(1_002))).toBe(Number.POSITIVE_INFINITY);
    expect(estimateMemory(nested(200_000))).toBeGreaterThan(200_000 * 40);
    expect(estimateMemory(nested(200_000))).toBeLessThan(200_000 * 60);
  });
});
