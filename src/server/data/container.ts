/** A Map or plain object that user code sees, and whose entries have rows of their own. */
export interface Container {
  readonly kind: "map" | "object";
  /** What user code is given. */
  readonly given: object;
  /** The Map or object itself, which holds the values themselves. */
  readonly raw: object;
  entries(): Iterable<[unknown, unknown]>;
  put(key: unknown, value: unknown): void;
  remove(key: unknown): void;
}

/** Is told what user code does to a container. */
export interface ContainerListener {
  /** Returns what user code is given for an entry. `value` is undefined when there is no such entry. */
  read(key: unknown, value: unknown): unknown;
  assign(key: unknown, value: unknown): void;
  /** User code gets the container itself, and may change whatever is in it. */
  escape(): void;
  /** Returns whether there was such an entry. */
  remove(key: unknown): boolean;
}
