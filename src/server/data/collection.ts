import { MAX_SIZE_STEP, MOST_COMPARED, ROW_BYTES, SIZE_STEP_SHARE } from "../constants.ts";
import { unwrap } from "../state/raw.ts";
import type { Container, ContainerListener } from "./container.ts";
import { DataRow, type StoredValue, toReferenceError } from "./data-row.ts";
import {
  type EntryKey,
  type EntryRow,
  entriesOf,
  isEntryKey,
  type PropertyRow,
  toEntryKey,
  toPropertyKey,
} from "./data-rows.ts";
import type { DataWriter, Saveable } from "./data-writer.ts";
import { ObservedMap } from "./observed-map.ts";
import { ObservedObject } from "./observed-object.ts";
import { type Property, type PropertyContext, scheduleSweep, toPropertyRow } from "./property.ts";

/** An entry of a Map or plain object directly under `io.data`. */
class Entry extends DataRow {
  /** Sorts the entries of a property. */
  readonly place: number;
  readonly #collection: Collection;
  readonly #key: EntryKey;

  constructor(
    collection: Collection,
    context: PropertyContext,
    key: EntryKey,
    value: unknown,
    place: number,
    stored?: EntryRow,
  ) {
    super(context, toEntryKey(context.nsp, context.name, key), `${context.path}.${key}`, value, stored);
    this.#collection = collection;
    this.#key = key;
    this.place = place;
  }

  override get isDefault(): boolean {
    return this.#collection.isDefault;
  }

  protected override onChanged(): void {
    this.#collection.onChanged(this);
  }

  protected override toStored(stored: StoredValue): EntryRow {
    return { v: 1, key: this.#key, place: this.place, ...stored };
  }

  protected override onWritten(growth: number): void {
    this.#collection.onWritten(growth);
  }
}

/** A Map or plain object directly under `io.data`: one row for each entry, and one for itself. */
export class Collection implements Property, Saveable, ContainerListener {
  isDefault: boolean;
  readonly key: string;
  readonly path: string;
  /** The size of its own row; 0 when that is not stored. */
  bytes: number;
  readonly #context: PropertyContext;
  readonly #writer: DataWriter;
  readonly #container: Container;
  readonly #rows = new Map<unknown, Entry>();
  /** About the size of the rows of all entries: now, and as its own row says. */
  #entryBytes = 0;
  #writtenEntryBytes = 0;
  /** What a replay has assigned. It is not kept, but the replay can read it. */
  #refused: Map<unknown, unknown> | undefined;
  #isRemoved = false;
  /** Whether a comparison has found a change that was not made by the proxy of the plain object. */
  #isReferenceUsed = false;

