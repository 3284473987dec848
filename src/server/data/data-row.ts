import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { ChangeTracker } from "../state/change-tracker.ts";
import { toPlain } from "../state/plain-copy.ts";
import { ESCAPING_RAW } from "../state/raw.ts";
import type { EntryKey } from "./data-rows.ts";
import type { DataWriter, Refusal, Saveable } from "./data-writer.ts";

/** The property that a row belongs to. */
export interface RowOwner {
  /** Its value comes from the setup function and was not changed since, so nothing is stored of it. */
  readonly isDefault: boolean;
  /** The value of a row changed. */
  onChanged(row: DataRow): void;
  /** What is stored: a plain copy of the value, and what else the property needs. */
  toStored(row: DataRow, stored: StoredValue): unknown;
  /** A row was written or removed, and is so many bytes larger than before. */
  onWritten(growth: number): void;
}

/** What every row holds. */
export interface StoredValue {
  /** When it is written, ms. */
  readonly at: number;
  /** About the size of the value. */
  readonly bytes: number;
  readonly value: unknown;
}

/** Where a row lies, and what is known of it. */
export interface RowPlace {
  readonly key: string;
  readonly path: string;
  /** Sorts the entries of a property. */
  readonly place: number;
  /** The key of an entry. */
  readonly entryKey?: EntryKey;
  /** When it was last written, ms; left out when nothing is stored. */
  readonly at?: number;
  readonly bytes?: number;
}

/** A setup function that assigns so little may go on to change it through its own reference, bytes. */
const SMALL_BYTES = 1_000;
/** A value that has grown larger is not compared any more whenever code has settled, bytes. */
const LARGE_BYTES = 10_000;

/** A value with a row of its own: a property of `io.data`, or an entry of such a property. */
export class DataRow extends ChangeTracker implements Saveable {
  readonly key: string;
  readonly path: string;
  readonly place: number;
  readonly entryKey: EntryKey;
  /** The value as user code assigned it, or as it was read. */
  readonly value: unknown;
  /** When it was last written, ms. */
  at: number;
  bytes: number;
  readonly #owner: RowOwner;
  readonly #writer: DataWriter;
  #isRemoved = false;
  /** User code has a reference of its own to the value, and whether it was seen to use that. */
  #reference: "none" | "possible" | "used" = "none";
  #isComparing = false;
  /** It is known that the value has changed since it was saved. */
  #isReported = false;

  constructor(
    owner: RowOwner,
    writer: DataWriter,
    { key, path, place, entryKey, at = 0, bytes = writer.bytesOf(key) }: RowPlace,
    value: unknown,
  ) {
    super(writer.server.escaped);
    this.#owner = owner;
    this.#writer = writer;
    this.key = key;
    this.path = path;
    this.place = place;
    this.entryKey = entryKey;
    this.at = at;
    this.bytes = bytes;
    this.value = value;
  }

  /** What user code is given for the value. */
  get given(): unknown {
    return this.give(this.value);
  }

  override record(): unknown {
    return toPlain(this.value);
  }

  /** Has the row written at the end of this turn. */
  write(): void {
    this.#writer.markDirty(this);
  }

  /**
   * Has the row removed at the end of this turn, unless another one with its key is written. Changes of its value are
   * of no interest from now on.
   */
  remove(): void {
    // Later another row may have taken its place.
    if (this.#isRemoved) return;
    this.stopWatching();
    this.#isRemoved = true;
    if (this.bytes > 0 || this.#writer.isRefused(this)) this.write();
  }

  /** User code may change the value through a reference of its own, so it is compared from now on while it is small. */
  watchReference(): void {
    if (typeof this.value !== "object" || this.value === null) return;
    if (estimateBytes(this.value) > SMALL_BYTES) return;
    this.#reference = "possible";
    this.watchAlways();
  }

  override compare(): void {
    this.#isComparing = true;
    super.compare();
    this.#isComparing = false;
    if (this.#reference === "none" || this.bytes <= LARGE_BYTES) return;
    if (this.#reference === "used") this.#writer.server.logError(toReferenceError(this.path));
    this.#reference = "none";
    this.stopWatching();
  }

  /** User code gets the value itself, and may change it until it has settled. */
  escape(): void {
    if (typeof this.value === "object" && this.value !== null) this.get(this.value, ESCAPING_RAW);
  }

  save(now: number): Refusal | undefined {
    const { server, rows } = this.#writer;
    let isStored = !this.#isRemoved;
    const onLeftOut = (path: string, value: unknown) => {
      server.warnLeftOut(path, value);
      if (path === this.path) isStored = false;
    };
    const plain = isStored ? toPlain(this.value, this.path, onLeftOut) : undefined;
    const bytes = isStored ? estimateBytes(plain) : 0;
    const refusal = this.#writer.refusalOf(this, bytes);
    if (refusal !== undefined) return refusal;
    const growth = bytes - this.bytes;
    if (isStored) rows.put(this.key, this.#owner.toStored(this, { at: now, bytes, value: plain }));
    else if (this.bytes > 0) rows.delete(this.key);
    this.at = now;
    this.bytes = bytes;
    this.#writer.onWritten(growth);
    this.#owner.onWritten(growth);
    // An asynchronous handler may go on to change the value through the reference that it has assigned.
    if (isStored && (server.escaped.isHeld || this.isWatched)) this.watch(plain);
    this.#isReported = false;
    return undefined;
  }

  protected override get isReplay(): boolean {
    const { isSetUp, isMuted } = this.#writer.server;
    return isSetUp ? isMuted : !this.#owner.isDefault;
  }

  /** A replay changes nothing; the setup function may add what is missing. */
  protected override isRefused(target: object, key: PropertyKey): boolean {
    return this.isReplay && (this.#writer.server.isSetUp || Object.hasOwn(target, key));
  }

  protected override markDirty(): void {
    if (this.#isRemoved) return;
    if (this.#isComparing && !this.#isReported && this.#reference === "possible") this.#reference = "used";
    this.#isReported = true;
    super.markDirty();
    this.#owner.onChanged(this);
  }
}

/** What is said where changes by way of a reference that setup has kept can be found no longer. */
export function toReferenceError(path: string): string {
  return `${path} is too large by now to notice changes of the object that was assigned to it; change ${path} itself`;
}
