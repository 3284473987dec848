import { MAX_DEPTH } from "../constants.ts";
import { createLike, entriesOf, isSparse, putterOf } from "./containers.ts";
import { unwrap } from "./raw.ts";

/** Stands for a value that has to be left out. */
const NOTHING: unique symbol = Symbol();

/**
 * Copies a value as plain data that structured clone can hold: without proxies, functions, symbols and instances of
 * classes. Cycles and objects that occur several times are kept.
 * @param path how `onLeftOut` names the value itself
 * @param onLeftOut is called for each value that is left out
 */
export function toPlain(
  value: unknown,
  path = "",
  onLeftOut: (path: string, value: unknown) => void = () => {},
): unknown {
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
      onLeftOut(at, source);
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
