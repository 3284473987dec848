import { isPlain } from "../state/containers.ts";
import { unwrap } from "../state/raw.ts";
import { DataRow, type RowOwner, type StoredValue } from "./data-row.ts";
import { type PropertyRow, toPropertyKey } from "./data-rows.ts";
import type { DataWriter } from "./data-writer.ts";

/** So long after a restart the clients of a child namespace may come back before its data is removed, ms. */
export const CHILD_MS = 300_000;

/** Where a property belongs. */
export interface PropertyContext {
  readonly writer: DataWriter;
  readonly nsp: string;
  /** The namespace is the child of a dynamic one, and its data goes when it is removed. */
  readonly isChild: boolean;
  readonly name: string;
  /** How messages name it: `io.data.games`. */
  readonly path: string;
}

/** A property of `io.data`. */
export interface Property {
  /** What user code is given for it. */
  readonly given: unknown;
  /** Its value comes from the setup function and was not changed since, so nothing is stored of it. */
  isDefault: boolean;
  /** The value itself. */
  readonly raw: unknown;
  /** User code has assigned it: all of it is written at the end of this turn. */
  write(): void;
  /** The setup function has assigned it, and may go on to change it through a reference of its own. */
  watchReference(): void;
  /** Has its rows removed at the end of this turn. */
  removeAll(): void;
  /** Removes what was last changed before this moment. Returns whether nothing is left. */
  expire(before: number): boolean;
}

/** The row of a property. */
export function toPropertyRow(
  { isChild }: PropertyContext,
  row: Omit<PropertyRow, "v" | "isChild">,
): PropertyRow {
  return isChild ? { v: 1, ...row, isChild } : { v: 1, ...row };
}

/** Has what was written now looked at when it may have expired. */
export function scheduleSweep({ writer, name, isChild }: PropertyContext): void {
  const { server } = writer;
  const ttl = Math.min(
    server.ttlOf(name) ?? Number.POSITIVE_INFINITY,
    isChild ? CHILD_MS : Number.POSITIVE_INFINITY,
  );
  if (ttl !== Number.POSITIVE_INFINITY) writer.scheduleSweep(server.now() + ttl);
}

/** How a value is stored as a property: a Map or plain object has a row for each entry. */
export function kindOf(value: unknown): PropertyRow["kind"] {
  if (value instanceof Map) return "map";
  return isPlain(value) && !Array.isArray(value) ? "object" : "value";
}

/** A property that is stored as a whole. */
export class ValueProperty implements Property, RowOwner {
  isDefault: boolean;
  readonly #row: DataRow;
  readonly #context: PropertyContext;

  constructor(context: PropertyContext, value: unknown, isDefault: boolean, stored?: PropertyRow) {
    const { writer, nsp, name, path } = context;
    this.isDefault = isDefault;
    this.#context = context;
    this.#row = new DataRow(
      this,
      writer,
      { ...stored, key: toPropertyKey(nsp, name), path, place: 0 },
      unwrap(value),
    );
  }

  get given(): unknown {
    return this.#row.given;
  }

  get raw(): unknown {
    return this.#row.value;
  }

  write(): void {
    this.#row.write();
  }

  watchReference(): void {
    this.#row.watchReference();
  }

  removeAll(): void {
    this.#row.remove();
  }

  expire(before: number): boolean {
    const isOver = this.#row.bytes > 0 && this.#row.at < before;
    if (isOver) this.removeAll();
    return isOver;
  }

  onChanged(row: DataRow): void {
    this.isDefault &&= !this.#context.writer.server.isSetUp;
    if (!this.isDefault) row.write();
  }

  toStored(_row: DataRow, stored: StoredValue): PropertyRow {
    scheduleSweep(this.#context);
    return toPropertyRow(this.#context, { kind: "value", ...stored });
  }

  onWritten(): void {}
}
