import { toAttachment } from "../../codec/attachments.ts";
import { isPlain } from "./containers.ts";

/** Whether two plain copies hold the same. */
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
