import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { LARGE_VALUE_BYTES, ROW_BYTES, SMALL_VALUE_BYTES } from "../constants.ts";
import { ChangeTracker } from "../state/change-tracker.ts";
import { toPlain } from "../state/plain-copy.ts";
import { ESCAPING_RAW } from "../state/raw.ts";
import type { DataWriter, Refusal, Saveable } from "./data-writer.ts";
import { type PropertyContext, scheduleSweep } from "./property.ts";

/** What every row holds. */
export interface StoredValue {
  /** When it is written, ms. */
  readonly at: number;
  /** About the size of the row. */
  readonly bytes: number;
  readonly value: unknown;
}

/** A value with a row of its own: a property of `io.data`, or an entry of such a property. */
export abstract class DataRow extends ChangeTracker implements Saveable {
  readonly key: string;
  readonly path: string;
  /** The value as user code assigned it, or as it was read. */
  readonly value: unknown;
  /** When it was last written, ms. */
  at: number;
  bytes: number;
  protected readonly context: PropertyContext;
  readonly #writer: DataWriter;
  #isDiscarded = false;
  /** Whether user code may have a reference of its own to the value, and whether it has used it. */
  #reference: "none" | "possible" | "used" = "none";
  #isComparing = false;
  /** Whether the value is known to have changed since it was saved. */
  #isReported = false;

  /** @param stored what is known of the row, if the value was read from it */
  constructor(
    context: PropertyContext,
    key: string,
    path: string,
    value: unknown,
    { at, bytes }: { at: number; bytes: number } = { at: 0, bytes: context.writer.bytesOf(key) },
  ) {
    super(context.writer.escaped);
    this.context = context;
    this.#writer = context.writer;
    this.key = key;
    this.path = path;
    this.at = at;
    this.bytes = bytes;
    this.value = value;
  }

  /** Its value comes from the setup function and was not changed since, so nothing is stored of it. */
  abstract readonly isDefault: boolean;

  /** The value changed. */
  protected abstract onChanged(): void;

  /** What is stored: a plain copy of the value, and what else is needed to read it. */
  protected abstract toStored(stored: StoredValue): unknown;

  /** The row was written or removed. It has grown by so many bytes. */
  protected onWritten(_growth: number): void {}

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
  discard(): void {
    // Later another row may have taken its place.
    if (this.#isDiscarded) return;
    this.stopWatching();
    this.#isDiscarded = true;
    if (this.bytes > 0 || this.#writer.isRefused(this)) this.write();
  }

  /** User code may change the value through a reference of its own, so it is compared from now on while it is small. */
  watchReference(): void {
    if (typeof this.value !== "object" || this.value === null) return;
    if (estimateBytes(this.value) > SMALL_VALUE_BYTES) return;
    this.#reference = "possible";
    this.watchAlways();
  }

  override compare(): void {
    this.#isComparing = true;
    super.compare();
    this.#isComparing = false;
    if (this.#reference === "none" || this.bytes <= LARGE_VALUE_BYTES) return;
    if (this.#reference === "used") this.#writer.logError(toReferenceError(this.path));
    this.#reference = "none";
    this.stopWatching();
  }

  /** User code gets the value itself, and may change it until it has settled. */
  escape(): void {
    if (typeof this.value === "object" && this.value !== null) this.get(this.value, ESCAPING_RAW);
  }

  save(now: number): Refusal | undefined {
    const writer = this.#writer;
    let isStored = !this.#isDiscarded;
    const onLeftOut = (path: string, value: unknown) => {
      writer.warnLeftOut(path, value);
      if (path === this.path) isStored = false;
    };
    const plain = isStored ? toPlain(this.value, this.path, onLeftOut) : undefined;
    const bytes = isStored ? ROW_BYTES + estimateBytes(this.key) + estimateBytes(plain) : 0;
    const refusal = this.#writer.refusalOf(this, bytes);
    if (refusal !== undefined) return refusal;
    const growth = bytes - this.bytes;
    if (isStored) writer.rows.put(this.key, this.toStored({ at: now, bytes, value: plain }));
    else if (this.bytes > 0) writer.rows.delete(this.key);
    if (isStored) scheduleSweep(this.context);
    this.at = now;
    this.bytes = bytes;
    this.#writer.onWritten(growth);
    this.onWritten(growth);
    // An asynchronous handler may go on to change the value through the reference that it has assigned.
    if (isStored && (writer.escaped.isHeld || this.isWatched)) this.watch(plain);
    this.#isReported = false;
    return undefined;
  }

  protected override get isReplay(): boolean {
    return !this.#writer.mayReplace(this.isDefault);
  }

  /** A replay changes nothing; setup may add missing properties, but no items, which it would add in each instance. */
  protected override isRefused(target: object, key: PropertyKey): boolean {
    return this.isReplay && (this.#writer.isSetUp || Array.isArray(target) || Object.hasOwn(target, key));
  }

  protected override markDirty(): void {
    if (this.#isDiscarded) return;
    if (this.#isComparing && !this.#isReported && this.#reference === "possible") this.#reference = "used";
    this.#isReported = true;
    super.markDirty();
    this.onChanged();
  }
}

/** The error for changes that can no longer be found, because they use a reference that setup has kept. */
export function toReferenceError(path: string): string {
  return `${path} is too large by now to notice changes of the object that was assigned to it; change ${path} itself`;
}
