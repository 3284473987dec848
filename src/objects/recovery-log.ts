import type { RecoveryEntry, RecoveryRecord, RecoveryStore } from "../server/ports.ts";
import { estimateBytes } from "../shared/estimate-bytes.ts";
import type { SessionId } from "../shared/ids.ts";
import type { Rows } from "./memory-rows.ts";
import { removeAll } from "./session-store.ts";

/** Packets of one turn of the event loop: one row. */
interface LogRow {
  readonly at: number;
  readonly entries: readonly RecoveryEntry[];
}

export interface RecoveryLogHost {
  now(): number;
  /** Whether a session of this object has this id, asleep or awake. */
  hasSession(sid: SessionId): boolean;
  /** Calls `settle` at the end of this turn. */
  endTurn(): void;
  log(level: "error", message: string, error: unknown): void;
}

const RECORD = "sio_r:";
const LOG = "sio_l:";
const PRUNED = "sio_p:";
/** A row may hold 2 MB in production. */
const MAX_ROW_BYTES = 1_900_000;

/** Removes all that code with recovery has left to code without, or a part of it. `true`: nothing is left. */
export function clearRecovery(kv: SyncKvStorage): boolean {
  return removeAll(kv, RECORD, LOG, PRUNED);
}

/** Connection state recovery in SQLite: a row for each socket, and one for all packets of a turn. */
export class RecoveryLog implements RecoveryStore {
  readonly #kv: Rows;
  readonly #host: RecoveryLogHost;
  readonly #windowMs: number;
  readonly #startedAt: number;
  /** When something can be removed again, ms; undefined before the first look. */
  #pruneAt: number | undefined;
  /** What this turn has to write. */
  readonly #records = new Map<string, RecoveryRecord>();
  readonly #entries = new Map<string, RecoveryEntry[]>();
  /** The logs of namespaces that somebody asked for, oldest entry first. */
  readonly #logs = new Map<string, { at: number; entry: RecoveryEntry }[]>();

  constructor(kv: Rows, host: RecoveryLogHost, windowMs: number) {
    this.#kv = kv;
    this.#host = host;
    this.#windowMs = windowMs;
    this.#startedAt = host.now();
  }

  save(record: RecoveryRecord): void {
    this.#records.set(toKey(record.nsp, record.pid), record);
    this.#host.endTurn();
  }

  find(nsp: string, pid: string): RecoveryRecord | undefined {
    const key = toKey(nsp, pid);
    const record = this.#records.get(key) ?? this.#kv.get<RecoveryRecord>(key);
    return record === undefined ? undefined : this.#withEnd(record);
  }

  remove(nsp: string, pid: string): void {
    const key = toKey(nsp, pid);
    this.#records.delete(key);
    this.#kv.delete(key);
  }

  append(nsp: string, entry: RecoveryEntry): void {
    const entries = this.#entries.get(nsp);
    if (entries === undefined) this.#entries.set(nsp, [entry]);
    else entries.push(entry);
    this.#logs.get(nsp)?.push({ at: this.#host.now(), entry });
    this.#host.endTurn();
  }

