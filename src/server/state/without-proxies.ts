import { MAX_DEPTH } from "../constants.ts";
import { createLike, entriesOf, isPlain, putterOf } from "./containers.ts";
import { type ESCAPING_RAW, RAW, unwrap } from "./raw.ts";

/** What the receiver may do: only read, or also change the objects behind the proxies. */
type As = typeof RAW | typeof ESCAPING_RAW;

/**
 * A value with our proxies replaced by the objects behind them, at any depth, for receivers that clone it: the platform
 * can clone no proxy. A value that holds no proxy is returned itself.
 */
export function withoutProxies<T>(value: T, as: As = RAW): T {
  return replaceProxies(value, as, new Map()) as T;
}

function replaceProxies(value: unknown, as: As, copies: Map<object, object>): unknown {
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

function isContainer(value: unknown): value is object {
  return isPlain(value) || value instanceof Map || value instanceof Set;
}
