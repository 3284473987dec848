import { MAX_ROW_BYTES } from "../../server/constants.ts";
import type { RecoveryEntry, RecoveryRecord, RecoveryStore } from "../../server/recovery/recovery-store.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import type { SessionId } from "../../shared/ids.ts";
import { toPrefix } from "../../shared/key-prefix.ts";
import { MOST_WRITES_TRIED } from "../constants.ts";
import type { Rows } from "../storage/memory-rows.ts";
import { removeAll } from "../storage/rows.ts";
import { LOG, LOST, type LogRow, RECORD, type RecoveryLimits, RecoverySweep } from "./recovery-sweep.ts";

export interface RecoveryLogHost {
  now(): number;
  /** Whether a session of this object has this id, asleep or awake. */
  hasSession(sid: SessionId): boolean;
  /** Whether anybody is or was there, and may come back. */
  isAnybodyKnown(): boolean;
  /** Calls `settle` at the end of this turn. What is sent from now on waits until what that writes is stored. */
  willWrite(): void;
  /** Makes the heartbeat, which calls `prune`, come soon. */
  tickSoon(): void;
  log(level: "error", message: string, error: unknown): void;
}

/**
 * Removes what recovery has stored, for an object whose code has recovery no longer. If that is much, each call removes
 * a part.
 * @returns whether nothing is left
 */
export function clearRecovery(kv: SyncKvStorage): boolean {
  return removeAll(kv, RECORD, LOG, LOST);
}

/** A value that is written at the end of the turn. */
interface Pending<T> {
  readonly value: T;
  tries: number;
}

/**
 * Stores connection state recovery in SQLite: one row for each socket, and one for all packets of a turn.
 * {@link RecoverySweep} removes rows that are no longer of use.
 */
export class RecoveryLog implements RecoveryStore {
  readonly quietMs: number;
  /** How often packets were written, by this instance. */
  writes = 0;
  readonly #kv: Rows;
  readonly #host: RecoveryLogHost;
  /** When sessions last ended without an event: when this instance began, or when its setup function failed. */
  #endedAt: number;
  readonly #sweep: RecoverySweep;
  /** What is written at the end of this turn. */
  readonly #records = new Map<string, Pending<RecoveryRecord>>();
  readonly #entries = new Map<string, Pending<RecoveryEntry[]>>();

  constructor(kv: Rows, host: RecoveryLogHost, limits: RecoveryLimits) {
    this.quietMs = limits.quietMs;
    this.#kv = kv;
    this.#host = host;
    this.#endedAt = host.now();
    this.#sweep = new RecoverySweep(kv, limits, (record) => this.#withEnd(record));
  }

  willWrite(): void {
    this.#host.willWrite();
  }

  save(record: RecoveryRecord): void {
    this.#records.set(toKey(record.nsp, record.pid), { value: record, tries: 0 });
    this.#host.willWrite();
  }

  find(nsp: string, pid: string): RecoveryRecord | undefined {
    const key = toKey(nsp, pid);
    const record = this.#records.get(key)?.value ?? this.#kv.get<RecoveryRecord>(key);
    return record === undefined ? undefined : this.#withEnd(record);
  }

  remove(nsp: string, pid: string): void {
    const key = toKey(nsp, pid);
    this.#records.delete(key);
    this.#kv.delete(key);
  }

