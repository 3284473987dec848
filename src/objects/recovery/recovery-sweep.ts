import type { ObservedFact } from "../../engine/observed.ts";
import type { RecoveryEntry, RecoveryRecord } from "../../server/recovery/recovery-store.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { PAGE_BYTES, PAGE_ROWS } from "../constants.ts";
import type { Rows } from "../storage/memory-rows.ts";

export const RECORD = "sio_r:";
export const LOG = "sio_l:";
/** The row with the offset up to which packets may have been removed early. Older code wrote one for each namespace. */
export const LOST = "sio_p:";

export interface RecoveryLimits {
  /** How long a client may be away, ms. */
  readonly windowMs: number;
  /** For how long the end of a connection may go unnoticed, ms. */
  readonly quietMs: number;
  /** How much the sockets of clients that are away, and the packets that they miss, may take on disk. */
  readonly maxBytes: number;
  readonly observe?: ((fact: ObservedFact) => void) | undefined;
}

/** The packets of one turn of the event loop, which share a row. */
export interface LogRow {
  readonly at: number;
  readonly entries: readonly RecoveryEntry[];
  /** About the size of the row; left out in rows of older code. */
  readonly bytes?: number;
}

const KINDS = [LOG, RECORD] as const;

interface SeenRow {
  readonly key: string;
  readonly row: LogRow | RecoveryRecord;
  readonly bytes: number;
}

/** What one tick has looked at. */
interface Page {
  rows: number;
  bytes: number;
  /** Records whose time is over. */
  readonly expired: RecoveryRecord[];
}

function isFull({ rows, bytes }: Page): boolean {
  return rows >= PAGE_ROWS || bytes >= PAGE_BYTES;
}

/** A walk through all rows, one page at each tick. */
interface Round {
  /** Which of `KINDS` is looked at. */
  kind: number;
  /** The last key that was looked at. */
  cursor: string | undefined;
  /** The size of the rows that stay. */
  bytes: number;
  /** When the time of the first socket is over whose `disconnect` listeners have yet to run. */
  next: number;
}

/**
 * Removes rows of recovery: those that are too old to be of use, and the oldest ones when all take too much.
 *
 *   due ──► page, page, ... (one a tick) ──► `maxBytes` or less is left: done until the next row is too old
 *                                        └─► more is left: the limit of age is lowered, and another round begins
 */
export class RecoverySweep {
  readonly #kv: Rows;
  readonly #limits: RecoveryLimits;
  readonly #withEnd: (record: RecoveryRecord) => RecoveryRecord;
  #round: Round | undefined;
  /** When the next round begins, ms; undefined before the first one. */
  #nextAt: number | undefined;
  /** About the size of all rows. Those of earlier instances are counted when the first round is over. */
  #bytes = 0;
  #lostBefore: string | undefined;
  /** The time of a socket is over, and its `disconnect` listeners could not run yet. */
  isAnybodyDue = false;

  constructor(kv: Rows, limits: RecoveryLimits, withEnd: (record: RecoveryRecord) => RecoveryRecord) {
    this.#kv = kv;
    this.#limits = limits;
    this.#withEnd = withEnd;
  }

