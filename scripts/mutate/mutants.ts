import { parseAst } from "vitest/node";

/** One mistake of the kind that a refactoring makes: the text between two offsets is replaced. */
export interface Mutant {
  readonly kind: string;
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

type Node = { readonly type: string; readonly start: number; readonly end: number } & Record<string, unknown>;
type Slip = Omit<Mutant, "line">;

/**
 * TypeScript's wrappers around an expression. All other node types whose name begins with "TS" are types, and have no
 * behaviour.
 */
const TRANSPARENT = new Set(["TSAsExpression", "TSNonNullExpression", "TSSatisfiesExpression"]);

const BOUNDARIES: Record<string, string> = { "<": "<=", "<=": "<", ">": ">=", ">=": ">" };

/** All mistakes that can be made in a TypeScript source, in the order of their places. */
export function mutantsOf(source: string): Mutant[] {
  const slips: Slip[] = [];
  visit(parseAst(source, { lang: "ts" }) as unknown as Node, (node) => slips.push(...slipsAt(node, source)));
  return slips
    .map((slip) => ({ ...slip, line: source.slice(0, slip.start).split("\n").length }))
    .sort((a, b) => a.start - b.start || a.end - b.end);
}

export function apply(source: string, { start, end, replacement }: Mutant): string {
  return source.slice(0, start) + replacement + source.slice(end);
}

function visit(node: Node, see: (node: Node) => void): void {
  if (node.type.startsWith("TS") && !TRANSPARENT.has(node.type)) return;
  if (node.type === "ImportDeclaration") return;
  see(node);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, see);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

function slipsAt(node: Node, source: string): Slip[] {
  switch (node.type) {
    case "IfStatement":
    case "ConditionalExpression":
      return [replace("condition inverted", node.test as Node, (text) => `!(${text})`, source)];
    case "LogicalExpression":
      return logicalSlips(node, source);
    case "BinaryExpression":
      return boundarySlips(node, source);
    case "ArrayExpression":
      return listSlips(node.elements as (Node | null)[], source);
    case "BlockStatement":
    case "Program":
      return statementSlips(node.body as Node[], source);
    case "Literal":
      return literalSlips(node, source);
    default:
      return [];
  }
}

function replace(kind: string, node: Node, by: (text: string) => string, source: string): Slip {
  const { start, end } = node;
  return { kind, start, end, replacement: by(source.slice(start, end)) };
}

function logicalSlips(node: Node, source: string): Slip[] {
  if (node.operator === "??") return [];
  const [left, right] = [node.left as Node, node.right as Node];
  return [
    replace("first condition forgotten", node, () => source.slice(right.start, right.end), source),
    replace("second condition forgotten", node, () => source.slice(left.start, left.end), source),
  ];
}

function boundarySlips(node: Node, source: string): Slip[] {
  const [left, right] = [node.left as Node, node.right as Node];
  const swapped = BOUNDARIES[node.operator as string];
  if (swapped === undefined) return [];
  const between = source.slice(left.end, right.start).replace(node.operator as string, swapped);
  return [{ kind: "boundary moved", start: left.end, end: right.start, replacement: between }];
}

/** Effects are lists: one effect is removed, or swapped with its neighbour. */
function listSlips(elements: readonly (Node | null)[], source: string): Slip[] {
  const there = elements.filter((it) => it !== null);
  const slips = there.map((element, index): Slip => {
    const next = there[index + 1];
    const before = there[index - 1];
    const start = next === undefined && before !== undefined ? before.end : element.start;
    return { kind: "element forgotten", start, end: next?.start ?? element.end, replacement: "" };
  });
  for (const [index, element] of there.entries()) {
    const next = there[index + 1];
    if (next !== undefined) slips.push(swap("elements swapped", element, next, source));
  }
  return slips;
}

function swap(kind: string, first: Node, second: Node, source: string): Slip {
  const between = source.slice(first.end, second.start);
  const [a, b] = [first, second].map(({ start, end }) => source.slice(start, end));
  return { kind, start: first.start, end: second.end, replacement: `${b}${between}${a}` };
}

/** Statements with a side effect: one is removed, or swapped with its neighbour. */
function statementSlips(body: readonly Node[], source: string): Slip[] {
  const slips: Slip[] = [];
  for (const [index, statement] of body.entries()) {
    if (statement.type !== "ExpressionStatement") continue;
    slips.push(replace(`${verbOf(statement)} forgotten`, statement, () => ";", source));
    const next = body[index + 1];
    if (next?.type === "ExpressionStatement") slips.push(swap("statements swapped", statement, next, source));
  }
  return slips;
}

function verbOf(statement: Node): string {
  const { type } = statement.expression as Node;
  return type === "AssignmentExpression" || type === "UpdateExpression" ? "assignment" : "call";
}

function literalSlips(node: Node, source: string): Slip[] {
  const { value } = node;
  if (typeof value === "boolean") return [replace("boolean inverted", node, () => String(!value), source)];
  if (typeof value === "number") return [replace("off by one", node, () => String(value + 1), source)];
  return [];
}
