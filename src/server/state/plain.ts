import { toAttachment } from "../../codec/attachments.ts";
import { setOwn } from "../../shared/set-own.ts";

/**
 * Answered by our proxies with the object they stand for. A registered symbol: nobody meets it by accident, and two
 * copies of this module understand each other.
 */
export const RAW: unique symbol = Symbol.for("socket.io-edge.raw") as never;

/** As {@link RAW}, for code that may change what it gets: whoever tracks the object looks for changes later. */
export const LEND: unique symbol = Symbol.for("socket.io-edge.lend") as never;

/** The value itself, where `value` may be one of our proxies. */
export function unwrap(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return (value as { [RAW]?: object })[RAW] ?? value;
}

/** Plain objects and arrays: changes in these are seen at any depth. */
export function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Objects with an inside of their own that structured clone can hold. */
function isOpaque(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof Date ||
    value instanceof RegExp ||
    value instanceof Error
  );
}

/** Whether a value can be stored and changes unseen. */
export function isWatchable(value: object): boolean {
  return value instanceof Map || value instanceof Set || isOpaque(value);
}

/** Stands for a value that has to be left out. */
const NOTHING: unique symbol = Symbol();

/** Deeper than this nobody means it, and structured clone itself gives up somewhere. */
const MAX_DEPTH = 500;

/** Holes that an array may have in any case. */
const MOST_HOLES = 1_000;

/**
 * Copies a value as plain data that structured clone can hold: no proxies, functions, symbols or class instances.
 * Each value that is left out is reported with its path, if anybody asks for that. Cycles and shared objects are kept.
 */
export function toPlain(value: unknown, path = "", onLeftOut: (path: string) => void = () => {}): unknown {
  const copies = new Map<object, object>();
  const copied = copy(value, path, 0);
  return copied === NOTHING ? undefined : copied;

  function copy(given: unknown, at: string, depth: number): unknown {
    const isData = typeof given !== "function" && typeof given !== "symbol";
    if (isData && (typeof given !== "object" || given === null)) return given;
    const source = unwrap(given) as object;
    const isKept = isData && depth < MAX_DEPTH && !isSparse(source);
    const target = copies.get(source) ?? (isKept ? createLike(source) : undefined);
    if (target === undefined) {
      onLeftOut(at);
      return NOTHING;
    }
    if (copies.has(source)) return target;
    copies.set(source, target);
    const put = putterOf(target);
    if (put === undefined) return target;
    for (const [key, item] of entriesOf(source)) {
      const name = copy(key, at, depth + 1);
      const content = copy(item, `${at}.${String(key)}`, depth + 1);
      if (name !== NOTHING && content !== NOTHING) put(name, content);
    }
    return target;
  }
}

/** An empty container of the same kind, or a copy of what has no inside that we could look into. */
function createLike(source: object): object | undefined {
  if (Array.isArray(source)) return isSparse(source) ? [] : new Array(source.length);
  if (isPlain(source)) return {};
  if (source instanceof Map) return new Map();
  if (source instanceof Set) return new Set();
  return isOpaque(source) ? tryClone(source) : undefined;
}

/**
 * An array that is mostly holes takes no room, until something visits them, or reads it from storage: one index that a
 * client chose would do.
 */
function isSparse(source: object): boolean {
  if (!Array.isArray(source) || source.length <= MOST_HOLES) return false;
  return source.length > 2 * Object.keys(source).length;
}

function tryClone(source: object): object | undefined {
  try {
    return structuredClone(trim(source));
  } catch {
    // The cause of an error may be anything, and bytes may have been handed on to somebody else.
    return undefined;
  }
}

function entriesOf(source: object): Iterable<[unknown, unknown]> {
  return source instanceof Map || source instanceof Set ? source.entries() : Object.entries(source);
}

function putterOf(target: object): ((key: unknown, value: unknown) => void) | undefined {
  if (target instanceof Map) return (key, value) => target.set(key, value);
  if (target instanceof Set) return (value) => target.add(value);
  return isPlain(target) ? (key, value) => setOwn(target, key as string, value) : undefined;
}

/** A view takes its whole buffer along when it is cloned: small ones are cut out first. */
function trim(value: object): object {
  if (!(value instanceof Uint8Array) || value.byteLength === value.buffer.byteLength) return value;
  return new Uint8Array(value);
}

/** Whether two plain copies say the same. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (Array.isArray(a)) return areSame(a, b as unknown[]);
  if (isPlain(a))
    return areSame(Object.keys(a), Object.keys(b)) && areSame(Object.values(a), Object.values(b));
  if (a instanceof Map || a instanceof Set) {
    return (
      areSame([...a.keys()], [...(b as typeof a).keys()]) &&
      areSame([...a.values()], [...(b as typeof a).values()])
    );
  }
  if (a instanceof Date || a instanceof RegExp || a instanceof Error)
    return String(+a) + a === String(+b) + b;
  return areSame(toAttachment(a) as Uint8Array, toAttachment(b) as Uint8Array);
}

function areSame(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!isSame(a[i], b[i])) return false;
  return true;
}

/**
 * The value with our proxies replaced by the objects they stand for, at any depth: what leaves for the platform, which
 * can clone no proxy. Where there are none it is the value itself.
 */
export function withoutProxies<T>(value: T, as: typeof RAW | typeof LEND = RAW): T {
  return replaceProxies(value, as, new Map()) as T;
}

function holdsProxy(value: unknown, seen: Set<unknown>, depth = 0): boolean {
  const source = unwrap(value);
  if (source !== value) return true;
  if (!isContainer(source) || seen.has(source) || depth > MAX_DEPTH) return false;
  seen.add(source);
  for (const entry of entriesOf(source)) {
    if (entry.some((item) => holdsProxy(item, seen, depth + 1))) return true;
  }
  return false;
}

function replaceProxies(value: unknown, as: typeof RAW | typeof LEND, copies: Map<object, object>): unknown {
  if (!holdsProxy(value, new Set())) return value;
  const source = unwrap(value) as object;
  if (source !== value) {
    void (value as { [key: symbol]: unknown })[as];
    if (!holdsProxy(source, new Set())) return source;
  }
  if (copies.has(source)) return copies.get(source);
  const target = createLike(source) as object;
  copies.set(source, target);
  const put = putterOf(target);
  for (const [key, item] of entriesOf(source))
    put?.(replaceProxies(key, as, copies), replaceProxies(item, as, copies));
  return target;
}

function isContainer(value: unknown): value is object {
  return isPlain(value) || value instanceof Map || value instanceof Set;
}
