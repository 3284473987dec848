import { PING_SHARE } from "../engine/constants.ts";
import type { SessionRules } from "../engine/state.ts";

/** The key of the row with the counts. */
export const TALLY = "sio_tally";

/** What an object has done, for `server.stats`. */
export interface Counts {
  /** How often it was brought into memory. */
  readonly wakes: number;
  /** Requests of the Worker, and calls of emitters and other objects. */
  readonly requests: number;
  /** Messages that came over WebSockets. */
  readonly messages: number;
  /** How often its alarm went off. */
  readonly alarms: number;
  /** How many sessions these alarms have looked at, one after the other. */
  readonly checks: number;
  /** Rows that were written to `storage.kv` and `storage.sql`, and alarms that were set. */
  readonly rowsWritten: number;
}

interface TallyRow extends Counts {
  /** When the object began to count, and when this was stored, ms. */
  readonly since: number;
  readonly at: number;
  /** How many sessions there were. */
  readonly sessions: number;
}

/**
 * Counts what Cloudflare bills. This instance adds to what earlier ones have stored:
 *
 *   event ──► a number in memory ──► tick: one row, if anything but ticks has come since the last one
 *                               └──► eviction: what came after the last tick is lost
 *
 * So a tick of an object in which nothing happens writes no row, and what such ticks would have added is computed from
 * the time between them.
 */
export class Tally {
  /** What this instance has done. */
  readonly counts = { wakes: 1, requests: 0, messages: 0, alarms: 0, checks: 0, rowsWritten: 0 };
  readonly #kv: SyncKvStorage;
  readonly #beganAt = Date.now();
  readonly #tickMs: number;
  #row: TallyRow | undefined;
  #stored = 0;

  constructor(storage: DurableObjectStorage, { coalescesPings, pingInterval }: SessionRules) {
    const { kv, sql } = storage;
    this.#kv = kv;
    this.#tickMs = coalescesPings ? PING_SHARE * pingInterval : Infinity;
    this.#count(kv, "put", () => 1);
    this.#count(kv, "delete", Number);
    this.#count(sql, "exec", ({ rowsWritten }) => rowsWritten);
    this.#count(storage, "setAlarm", () => 1);
  }

  /** Has each call of a method of the storage add the rows that it writes. */
  #count<Name extends string, Result>(
    target: { [Key in Name]: (...args: never[]) => Result },
    name: Name,
    toRows: (result: Result) => number,
  ): void {
    const run = target[name];
    target[name] = (...args) => {
      const result = run.apply(target, args);
      this.counts.rowsWritten += toRows(result);
      return result;
    };
  }

  /** All counts, those of earlier instances among them. */
  read(): Counts & { readonly since: number } {
    const { at: _, sessions: __, ...before } = this.#before();
    return add(before, this.counts);
  }

  /** For how long at most the object was away before this instance, ms; undefined where nothing was stored. */
  awayMs(): number | undefined {
    const { at, since } = this.#before();
    return since === this.#beganAt ? undefined : this.#beganAt - at;
  }

  /** Stores the counts at a tick, if anything but ticks has come since. */
  save(sessions: number): void {
    const count = this.counts.requests + this.counts.messages;
    if (count === this.#stored) return;
    this.#stored = count;
    const row: TallyRow = { ...this.read(), at: Date.now(), sessions };
    this.#kv.put(TALLY, row);
  }

  /** What earlier instances have counted, with the ticks since. */
  #before(): TallyRow {
    this.#row ??= this.#withTicks(this.#kv.get<TallyRow>(TALLY));
    return this.#row;
  }

  #withTicks(stored?: TallyRow): TallyRow {
    const began = this.#beganAt;
    const row = stored ?? ({ since: began, at: began, sessions: 0 } as TallyRow);
    const { at, sessions } = row;
    // The alarm that woke this instance is counted by it, and may be a little late.
    const ticks = sessions === 0 ? 0 : Math.max(0, Math.floor((began - at) / this.#tickMs - 0.1));
    const seen = { wakes: ticks, alarms: ticks, rowsWritten: ticks, checks: ticks * sessions };
    return add({ ...row, at: at + (ticks && ticks * this.#tickMs) }, seen);
  }
}

/** Adds numbers to those of the same names. One that is missing is 0. */
export function add<Row extends object>(row: Row, more: { readonly [Key in keyof Row]?: unknown }): Row {
  const sum = { ...row } as Record<string, number>;
  for (const [key, value] of Object.entries(more)) sum[key] = (sum[key] ?? 0) + (value as number);
  return sum as Row;
}
