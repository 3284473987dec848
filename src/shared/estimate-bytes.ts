/** How many levels of nesting a row can hold. */
const MAX_DEPTH = 1_000;

/** Estimates how many bytes plain data takes in memory. */
export function estimateMemory(value: unknown): number {
  return estimateBytes(value, Infinity, 40);
}

/**
 * Estimates how many bytes structured clone needs for plain data, never too few. Each object is counted once, so
 * circular references do no harm. The function does not recurse; data that is nested too deeply counts as infinitely
 * large.
 */
export function estimateBytes(value: unknown, maxDepth = MAX_DEPTH, perObject = 12): number {
  if (typeof value !== "object" || value === null) return bytesOfPrimitive(value);
  let total = 0;
  const seen = new Set<object>();
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return Infinity;
    const below: unknown[] = [];
    for (const item of level) {
      if (typeof item !== "object" || item === null || seen.has(item)) total += bytesOfPrimitive(item);
      else {
        seen.add(item);
        total += perObject + addInside(item, below);
      }
    }
    level = below;
  }
  return total;
}

/** Of an object that was counted before: what a reference to it takes. */
function bytesOfPrimitive(value: unknown): number {
  return typeof value === "string" ? bytesOfText(value) + 6 : 10;
}

/** Adds the values of an object to `below`, and returns the bytes of everything else in it. */
function addInside(value: object, below: unknown[]): number {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value.byteLength + 12;
  const before = below.length;
  if (value instanceof Map) for (const entry of value) below.push(...entry);
  else if (Array.isArray(value) || value instanceof Set) for (const item of value) below.push(item);
  else {
    let bytes = 0;
    for (const key of Object.keys(value)) {
      bytes += key.length * 2 + 4;
      below.push((value as Record<string, unknown>)[key]);
    }
    return bytes;
  }
  return (below.length - before) * 2;
}

/** The bytes of a string in memory: two for each letter if one of them is beyond Latin-1, otherwise one. */
export function bytesOfText(text: string): number {
  return /[\u0100-\uffff]/.test(text) ? 2 * text.length : text.length;
}