  /** Packets up to this offset may have been removed though they are not too old; "" when none were. */
  get lostBefore(): string {
    if (this.#lostBefore === undefined) {
      const offsets = Array.from(this.#kv.list<string>({ prefix: LOST }), ([, offset]) => offset);
      this.#lostBefore = offsets.sort().at(-1) ?? "";
    }
    return this.#lostBefore;
  }

  /** Notes that packets up to an offset may be gone. */
  lose(offset: string): void {
    if (offset <= this.lostBefore) return;
    this.#lostBefore = offset;
    this.#kv.put(LOST, offset);
    this.#limits.observe?.({ type: "drop", code: "RECOVERY_BYTES" });
  }

  /** A row was written, which has to be removed one day. */
  wrote(bytes: number, at: number, isOver: boolean): void {
    this.#bytes += bytes;
    if (this.#nextAt !== undefined)
      this.#nextAt = Math.min(this.#nextAt, at + this.#limits.windowMs + (isOver ? 1 : 0));
  }

  /** Has the time of the next round computed again. */
  lookAgain(): void {
    this.#nextAt = undefined;
  }

  /** Whether the rows have just become so many that the next tick has to come soon. */
  isOver(now: number): boolean {
    if (this.#bytes <= 1.25 * this.#limits.maxBytes || this.#round !== undefined) return false;
    const isNews = this.#nextAt !== now;
    this.#nextAt = now;
    return isNews;
  }

  /** When the next page is due, ms; infinite when there are no rows. */
  nextAt(now: number): number {
    if (this.#round !== undefined) return now;
    if (this.#nextAt === undefined) {
      const isAnything = KINDS.some((prefix) => [...this.#kv.list({ prefix, limit: 1 })].length > 0);
      this.#nextAt = isAnything ? now : Infinity;
    }
    return this.#nextAt;
  }

  /** Looks at the next page when it is due. Returns the records whose time is over; they are removed. */
  run(now: number, mayTell: boolean): RecoveryRecord[] {
    if (this.nextAt(now) > now) return [];
    if (this.#round === undefined) {
      this.isAnybodyDue = false;
      this.#bytes = 0;
      this.#round = { kind: 0, cursor: undefined, bytes: 0, next: Infinity };
    }
    const page: Page = { rows: 0, bytes: 0, expired: [] };
    while (this.#round !== undefined && !isFull(page)) this.#look(this.#round, page, now, mayTell);
    return page.expired;
  }

  #look(round: Round, page: Page, now: number, mayTell: boolean): void {
    const rows = this.#read(round, page);
    const isLast = !isFull(page);
    for (const { key, row, bytes } of rows) {
      const record = "entries" in row ? undefined : this.#withEnd(row);
      const isOver = record === undefined ? this.#isOld(row as LogRow, now) : this.#isExpired(record, now);
      const isDue = isOver && record?.isOver === false && !mayTell;
      this.isAnybodyDue ||= isDue;
      if (isOver && !isDue) {
        this.#kv.delete(key);
        if (record !== undefined) page.expired.push(record);
      } else if (record?.at !== null) {
        round.bytes += bytes;
        // A restart ended the session, and that has to be written down.
        if (record !== undefined && record !== row) this.#kv.put(key, record);
        if (record?.isOver === false) round.next = Math.min(round.next, record.at + this.#limits.windowMs);
      }
    }
    if (isLast) this.#endKind(round, now);
  }

  /** Reads as many rows as the page has room for. The list is a cursor, and only one may be open at a time. */
  #read(round: Round, page: Page): SeenRow[] {
    const rows: SeenRow[] = [];
    const prefix = KINDS[round.kind]!;
    const options = round.cursor === undefined ? { prefix } : { prefix, startAfter: round.cursor };
    for (const [key, row] of this.#kv.list<LogRow | RecoveryRecord>(options)) {
      const bytes = ("entries" in row && row.bytes) || estimateBytes(row);
      rows.push({ key, row, bytes });
      round.cursor = key;
      page.rows++;
      page.bytes += bytes;
      if (isFull(page)) break;
    }
    return rows;
  }

  #endKind(round: Round, now: number): void {
    round.cursor = undefined;
    if (++round.kind < KINDS.length) return;
    const { maxBytes, windowMs } = this.#limits;
    this.#round = undefined;
    this.#bytes += round.bytes;
    if (this.#bytes > maxBytes) {
      const from = Math.max(now - this.#keptMs, this.#lostMs + 1);
      // This assumes that rows were written evenly over time. If they were not, another round follows.
      const keptFrom = now - ((now - from) * 0.9 * maxBytes) / this.#bytes;
      this.lose(`${Math.ceil(keptFrom).toString(36).padStart(9, "0")}000`);
      this.#nextAt = now;
      return;
    }
    this.#nextAt = Math.min(round.next, this.#bytes > 0 ? now + windowMs + 1 : Infinity);
    if (this.#lostMs >= now - 2 * this.#keptMs || this.lostBefore === "") return;
    for (const [key] of [...this.#kv.list({ prefix: LOST })]) this.#kv.delete(key);
    this.#lostBefore = "";
  }

  #isOld({ at, entries }: LogRow, now: number): boolean {
    return at < now - this.#keptMs || (entries.at(-1)?.offset ?? "") <= this.lostBefore;
  }

  #isExpired({ at }: RecoveryRecord, now: number): boolean {
    return at !== null && (at <= now - this.#limits.windowMs || at < this.#lostMs);
  }

  /** How long packets are stored: the longest time for which a client may have missed one. */
  get #keptMs(): number {
    return this.#limits.windowMs + this.#limits.quietMs;
  }

  get #lostMs(): number {
    return Number.parseInt(this.lostBefore.slice(0, 9) || "0", 36);
  }
}
