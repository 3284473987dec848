import type { PropertyRow } from "./data-rows.ts";
import type { DataWriter } from "./data-writer.ts";

/** How long after a restart the data of a child namespace waits for its clients to come back, ms. */
export const CHILD_MS = 300_000;

/** The namespace of a property, and what it needs there. */
export interface PropertyContext {
  readonly writer: DataWriter;
  readonly nsp: string;
  /** Whether the namespace is the child of a dynamic one, so that its data is removed with it. */
  readonly isChild: boolean;
  readonly name: string;
  /** Its name in messages: `io.data.games`. */
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
  /** Removes its rows at the end of this turn. */
  discard(): void;
  /** Removes the parts that were last changed before this time. Returns whether nothing is left. */
  expire(before: number): boolean;
}

/** The row of a property. */
export function toPropertyRow(
  { isChild }: PropertyContext,
  row: Omit<PropertyRow, "v" | "isChild">,
): PropertyRow {
  return isChild ? { v: 1, ...row, isChild } : { v: 1, ...row };
}

/** Makes sure that what was written or read now is looked at when it may have expired. */
export function scheduleSweep({ writer, name, isChild }: PropertyContext): void {
  const ttl = Math.min(writer.ttlOf(name), isChild ? CHILD_MS : Infinity);
  if (ttl < Infinity) writer.scheduleSweep(writer.now() + ttl);
}
