/** Rows in memory, for an object that stores nothing: they end with the instance. */
export class MemoryRows implements Rows {
  readonly #rows = new Map<string, unknown>();

  get<T>(key: string): T | undefined {
    return this.#rows.get(key) as T | undefined;
  }

  put<T>(key: string, value: T): void {
    this.#rows.set(key, structuredClone(value));
  }

  delete(key: string): boolean {
    return this.#rows.delete(key);
  }

  list<T>(options: SyncKvListOptions = {}): Iterable<[string, T]> {
    const { prefix = "", start = prefix, startAfter = "", end = "\uffff", reverse = false, limit } = options;
    const isMeant = (key: string) => key.startsWith(prefix) && key >= start && key > startAfter && key < end;
    const keys = [...this.#rows.keys()].filter(isMeant).sort();
    if (reverse) keys.reverse();
    return keys.slice(0, limit).map((key) => [key, this.#rows.get(key) as T]);
  }
}

/** The part of an object's storage that {@link MemoryRows} can replace. */
export type Rows = Pick<SyncKvStorage, "get" | "put" | "delete" | "list">;
