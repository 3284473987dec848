import { describe, expect, it } from "vitest";
import { apply, mutantsOf } from "../../scripts/mutate/mutants.ts";

/** Every mistake that is made in a text: its kind, and the line that it changes as it is afterwards. */
function slipsIn(source: string): string[] {
  return mutantsOf(source).map((mutant) => `${mutant.kind}: ${apply(source, mutant)}`);
}

describe("the mistakes that a mutation run makes", () => {
  it("invert a condition, and forget one side of it", () => {
    expect(slipsIn("x = a && b ? c : d")).toEqual([
      "assignment forgotten: ;",
      "condition inverted: x = !(a && b) ? c : d",
      "first condition forgotten: x = b ? c : d",
      "second condition forgotten: x = a ? c : d",
    ]);
  });

  it("forget calls and assignments, and swap those that follow each other", () => {
    expect(slipsIn("save(); at = now;")).toEqual([
      "call forgotten: ; at = now;",
      "statements swapped: at = now; save();",
      "assignment forgotten: save(); ;",
    ]);
  });

  it("forget an effect of a list, and swap two of them", () => {
    expect(slipsIn("const list = [A, ...b];")).toEqual([
      "element forgotten: const list = [...b];",
      "elements swapped: const list = [...b, A];",
      "element forgotten: const list = [A];",
    ]);
  });

  it("move boundaries, count one too many, and invert booleans", () => {
    expect(slipsIn("const is = a < 1; const no = false;")).toEqual([
      "boundary moved: const is = a <= 1; const no = false;",
      "off by one: const is = a < 2; const no = false;",
      "boolean inverted: const is = a < 1; const no = true;",
    ]);
  });

  it("leave types, imports, comments and texts alone, and say in which line they are", () => {
    const source = `import a from "a"; // a < 1
type Flag = true | 1;
const text = "if (a && b)" as string;
function f(x: [1, 2]): asserts x {}
class A { #b: 1 = (0 as 1); }`;
    expect(mutantsOf(source).map(({ kind, line }) => `${kind} in line ${line}`)).toEqual([
      "off by one in line 5",
    ]);
  });
});
