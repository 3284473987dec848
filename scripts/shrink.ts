/**
 * Makes minified code compress better without changing what it does: by trial it gives variables other names and puts
 * functions and properties in another order, and keeps what makes the compressed text smaller. The same code comes out
 * the same each time.
 */
import { deflateRawSync } from "node:zlib";
import { parseAst } from "rolldown/parseAst";
import { findSymbols, isNode, type Node } from "./shrink-scopes.ts";

/** The letters that code is full of anyway come first. */
const NAMES = [..."etnriaosclupfdmhgyvbwxkjzSTCPAEDMILROBNFHUWV_$"];
const FREQUENT = 14;
/** More symbols than this are not renamed at a time. */
const MAX_CHAIN = 60;

/** Expressions without an effect; `new` is one of a Map or a Set. */
const INERT = /^(Identifier|Literal|Property|(Unary|Binary|Conditional|Member|Array|Object|New)Expression)$/;

type Span = readonly [start: number, end: number];

/** A small generator of numbers below `limit`; always the same ones for a seed. */
function createDice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % limit;
  };
}

function compressedSize(code: string): number {
  return deflateRawSync(code, { level: 9 }).length;
}

/** Changes that are tried; each costs about a fifth of a millisecond. */
const ROUNDS = 50_000;

/** With another `seed` the trials take another way, to a text that is some bytes larger or smaller. */
export function shrink(code: string, seed: number): string {
  const steps = [rename, reorder, rename, reorder, rename];
  return steps.reduce((text, step) => step(text, ROUNDS / steps.length, seed), code);
}

/**
 * Rows of neighbours that may change places: functions of one body, constants of a module that runs nothing, and
 * properties. What they are given must have no effect.
 */
function findRows(code: string): Span[][] {
  const rows: Span[][] = [];
  const add = (nodes: Node[]) => nodes.length > 1 && rows.push(nodes.map(({ start, end }) => [start, end]));
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      const movable = value.filter(isNode).filter(isMovableStatement);
      const isModule = value.every((item) => movable.includes(item) || /^Export/.test(item?.type));
      add(movable.filter(({ type }) => isModule || type === "FunctionDeclaration"));
    }
    if (isNode(value) && value.type === "ObjectExpression") {
      const properties = value.properties as Node[];
      const isMovable = ({ type, computed, value: item }: Node) =>
        type === "Property" && !computed && isInert(item as Node);
      if (properties.every(isMovable)) add(properties);
    }
    if (typeof value === "object" && value) Object.values(value).forEach(visit);
  };
  visit(parseAst(code).body);
  return rows;
}

function isMovableStatement({ type, kind, declarations }: Node): boolean {
  if (type === "FunctionDeclaration") return true;
  const isVar = type === "VariableDeclaration" && kind === "var";
  return isVar && (declarations as Node[]).every(({ init }) => isNode(init) && isInert(init));
}

function isInert(node: Node): boolean {
  if (/Function/.test(node.type)) return true;
  return INERT.test(node.type) && Object.values(node).flat().filter(isNode).every(isInert);
}

function reorder(code: string, rounds: number, seed: number): string {
  const dice = createDice(seed);
  let best = code;
  let size = compressedSize(best);
  let rows = findRows(best);
  for (let round = 0; round < rounds; round++) {
    const row = rows[dice(rows.length)]!;
    const order = [...row];
    order.splice(dice(row.length), 0, ...order.splice(dice(row.length), 1));
    const parts = row.map(([, end], index) => {
      const gap = best.slice(end, row[index + 1]?.[0] ?? end);
      return best.slice(...order[index]!) + gap;
    });
    const candidate = best.slice(0, row[0]![0]) + parts.join("") + best.slice(row.at(-1)![1]);
    if (compressedSize(candidate) > size) continue;
    best = candidate;
    size = compressedSize(best);
    rows = findRows(best);
  }
  return best;
}

function rename(code: string, rounds: number, seed: number): string {
  const dice = createDice(seed);
  const { symbols, taken } = findSymbols(code);
  const names = symbols.map(({ name }) => name);
  const places = symbols
    .flatMap(({ places }, id) => places.map(([start, end]) => ({ start, end, id })))
    .sort((one, other) => one.start - other.start);
  const gaps = [...places.map(({ start }, index) => code.slice(places[index - 1]?.end ?? 0, start))];
  const tail = code.slice(places.at(-1)?.end ?? 0);
  const render = () => gaps.map((gap, index) => gap + names[places[index]!.id]).join("") + tail;
  const free = NAMES.filter((name) => !taken.has(name));

  /** The new names of a symbol and of all that must make way for it, which take its old name in turn. */
  const swap = (first: number, name: string): Map<number, string> | undefined => {
    const old = names[first]!;
    const changes = new Map([[first, name]]);
    for (const [id, wanted] of changes)
      for (const rival of symbols[id]!.rivals) {
        if ((changes.get(rival) ?? names[rival]) !== wanted) continue;
        if (changes.has(rival) || changes.size > MAX_CHAIN) return undefined;
        changes.set(rival, wanted === name ? old : name);
      }
    return changes;
  };

  // A first time, what is used most gets the first name that it may have.
  if (names.some((name) => name.length > 1)) {
    const byUse = [...symbols.keys()].sort(
      (one, other) => symbols[other]!.places.length - symbols[one]!.places.length,
    );
    names.fill("");
    for (const id of byUse) {
      const used = new Set([...symbols[id]!.rivals].map((rival) => names[rival]));
      names[id] = free.find((name) => !used.has(name)) ?? symbols[id]!.name;
    }
  }
  let size = compressedSize(render());
  for (let round = 0; round < rounds; round++) {
    const id = dice(symbols.length);
    const name = free[dice(dice(2) ? FREQUENT : free.length)]!;
    const changes = name === names[id] ? undefined : swap(id, name);
    if (!changes) continue;
    const before = [...changes].map(([each]) => [each, names[each]!] as const);
    for (const [each, wanted] of changes) names[each] = wanted;
    const found = compressedSize(render());
    if (found <= size) size = found;
    else for (const [each, was] of before) names[each] = was;
  }
  return render();
}
