import { expect, it } from "vitest";
import { fromText, toText } from "../../src/testing/inside/plain-values.ts";

it.each([
  [{ a: [1, "text", null, true, undefined], $: "a key" }],
  [[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1.5]],
  [new Map<unknown, unknown>([[1, new Set(["a", 2n])]])],
  [[new Date(5), new Date(Number.NaN)]],
  [Uint8Array.of(1, 2)],
  [/a.b/gi],
  [JSON.parse('{"__proto__":{"a":1}}')],
])("a value that an object has stored reaches the test as it is: %o", (value) => {
  expect(fromText(toText(value))).toStrictEqual(value);
});

it("an error reaches the test with its name and message", () => {
  const error = fromText(toText(new TypeError("no")));
  expect([error instanceof Error, String(error)]).toEqual([true, "TypeError: no"]);
});
