/** 32 well-mixed bits of a text (FNV-1a, and the finalizer of MurmurHash3). The same everywhere and for good. */
export function hash(text: string): number {
  let bits = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) bits = Math.imul(bits ^ text.charCodeAt(i), 0x01000193);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** The items in the order of their weights, the smallest first. */
export function sortBy<T>(items: readonly T[], toWeight: (item: T) => number): T[] {
  return items
    .map((item) => ({ item, weight: toWeight(item) }))
    .sort((a, b) => a.weight - b.weight)
    .map(({ item }) => item);
}

/**
 * The items in an order of the key's own (rendezvous hashing): where items are added or removed, only those keys get
 * another first item that belong to them.
 */
export function rank(key: string, items: readonly string[]): string[] {
  return sortBy(items, (item) => -hash(`${key}\n${item}`));
}
