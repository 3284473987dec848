import { toPrefix } from "../../shared/key-prefix.ts";
import { MAX_KEY_BYTES } from "../constants.ts";

type Es2024String = string & { isWellFormed(): boolean };

/** Where `io.data` is stored. It is synchronous, as the storage of a Durable Object is. */
export interface DataRows {
  get<T>(key: string): T | undefined;
  put<T>(key: string, value: T): void;
  delete(key: string): boolean;
  /** The rows whose keys begin with `prefix`, one at a time. No other list may begin meanwhile. */
  list<T>(options: { prefix: string; limit?: number }): Iterable<[string, T]>;
}

/** The row of a property. */
export interface PropertyRow {
  readonly v: 1;
  /** "map", "object": entries have rows of their own. "value": the property is stored as a whole. */
  readonly kind: "map" | "object" | "value";
  /** When it was last written, ms. */
  readonly at: number;
  /** About the size of the row, or of the rows of all entries. */
  readonly bytes: number;
  readonly value?: unknown;
  /** Whether the namespace is the child of a dynamic one, so that its data is removed with it. */
  readonly isChild?: true;
}

/** The row of an entry of a Map or of a plain object. */
export interface EntryRow {
  readonly v: 1;
  readonly key: EntryKey;
  /** Sorts the entries in the order in which they were added. */
  readonly place: number;
  /** When it was last written, ms. */
  readonly at: number;
  readonly bytes: number;
  readonly value: unknown;
}

/** A key of a Map that can be stored. */
export type EntryKey = string | number | bigint | boolean | null | undefined;

const PROPERTY = "sio_d:";
const ENTRY = "sio_e:";
/** The row that says when expired rows are looked for, ms. */
export const SWEEP_KEY = "sio_x";

export function isEntryKey(key: unknown): key is EntryKey {
  return key === null || !["object", "function", "symbol"].includes(typeof key);
}

/** The prefix of the rows of all properties: of a namespace, or of all of them. */
export function propertiesOf(nsp?: string): string {
  return nsp === undefined ? PROPERTY : toPrefix(PROPERTY, nsp);
}

/** The prefix of the rows of all entries: of a property, or of a namespace. */
export function entriesOf(nsp: string, name?: string): string {
  const prefix = toPrefix(ENTRY, nsp);
  return name === undefined ? prefix : toPrefix(prefix, name);
}

/** @throws Error when the name cannot be part of a key */
export function toPropertyKey(nsp: string, name: string): string {
  return checked(propertiesOf(nsp) + name, name);
}

/** @throws Error when the entry's key cannot be part of a row's key */
export function toEntryKey(nsp: string, name: string, key: EntryKey): string {
  return checked(`${entriesOf(nsp, name)}${typeof key}:${String(key)}`, key);
}

/** Takes the key of a property's row apart. */
export function parsePropertyKey(key: string): { nsp: string; name: string } {
  const start = key.indexOf(":", PROPERTY.length) + 1;
  const end = start + Number(key.slice(PROPERTY.length, start - 1));
  return { nsp: key.slice(start, end), name: key.slice(end + 1) };
}

/** Whether a text can be the key of a row. */
export function isStorable(rowKey: string): boolean {
  // No character takes more than three bytes, so most keys need not be encoded to know that they fit.
  const fits = 3 * rowKey.length <= MAX_KEY_BYTES || new TextEncoder().encode(rowKey).length <= MAX_KEY_BYTES;
  return fits && (rowKey as Es2024String).isWellFormed();
}

function checked(rowKey: string, key: EntryKey): string {
  if (isStorable(rowKey)) return rowKey;
  const shown = String(key).slice(0, 50);
  throw new Error(
    `io.data cannot store the key "${shown}": with its namespace and property it may take 2,000 bytes of valid Unicode`,
  );
}
