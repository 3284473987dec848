import type { PropertyRow } from "./data-rows.ts";
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
  readonly value: unknown;
  /** User code has assigned it: all of it is written at the end of this turn. */
  write(): void;
  /** The setup function has assigned it, and may go on to change it through a reference of its own. */
  watchReference(): void;
  /** Has its rows removed at the end of this turn. */
  discard(): void;
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
