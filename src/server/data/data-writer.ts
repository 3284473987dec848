import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { SETTLED } from "../../shared/settled.ts";
import { LONGEST_PATH, MAX_ROW_BYTES } from "../constants.ts";
import type { Host } from "../host.ts";
import { LogicalClock } from "../rooms/logical-clock.ts";
import type { RoomDirectory } from "../rooms/room-directory.ts";
import type { EscapedValues } from "../state/escaped-values.ts";
import { type DataRows, type PropertyRow, propertiesOf, SWEEP_KEY } from "./data-rows.ts";

/** How long properties of `io.data` stay after their last change, ms: all of them, or by name. */
export type DataTtl = number | Readonly<Record<string, number>>;

/** Parts of the server that `io.data` uses. */
interface Context {
  readonly host: Pick<Host, "now" | "log" | "isSetUp" | "checkInstance" | "willWrite" | "tickBy">;
  readonly escaped: EscapedValues;
  readonly isMuted: boolean;
  readonly rooms: RoomDirectory;
  readonly diagnostics: { warnLeftOut(path: string, value: unknown): void };
}

/** Something that is written at the end of a turn. */
export interface Saveable {
  readonly key: string;
  /** Its name in messages. */
  readonly path: string;
  /** About the size of what is stored; 0 when nothing is. */
  readonly bytes: number;
  /** Writes it. Returns the reason when it cannot be written. */
  save(now: number): Refusal | undefined;
}

/** Why something was not written, and until when it is not worth trying again. */
export interface Refusal {
  readonly why: string;
  readonly error?: unknown;
  /** It is tried again when it changes; when there is room; or whenever something is written, until it works. */
  readonly until: "changed" | "room" | "works";
}

/**
 * Writes the rows of `io.data` that changed, at the end of each turn, and watches their sizes. It also answers what
 * `io.data` has to know of the server: its options, and its state.
 */
export class DataWriter {
  readonly rows: DataRows;
  readonly escaped: EscapedValues;
  /** How much all rows together may take, bytes. */
  readonly maxDataBytes: number;
  /** The place of an entry is the moment at which it was added. */
  readonly places: LogicalClock;
  readonly #context: Context;
  readonly #ttl: DataTtl | undefined;
  /** What is written at the end of this turn. */
  readonly #dirty = new Map<string, Saveable>();
  /** What could not be written, which was logged. */
  readonly #refused = new Map<string, { readonly item: Saveable; readonly until: Refusal["until"] }>();
  /** Whether rows have become smaller since the refused ones were last tried again. */
  #hasRoom = false;
  #isScheduled = false;
  /** About the size of all rows; undefined until it is needed. */
  #total: number | undefined;
  /** Undefined until it is read. */
  #sweepAt: number | undefined;

  constructor(
    rows: DataRows,
    context: Context,
    { maxDataBytes, dataTtl }: { maxDataBytes: number; dataTtl?: DataTtl },
  ) {
    this.rows = rows;
    this.places = new LogicalClock(context.host);
    this.#context = context;
    this.escaped = context.escaped;
    this.maxDataBytes = maxDataBytes;
    this.#ttl = dataTtl;
  }

  /** Whether the running code is a replay, or the setup function in an instance that is not the object's first. */
  get isMuted(): boolean {
    return this.#context.isMuted;
  }

  /** Whether the setup function has completed in this instance. */
  get isSetUp(): boolean {
    return this.#context.host.isSetUp;
  }

  now(): number {
    return this.#context.host.now();
  }

  logError(message: string, error?: unknown): void {
    this.#context.host.log("error", message, error);
  }

  warnLeftOut(path: string, value: unknown): void {
    this.#context.diagnostics.warnLeftOut(path, value);
  }

  /** @throws Error when the calling code runs outside the object's instance */
  checkInstance(nsp?: string): void {
    this.#context.host.checkInstance("io.data", nsp);
  }

  /** Makes a tick come at this time or earlier, ms. */
  tickBy(time: number): void {
    this.#context.host.tickBy(time);
  }

  /** How long a property stays after its last change, ms; infinite when it never expires. */
  ttlOf(name: string): number {
    const ttl = this.#ttl;
    const own = typeof ttl === "object" ? Object.hasOwn(ttl, name) && ttl[name] : ttl;
    return typeof own === "number" ? own : Infinity;
  }

  canExpire(name: string): boolean {
    return this.ttlOf(name) < Infinity;
  }

  /** Whether the code at work may replace or delete what there is: not a replay, nor setup what it did not assign. */
  mayReplace(isDefault: boolean): boolean {
    return this.isSetUp ? !this.isMuted : isDefault;
  }

  /** Whether anybody is in a namespace, or about to be. */
  isInUse(nsp: string): boolean {
    const { rooms } = this.#context;
    return rooms.anyOf(nsp) !== undefined || rooms.of(nsp).pending.size > 0;
  }

  markDirty(item: Saveable): void {
    if (!this.#isScheduled) {
      this.checkInstance();
      this.#context.host.willWrite();
      this.#isScheduled = true;
      SETTLED.then(() => this.#flush());
    }
    this.#dirty.set(item.key, item);
  }

  /** The stored size under a key whose row this turn has replaced or removed, which is not written yet. */
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

  /** @throws Error when something could not be written because `maxDataBytes` is reached */
  checkRoom(path: string): void {
    if (this.#refused.size > 0 && this.#total !== undefined && this.#total > 0.9 * this.maxDataBytes)
      throw new Error(this.#toFull(path));
  }

  /** Why a row must not become as large as this; undefined when it may. */
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
    const fits = this.#countTotal() + growth <= this.maxDataBytes;
    return fits ? undefined : { why: this.#toFull(path), until: "room" };
  }

  /** A row was written or removed. It has grown by so many bytes. */
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
    this.#sweepAt ??= this.rows.get<number>(SWEEP_KEY) ?? Infinity;
    return this.#sweepAt;
  }

  /** Makes sure that expired rows are looked for at this time or earlier. */
  scheduleSweep(at: number): void {
    if (this.sweepAt <= at) return;
    this.setSweep(at);
    this.tickBy(at);
  }

  setSweep(at: number): void {
    this.#sweepAt = at;
    if (at === Infinity) this.rows.delete(SWEEP_KEY);
    else this.rows.put(SWEEP_KEY, at);
  }

  #flush(): void {
    this.#isScheduled = false;
    const now = this.now();
    if (this.#refused.size > 0) this.#retry();
    const items = [...this.#dirty.values()];
    this.#dirty.clear();
    for (const item of items) {
      const refusal = this.#save(item, now);
      const before = this.#refused.get(item.key);
      if (refusal !== undefined && before === undefined) this.logError(refusal.why, refusal.error);
      if (refusal !== undefined) this.#refused.set(item.key, { item, until: refusal.until });
      else if (before !== undefined) this.#refused.delete(item.key);
    }
  }

  /** Tries again to write what could not be written, if that may have become possible. */
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
    return `${shorten(path)} is not saved, since io.data has reached maxDataBytes (${this.maxDataBytes}); remove what is no longer needed, let it expire (dataTtl), or raise maxDataBytes`;
  }
}

function shorten(path: string): string {
  return path.slice(0, LONGEST_PATH);
}
