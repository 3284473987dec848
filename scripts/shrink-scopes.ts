/** Finds the variables of a module, where each stands, and which of them cannot have the same name. */
import { parseAst } from "rolldown/parseAst";

export interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

interface Scope {
  parent?: Scope;
  isFunction: boolean;
  names: Map<string, Symbol>;
}

interface Symbol {
  name: string;
  places: (readonly [start: number, end: number])[];
  /** Where it is declared, and all scopes between there and its uses. */
  scopes: Set<Scope>;
  owner: Scope;
  /** By their place in the list: what must not have the same name. */
  rivals: Set<number>;
}

/** Properties that only the client's own code names. */
const PRIVATE = /[^_]_$/;
const SCOPES = /Function|^(BlockStatement|ForStatement|ForOfStatement|ForInStatement|CatchClause)$/;

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

/** Variables and private properties; `taken` are the names that none of them may have. */
export function findSymbols(code: string): { symbols: Symbol[]; taken: Set<string> } {
  const symbols: Symbol[] = [];
  const taken = new Set<string>();
  const scopes = new Map<Node, Scope>();
  const root: Scope = { isFunction: true, names: new Map() };
  const properties: Scope = { isFunction: true, names: new Map() };
  const program = parseAst(code) as unknown as Node;

  const declare = (scope: Scope, name: string): Symbol => {
    const known = scope.names.get(name);
    if (known) return known;
    const symbol = { name, places: [], scopes: new Set([scope]), owner: scope, rivals: new Set<number>() };
    scope.names.set(name, symbol);
    symbols.push(symbol);
    return symbol;
  };
  const declarePattern = (scope: Scope, pattern: Node | null): void => {
    if (pattern?.type === "Identifier") declare(scope, pattern.name as string);
    else if (pattern) for (const part of patternParts(pattern)) declarePattern(scope, part);
  };
  const declareAll = (node: Node, outer: Scope): void => {
    let scope = outer;
    if (node.type === "FunctionDeclaration") declarePattern(outer, node.id as Node);
    if (SCOPES.test(node.type)) {
      scope = { parent: outer, isFunction: /Function/.test(node.type), names: new Map() };
      scopes.set(node, scope);
    }
    if (node.type === "FunctionExpression") declarePattern(scope, node.id as Node | null);
    if (scope.isFunction && Array.isArray(node.params))
      for (const param of node.params as Node[]) declarePattern(scope, param);
    if (node.type === "CatchClause") declarePattern(scope, node.param as Node | null);
    if (node.type === "VariableDeclaration")
      for (const { id } of node.declarations as Node[])
        declarePattern(node.kind === "var" ? functionOf(scope) : scope, id as Node);
    for (const child of childrenOf(node)) declareAll(child, scope);
  };
  const use = ({ name, start, end }: Node, scope: Scope): void => {
    let owner: Scope | undefined = scope;
    while (owner && !owner.names.has(name as string)) owner = owner.parent;
    const symbol = owner?.names.get(name as string);
    if (!symbol) return void taken.add(name as string);
    symbol.places.push([start, end]);
    for (let each = scope; each !== owner; each = each.parent!) symbol.scopes.add(each);
  };
  const useProperty = (key: Node): void => {
    if (key.type !== "Identifier") return;
    if (!PRIVATE.test(key.name as string)) return void taken.add(key.name as string);
    declare(properties, key.name as string).places.push([key.start, key.end]);
  };
  const useAll = (node: Node, outer: Scope): void => {
    const scope = scopes.get(node) ?? outer;
    if (node.type === "Identifier") use(node, scope);
    const key = (node.type === "MemberExpression" ? node.property : node.key) as Node | undefined;
    const isName = key && !node.computed;
    if (isName) useProperty(key);
    if (node.shorthand) throw new Error("a minifier leaves no shorthand properties");
    for (const child of childrenOf(node)) {
      if (child === node.exported || (isName && child === key)) continue;
      useAll(child, node.type === "FunctionDeclaration" && child === node.id ? outer : scope);
    }
  };

  declareAll(program, root);
  useAll(program, root);
  symbols.forEach((one, index) => {
    symbols.forEach((other, id) => {
      if (index !== id && (one.scopes.has(other.owner) || other.scopes.has(one.owner))) one.rivals.add(id);
    });
  });
  return { symbols, taken };
}

function functionOf(scope: Scope): Scope {
  return scope.isFunction ? scope : functionOf(scope.parent!);
}

function childrenOf(node: Node): Node[] {
  return Object.values(node).flat().filter(isNode);
}

/** What a pattern takes apart; default values are no part of it. */
function patternParts(pattern: Node): Node[] {
  const parts = pattern.properties ?? pattern.elements ?? [pattern.value ?? pattern.left ?? pattern.argument];
  return (parts as (Node | null)[]).filter((part) => part !== null);
}