  /** The entries are read from storage if there is a row. Otherwise they are those of `value`, as user code gave it. */
  constructor(context: PropertyContext, value: object, isDefault: boolean, stored?: PropertyRow) {
    const { writer, nsp, name, path } = context;
    this.#context = context;
    this.#writer = writer;
    this.key = toPropertyKey(nsp, name);
    this.path = path;
    this.isDefault = isDefault;
    this.bytes = stored === undefined ? writer.bytesOf(this.key) : ROW_BYTES;
    this.#container = value instanceof Map ? new ObservedMap(value, this) : new ObservedObject(value, this);
    if (stored !== undefined) this.#load(stored);
    else for (const [key, item] of [...this.#container.entries()]) this.#put(key, item);
  }

  get given(): object {
    return this.#container.given;
  }

  get value(): object {
    return this.#container.raw;
  }

  write(): void {
    // The code that has assigned a plain object may go on to change it.
    if (this.#container.kind === "object") this.#writer.escaped.add(this);
    this.#writer.markDirty(this);
    for (const row of this.#rows.values()) row.write();
  }

  watchReference(): void {
    for (const row of this.#rows.values()) row.watchReference();
    if (this.#container.kind === "object") this.#writer.escaped.addForGood(this);
  }

  discard(): void {
    this.#isRemoved = true;
    this.#writer.escaped.forget(this);
    for (const row of this.#rows.values()) row.discard();
    if (this.bytes > 0 || this.#writer.isRefused(this)) this.#writer.markDirty(this);
  }

  expire(before: number): boolean {
    for (const [key, row] of this.#rows) if (row.at < before && row.bytes > 0) this.#removeEntry(key, row);
    return false;
  }

  read(key: unknown, value: unknown): unknown {
    const row = this.#rows.get(key);
    if (row !== undefined) return row.given;
    const isRefused = value === undefined && this.#writer.isMuted;
    return isRefused ? this.#refused?.get(key) : value;
  }

  assign(key: unknown, value: unknown): void {
    const row = this.#rows.get(key);
    // The setup function may add what is missing.
    const mayAdd = row === undefined && !this.#writer.isSetUp;
    if (!mayAdd && !this.#writer.mayReplace(this.isDefault)) {
      this.#refused ??= new Map();
      this.#refused.set(key, value);
      return;
    }
    this.#refused = undefined;
    if (row === undefined) this.#writer.checkRoom(this.path);
    // Assigning the same value again makes it expire later, if it expires at all.
    if (row === undefined || !Object.is(row.value, unwrap(value))) this.onChanged(this.#put(key, value));
    else if (this.#writer.canExpire(this.#context.name)) this.onChanged(row);
  }

  remove(key: unknown): boolean {
    const row = this.#rows.get(key);
    if (this.#writer.mayReplace(this.isDefault)) this.#removeEntry(key, row);
    return row !== undefined;
  }

  escape(): void {
    this.#writer.escaped.add(this);
    for (const row of this.#rows.values()) row.escape();
  }

  /** Looks for entries that were added, replaced or removed through a reference to the plain object itself. */
  compare(): void {
    if (this.#isRemoved) return;
    const entries = new Map(this.#container.entries());
    for (const [key, value] of entries) {
      if (this.#rows.has(key) && Object.is(this.#rows.get(key)?.value, unwrap(value))) continue;
      this.#isReferenceUsed = true;
      const row = this.#put(key, value);
      row?.watchReference();
      this.onChanged(row);
    }
    for (const [key, row] of this.#rows) if (!entries.has(key)) this.#removeEntry(key, row);
    if (entries.size <= MOST_COMPARED) return;
    this.#writer.escaped.forget(this);
    if (this.#isReferenceUsed) this.#writer.logError(toReferenceError(this.path));
  }

  release(): void {}

  save(now: number): undefined {
    const bytes = this.#isRemoved ? 0 : ROW_BYTES;
    if (this.#isRemoved) this.#writer.rows.delete(this.key);
    else this.#writeOwnRow(now);
    this.#writer.onWritten(bytes - this.bytes);
    this.bytes = bytes;
  }

  onWritten(growth: number): void {
    this.#entryBytes += growth;
    const step = Math.min(MAX_SIZE_STEP, SIZE_STEP_SHARE * this.#writer.maxDataBytes);
    const isOff = Math.abs(this.#entryBytes - this.#writtenEntryBytes) >= step;
    if (isOff && !this.#isRemoved) this.#writeOwnRow(this.#writer.now());
  }

  #load({ bytes }: PropertyRow): void {
    const { nsp, name } = this.#context;
    this.#writtenEntryBytes = bytes;
    const before = this.#writer.now() - this.#writer.ttlOf(name);
    const stored = [...this.#writer.rows.list<EntryRow>({ prefix: entriesOf(nsp, name) })];
    for (const [, entry] of stored.sort((a, b) => a[1].place - b[1].place)) {
      const { key, value } = entry;
      const row = new Entry(this, this.#context, key, value, entry.place, entry);
      this.#entryBytes += entry.bytes;
      this.#writer.places.advance(entry.place);
      if (entry.at < before) row.discard();
      else {
        this.#rows.set(key, row);
        this.#container.put(key, value);
      }
    }
    this.#writer.onWritten(this.#entryBytes - bytes);
  }

  /** Replaces the value of an entry. Returns its row; undefined when its key cannot be stored. */
  #put(key: unknown, value: unknown): Entry | undefined {
    const raw = unwrap(value);
    if (this.#isRemoved || !isEntryKey(key)) {
      if (!this.#isRemoved) this.#writer.warnLeftOut(`${this.path}.${String(key)}`, key);
      this.#rows.delete(key);
      this.#container.put(key, raw);
      return undefined;
    }
    const before = this.#rows.get(key);
    // The new row reads the stored size from the old one.
    before?.discard();
    const row = new Entry(
      this,
      this.#context,
      key,
      raw,
      before?.place ?? this.#writer.places.next(this.#context.nsp),
    );
    this.#container.put(key, raw);
    this.#rows.set(key, row);
    return row;
  }

  #removeEntry(key: unknown, row: Entry | undefined): void {
    this.#container.remove(key);
    if (row === undefined) return;
    this.#rows.delete(key);
    this.#materialize();
    row.discard();
  }

  /** An entry changed; undefined: one that cannot be stored. */
  onChanged(row: Entry | undefined): void {
    if (this.#materialize()) row?.write();
  }

  /** A default that is changed after setup is stored from now on. Returns whether there is something to write. */
  #materialize(): boolean {
    if (this.#isRemoved || (this.isDefault && !this.#writer.isSetUp)) return false;
    if (this.isDefault) {
      this.isDefault = false;
      this.write();
    }
    return true;
  }

  #writeOwnRow(at: number): void {
    const bytes = this.#entryBytes;
    this.#writtenEntryBytes = bytes;
    this.#writer.rows.put(this.key, toPropertyRow(this.#context, { kind: this.#container.kind, at, bytes }));
    scheduleSweep(this.#context);
  }
}
