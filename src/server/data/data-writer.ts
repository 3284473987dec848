import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { type DataRows, type PropertyRow, propertiesOf, SWEEP_KEY } from "./data-rows.ts";
import type { DataServer } from "./data-server.ts";

/** Something that is written at the end of a turn. */
export interface Saveable {
  readonly key: string;
  /** How messages name it. */
  readonly path: string;
  /** About the size of what is stored; 0 when nothing is. */
  readonly bytes: number;
  /** Returns why it cannot be written. */
  save(now: number): Refusal | undefined;
}

/** Why something was not written, and until when it is not worth trying again. */
export interface Refusal {
  readonly why: string;
  readonly error?: unknown;
  /** Until it changes; until there is room; or until storage works, which nobody announces. */
  readonly until: "changed" | "room" | "works";
}

/** The platform allows 2 MB for a row. */
const MAX_ROW_BYTES = 1_900_000;

/** A path may contain keys that clients have chosen. */
const LONGEST_PATH = 200;

/** The smallest difference between the places of two entries, which begin with the time in ms. */
const STEP = 2 ** -10;

/** Writes the rows of `io.data` that changed, at the end of each turn, and watches their sizes. */
export class DataWriter {
  readonly rows: DataRows;
  readonly server: DataServer;
  /** What is written at the end of this turn. */
  readonly #dirty = new Map<string, Saveable>();
  /** What could not be written, which was logged. */
  readonly #refused = new Map<string, { readonly item: Saveable; readonly until: Refusal["until"] }>();
  /** Rows have become smaller since what was refused was tried again. */
  #hasRoom = false;
  #isScheduled = false;
  /** About the size of all rows; undefined until it is needed. */
  #total: number | undefined;
  #lastPlace = 0;
  /** Undefined until it is read. */
  #sweepAt: number | undefined;

  constructor(rows: DataRows, server: DataServer) {
    this.rows = rows;
    this.server = server;
  }

  markDirty(item: Saveable): void {
    if (!this.#isScheduled) {
      this.server.checkInstance();
      this.#isScheduled = true;
      Promise.resolve().then(() => this.#flush());
    }
    this.#dirty.set(item.key, item);
  }

  /** The size of what is stored under a key whose row was replaced or removed in this turn, and is not written yet. */
  bytesOf(key: string): number {
    return (this.#dirty.get(key) ?? this.#refused.get(key)?.item)?.bytes ?? 0;
  }

  /** Whether a row is about to be written or removed. */
  isPending(key: string): boolean {
    return this.#dirty.has(key) || this.#refused.has(key);
  }

  /** Whether it is this item that could not be written, and is kept in memory to try it again. */
  isRefused(item: Saveable): boolean {
    return this.#refused.get(item.key)?.item === item;
  }

  /** The place of a new entry: after all others, in later instances too. */
  nextPlace(): number {
    this.#lastPlace = Math.max(this.server.now(), this.#lastPlace + STEP);
    return this.#lastPlace;
  }

  /** New entries come after this place. */
  advancePlace(place: number): void {
    this.#lastPlace = Math.max(this.#lastPlace, place);
  }

  /** @throws Error when something could not be written because `maxDataBytes` is reached */
  checkRoom(path: string): void {
    if (this.#refused.size > 0 && this.#total !== undefined && this.#total > 0.9 * this.server.maxDataBytes)
      throw new Error(this.#toFull(path));
  }

  /** Why a row may not become as large as this; undefined when it may. */
  refusalOf(item: Saveable, bytes: number): Refusal | undefined {
    const growth = bytes - item.bytes;
    if (growth <= 0) return undefined;
    const path = shorten(item.path);
    if (bytes > MAX_ROW_BYTES) {
      return {
        why: `${path} takes more than 2 MB and is not saved; split it into entries`,
        until: "changed",
      };
    }
    const fits = this.#countTotal() + growth <= this.server.maxDataBytes;
    return fits ? undefined : { why: this.#toFull(path), until: "room" };
  }

  /** A row was written or removed, and is so many bytes larger than before. */
  onWritten(growth: number): void {
    if (this.#total !== undefined) this.#total += growth;
    if (growth < 0) this.#hasRoom = true;
  }

  /** Rows that were not in memory were removed. */
  recount(): void {
    this.#total = undefined;
  }

  /** When expired rows are looked for, ms; infinite when nothing can expire. */
  get sweepAt(): number {
    this.#sweepAt ??= this.rows.get<number>(SWEEP_KEY) ?? Number.POSITIVE_INFINITY;
    return this.#sweepAt;
  }

  /** Has expired rows looked for at this moment, or earlier. */
  scheduleSweep(at: number): void {
    if (this.sweepAt <= at) return;
    this.setSweep(at);
    this.server.tickBy(at);
  }

  setSweep(at: number): void {
    this.#sweepAt = at;
    if (at === Number.POSITIVE_INFINITY) this.rows.delete(SWEEP_KEY);
    else this.rows.put(SWEEP_KEY, at);
  }

  #flush(): void {
    this.#isScheduled = false;
    const now = this.server.now();
    if (this.#refused.size > 0) this.#retry();
    const items = [...this.#dirty.values()];
    this.#dirty.clear();
    for (const item of items) {
      const refusal = this.#save(item, now);
      const before = this.#refused.get(item.key);
      if (refusal !== undefined && before === undefined) this.server.logError(refusal.why, refusal.error);
      if (refusal !== undefined) this.#refused.set(item.key, { item, until: refusal.until });
      else if (before !== undefined) this.#refused.delete(item.key);
    }
  }

  /** What could not be written is written now, if that may have become possible. */
  #retry(): void {
    for (const [key, { item, until }] of this.#refused) {
      const mayWork = until === "works" || (until === "room" && this.#hasRoom);
      if (mayWork && !this.#dirty.has(key)) this.#dirty.set(key, item);
    }
    this.#hasRoom = false;
  }

  #save(item: Saveable, now: number): Refusal | undefined {
    try {
      return item.save(now);
    } catch (error) {
      return { why: `${shorten(item.path)} could not be saved`, error, until: "works" };
    }
  }

  #countTotal(): number {
    if (this.#total === undefined) {
      this.#total = 0;
      for (const [, row] of this.rows.list<PropertyRow>({ prefix: propertiesOf() }))
        this.#total += row.bytes ?? estimateBytes(row.value);
    }
    return this.#total;
  }

  #toFull(path: string): string {
    return `${shorten(path)} is not saved, since io.data has reached maxDataBytes (${this.server.maxDataBytes}); remove what is no longer needed, let it expire (dataTtl), or raise maxDataBytes`;
  }
}

function shorten(path: string): string {
  return path.slice(0, LONGEST_PATH);
}
