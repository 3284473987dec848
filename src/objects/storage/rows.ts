import { estimateBytes } from "../../shared/estimate-bytes.ts";

/** How much of what nobody needs is removed in one go, bytes. The rest has to wait for the next tick. */
const MOST_REMOVED = 32_000_000;
/** So many unreadable rows one after the other are taken for a failure of the list itself. */
const MOST_FAILURES = 1_000;

/**
 * The rows whose keys begin so, in the order of their keys. One is in memory at a time, and may be removed or written
 * anew; no other list may begin meanwhile. A row whose value cannot be read is passed over: not even its key can be
 * known.
 */
export function* eachRow<T>(kv: Pick<SyncKvStorage, "list">, prefix: string): Iterable<[string, T]> {
  const rows = kv.list<T>({ prefix })[Symbol.iterator]();
  for (let failures = 0; failures < MOST_FAILURES; ) {
    let row: IteratorResult<[string, T]>;
    try {
      row = rows.next();
    } catch {
      failures++;
      continue;
    }
    if (row.done) return;
    failures = 0;
    yield row.value;
  }
}

/**
 * Removes rows whose keys begin so and that are of no use, about `most` bytes of them. What is left of `most`;
 * negative: stopped.
 */
export function removeRows<T>(
  kv: Pick<SyncKvStorage, "list" | "delete">,
  prefix: string,
  most = MOST_REMOVED,
  isUseless: (row: T, key: string) => boolean = () => true,
): number {
  let left = most;
  for (const [key, row] of eachRow<T>(kv, prefix)) {
    if (left < 0) break;
    if (!isUseless(row, key)) continue;
    kv.delete(key);
    left -= estimateBytes(row);
  }
  return left;
}

/** Removes rows whose keys begin with one of these: all, or a part of what takes long. `true`: none is left. */
export function removeAll(
  kv: Pick<SyncKvStorage, "list" | "delete">,
  ...prefixes: readonly string[]
): boolean {
  let left: number | undefined;
  for (const prefix of prefixes) left = removeRows(kv, prefix, left);
  return (left ?? 0) >= 0;
}