  since(nsp: string, offset: string): Iterable<RecoveryEntry> | undefined {
    // A later one than the latest is none that this log has given out.
    if (offset < this.#prunedOf(nsp) || offset > this.latest(nsp)) return undefined;
    return this.#logOf(nsp)
      .filter(({ entry }) => entry.offset > offset)
      .map(({ entry }) => entry);
  }

  latest(nsp: string): string {
    this.flush();
    const newest = [...this.#kv.list<LogRow>({ prefix: toPrefix(LOG, nsp), reverse: true, limit: 1 })];
    const logged = newest[0]?.[1].entries.at(-1)?.offset ?? "";
    const pruned = this.#prunedOf(nsp);
    return logged > pruned ? logged : pruned;
  }

  /** The turn is over. What cannot be written waits for one that can; nobody has to wait for a packet meanwhile. */
  settle(): void {
    try {
      this.flush();
    } catch (error) {
      this.#host.log("error", "recovery could not be written", error);
    }
  }

  /** Writes what the turn has left to write. */
  flush(): void {
    for (const [key, record] of this.#records) {
      // What no row can hold cannot be given back: its client starts anew.
      if (estimateBytes(record) > MAX_ROW_BYTES) this.#kv.delete(key);
      else this.#kv.put(key, record);
    }
    this.#records.clear();
    const at = this.#host.now();
    for (const [nsp, entries] of this.#entries) this.#write(nsp, at, entries);
    this.#entries.clear();
  }

  /** Removes what nobody can come back to any more, and gives the records among it. */
  prune(now: number): RecoveryRecord[] {
    this.flush();
    const before = now - this.#windowMs;
    const inUse = this.#pruneLog(before);
    const expired: RecoveryRecord[] = [];
    const waiting: RecoveryRecord[] = [];
    for (const [key, stored] of this.#allRecords()) {
      const record = this.#withEnd(stored);
      if (record.at === null || record.at > before) inUse.add(record.nsp);
      if (record.at === null) continue;
      if (record.at > before) {
        // A restart ended it, and nobody has written that down.
        if (stored.at === null) this.#kv.put(key, record);
        waiting.push(record);
        continue;
      }
      this.#kv.delete(key);
      expired.push(record);
    }
    this.#forgetPruned(inUse);
    this.#pruneAt = this.#nextPrune(now, waiting);
    return expired;
  }

  /** When there is something to prune, ms; infinite when nothing is kept for anybody who is away. */
  nextPruneAt(now: number): number {
    if (this.#pruneAt === undefined) {
      const records = this.#allRecords().map(([, record]) => this.#withEnd(record));
      this.#pruneAt = this.#nextPrune(now, records);
    }
    return this.#pruneAt;
  }

  /** Sessions have ended without a word: when there is something to prune is found anew. */
  lookAgain(): void {
    this.#pruneAt = undefined;
  }

  #allRecords(): [string, RecoveryRecord][] {
    return [...this.#kv.list<RecoveryRecord>({ prefix: RECORD })];
  }

  /** On time for those whose `disconnect` has to run; once for everything else. */
  #nextPrune(now: number, records: readonly RecoveryRecord[]): number {
    let next = Number.POSITIVE_INFINITY;
    let isAnybodyAway = false;
    for (const { at, isOver } of records) {
      if (at === null) continue;
      isAnybodyAway = true;
      if (!isOver) next = Math.min(next, at + this.#windowMs);
    }
    if (Number.isFinite(next)) return next;
    const hasLog = isAnybodyAway || [...this.#kv.list({ prefix: LOG, limit: 1 })].length > 0;
    return hasLog ? now + this.#windowMs + 1 : next;
  }

  #write(nsp: string, at: number, entries: readonly RecoveryEntry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    if (estimateBytes(entries) <= MAX_ROW_BYTES) {
      this.#kv.put(toPrefix(LOG, nsp) + first.offset, { at, entries } satisfies LogRow);
    } else if (entries.length === 1) {
      // No row can hold it: who missed it starts anew, as with a packet that has been pruned.
      this.#setPruned(nsp, first.offset);
    } else {
      const middle = entries.length >> 1;
      this.#write(nsp, at, entries.slice(0, middle));
      this.#write(nsp, at, entries.slice(middle));
    }
  }

  /** A record of a session that a restart swallowed ended when this instance began. */
  #withEnd(record: RecoveryRecord): RecoveryRecord {
    if (record.at !== null || this.#host.hasSession(record.session)) return record;
    return { ...record, at: this.#startedAt };
  }

  /** Gives the namespaces of which something is left. */
  #pruneLog(before: number): Set<string> {
    const left = new Set<string>();
    const last = new Map<string, string>();
    for (const [key, { at, entries }] of [...this.#kv.list<LogRow>({ prefix: LOG })]) {
      const nsp = key.slice(key.indexOf(":", LOG.length) + 1, key.lastIndexOf(":"));
      if (at >= before) {
        left.add(nsp);
        continue;
      }
      this.#kv.delete(key);
      const newest = entries.at(-1)?.offset;
      if (newest !== undefined) last.set(nsp, newest);
    }
    for (const [nsp, offset] of last) {
      this.#setPruned(nsp, offset);
      this.#logs.delete(nsp);
    }
    return left;
  }

  /** Clients name dynamic namespaces: of one that nobody can come back to nothing may stay. */
  #forgetPruned(inUse: ReadonlySet<string>): void {
    for (const [key] of [...this.#kv.list<string>({ prefix: PRUNED })]) {
      if (!inUse.has(key.slice(PRUNED.length))) this.#kv.delete(key);
    }
  }

  #prunedOf(nsp: string): string {
    return this.#kv.get<string>(PRUNED + nsp) ?? "";
  }

  #setPruned(nsp: string, offset: string): void {
    if (offset > this.#prunedOf(nsp)) this.#kv.put(PRUNED + nsp, offset);
  }

  #logOf(nsp: string): { at: number; entry: RecoveryEntry }[] {
    const known = this.#logs.get(nsp);
    if (known !== undefined) return known;
    const rows = [...this.#kv.list<LogRow>({ prefix: toPrefix(LOG, nsp) })];
    const log = rows.flatMap(([, { at, entries }]) => entries.map((entry) => ({ at, entry })));
    this.#logs.set(nsp, log);
    return log;
  }
}

/**
 * What the keys of a namespace begin with. Its length comes first: clients name dynamic namespaces, and no name may make
 * its keys look like those of another one.
 */
function toPrefix(kind: string, nsp: string): string {
  return `${kind}${nsp.length}:${nsp}:`;
}

function toKey(nsp: string, pid: string): string {
  return toPrefix(RECORD, nsp) + pid;
}
