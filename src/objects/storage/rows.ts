import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { MOST_FAILURES, MOST_REMOVED } from "../constants.ts";

/**
 * Lists the rows whose keys begin with `prefix`, in the order of their keys. One row is in memory at a time, and may be
 * removed or rewritten; no other list may begin meanwhile. A row whose value cannot be read is skipped, since not even
 * its key is known.
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
 * Removes useless rows whose keys begin with `prefix`, about `most` bytes of them. Returns what is left of `most`: a
 * negative number when it stopped before the end.
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

/**
 * Removes the rows whose keys begin with one of the prefixes, or a part of them when there are many. Returns whether
 * none is left.
 */
export function removeAll(
  kv: Pick<SyncKvStorage, "list" | "delete">,
  ...prefixes: readonly string[]
): boolean {
  let left: number | undefined;
  for (const prefix of prefixes) left = removeRows(kv, prefix, left);
  return (left ?? 0) >= 0;
}