  append(nsp: string, entry: RecoveryEntry): void {
    if (!this.#host.isAnybodyKnown()) return;
    const pending = this.#entries.get(nsp);
    if (pending === undefined) this.#entries.set(nsp, { value: [entry], tries: 0 });
    else pending.value.push(entry);
    this.#host.willWrite();
  }

  *since(nsp: string, offset: string): Iterable<RecoveryEntry> {
    this.settle();
    const prefix = toPrefix(LOG, nsp);
    // The row that contains the offset may begin with an earlier one.
    const [before] = this.#kv.list({ prefix, end: `${prefix}${offset}~`, reverse: true, limit: 1 });
    let last = offset;
    for (const [, { entries }] of this.#kv.list<LogRow>({ prefix, start: before?.[0] ?? prefix })) {
      for (const entry of entries) {
        if (entry.offset <= last) continue;
        last = entry.offset;
        yield entry;
      }
    }
    // Packets that could not be written yet.
    for (const entry of this.#entries.get(nsp)?.value ?? []) if (entry.offset > last) yield entry;
  }

  latest(nsp: string): string | undefined {
    this.settle();
    const pending = this.#entries.get(nsp)?.value.at(-1);
    if (pending !== undefined) return pending.offset;
    const [newest] = this.#kv.list<LogRow>({ prefix: toPrefix(LOG, nsp), reverse: true, limit: 1 });
    return newest?.[1].entries.at(-1)?.offset;
  }

  lostBefore(): string {
    return this.#sweep.lostBefore;
  }

  /** Called at the end of a turn. Writes each row on its own, so that one that cannot be written affects no other. */
  settle(): void {
    const at = this.#host.now();
    for (const [key, pending] of this.#records) {
      this.#try(
        this.#records,
        key,
        pending,
        () => this.#writeRecord(key, pending.value),
        () => this.#kv.delete(key),
      );
    }
    for (const [nsp, pending] of this.#entries) {
      const lose = () => this.#sweep.lose(pending.value.at(-1)!.offset);
      this.#try(this.#entries, nsp, pending, () => this.#write(nsp, at, pending.value), lose);
    }
    if (this.#sweep.isOver(at)) this.#host.tickSoon();
  }

  /**
   * Removes some of the rows that are no longer of use.
   * @param mayTell whether `disconnect` listeners can run now; if not, records whose listeners have yet to run stay
   * @returns the records that were removed because their time is over
   */
  prune(now: number, mayTell: boolean): RecoveryRecord[] {
    this.settle();
    return this.#sweep.run(now, mayTell);
  }

  /** The time of a socket is over, and its `disconnect` listeners have yet to run. */
  get isAnybodyDue(): boolean {
    return this.#sweep.isAnybodyDue;
  }

  /** When `prune` has something to do, ms; infinite when nothing is stored. */
  nextPruneAt(now: number): number {
    return this.#sweep.nextAt(now);
  }

  #try<T>(
    of: Map<string, Pending<T>>,
    key: string,
    pending: Pending<T>,
    write: () => void,
    giveUp: () => unknown,
  ): void {
    try {
      write();
    } catch (error) {
      this.#host.log("error", "recovery could not be written", error);
      if (++pending.tries < MOST_WRITES_TRIED) return;
      try {
        giveUp();
      } catch {
        // The failure of storage was logged above.
      }
    }
    of.delete(key);
  }

  #writeRecord(key: string, record: RecoveryRecord): void {
    const bytes = estimateBytes(record);
    // A record that no row can hold cannot be restored, so its client starts anew.
    if (bytes > MAX_ROW_BYTES) this.#kv.delete(key);
    else this.#kv.put(key, record);
    if (record.at !== null) this.#sweep.wrote(bytes, record.at, record.isOver);
  }

  #write(nsp: string, at: number, entries: readonly RecoveryEntry[]): void {
    const bytes = estimateBytes(entries);
    const { offset, rooms, except, packet } = entries[0]!;
    if (bytes <= MAX_ROW_BYTES) {
      this.#kv.put(toPrefix(LOG, nsp) + offset, { at, entries, bytes } satisfies LogRow);
      this.writes++;
      this.#sweep.wrote(bytes, at, true);
    } else if (entries.length > 1) {
      const middle = entries.length >> 1;
      this.#write(nsp, at, entries.slice(0, middle));
      this.#write(nsp, at, entries.slice(middle));
    } else if (packet === undefined) this.#sweep.lose(offset);
    // No row can hold the packet. Its receivers are remembered: a client among them that was away has to start anew.
    else this.#write(nsp, at, [{ offset, rooms, except }]);
  }

  /** Sessions have ended without an event, so when to prune is computed again. */
  lookAgain(): void {
    this.#endedAt = this.#host.now();
    this.#sweep.lookAgain();
  }

  /** A record of a session that is gone without having said so: it ended when sessions last ended without an event. */
  #withEnd(record: RecoveryRecord): RecoveryRecord {
    if (record.at !== null || this.#host.hasSession(record.session)) return record;
    return { ...record, at: this.#endedAt };
  }
}

function toKey(nsp: string, pid: string): string {
  return toPrefix(RECORD, nsp) + pid;
}
