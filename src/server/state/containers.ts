import { setOwn } from "../../shared/set-own.ts";
import { MAX_HOLES } from "../constants.ts";

/** Whether a value is a plain object or an array: proxies see changes in these at any depth. */
export function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether an object can be stored, but changes in a way that no proxy can see. */
export function isOpaque(value: object): boolean {
  return value instanceof Map || value instanceof Set || isCopiedWhole(value);
}

/** Objects of built-in classes that structured clone can copy, and whose content cannot be visited. */
function isCopiedWhole(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof Date ||
    value instanceof RegExp ||
    value instanceof Error
  );
}

/** An empty container of the same kind, or a copy of an object that is copied whole; undefined when there is none. */
export function createLike(source: object): object | undefined {
  if (Array.isArray(source)) return isSparse(source) ? [] : new Array(source.length);
  if (isPlain(source)) return {};
  if (source instanceof Map) return new Map();
  if (source instanceof Set) return new Set();
  return isCopiedWhole(source) ? tryToClone(source) : undefined;
}

/**
 * Whether a value is an array that consists mostly of holes. Such an array takes no memory until somebody visits its
 * items or reads it from storage, and a single index that a client chose makes one.
 */
export function isSparse(source: object): boolean {
  if (!Array.isArray(source) || source.length <= MAX_HOLES) return false;
  return source.length > 2 * Object.keys(source).length;
}

/** The entries of a container, as they are: a Map of `io.data` has methods of its own, which give proxies. */
export function entriesOf(source: object): Iterable<[unknown, unknown]> {
  if (source instanceof Map) return Map.prototype.entries.call(source);
  return source instanceof Set ? source.entries() : Object.entries(source);
}

/** How entries are added to a container; undefined for an object that is copied whole. */
export function putterOf(target: object): ((key: unknown, value: unknown) => void) | undefined {
  if (target instanceof Map) return (key, value) => target.set(key, value);
  if (target instanceof Set) return (value) => target.add(value);
  return isPlain(target) ? (key, value) => setOwn(target, key as string, value) : undefined;
}

function tryToClone(source: object): object | undefined {
  try {
    return structuredClone(trim(source));
  } catch {
    // The cause of an error may be anything, and the buffer of a view may have been transferred.
    return undefined;
  }
}

/** A view takes its whole buffer along when it is cloned, so a part of a buffer is cut out first. */
function trim(value: object): object {
  if (!(value instanceof Uint8Array) || value.byteLength === value.buffer.byteLength) return value;
  return new Uint8Array(value);
}
