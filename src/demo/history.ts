/** What others see of a visitor: a name, and a mark that distinguishes people with the same name. */
export interface Face {
  name: string;
  mark: string;
}

export interface Line {
  /** Created by the page that sends it, so that a repetition is recognised. */
  id: string;
  from: Face;
  text: string;
  at: number;
}

/** How many lines a visitor sees on entering a room. */
const SHOWN = 50;
/** How many lines all rooms together keep. */
const KEPT = 2_000;
/** Among how many of the last lines a repetition is looked for: each that is read costs a little. */
const REPEATED_WITHIN = 200;

type Row = { id: string; name: string; mark: string; text: string; at: number };

/** The last lines of all rooms, in one table. A line writes one row, and one more for the old line that it replaces. */
export class History {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS lines (n INTEGER PRIMARY KEY, room TEXT, id TEXT, name TEXT, mark TEXT, text TEXT, at INTEGER)",
    );
  }

  /** The last lines of a room, oldest first. */
  of(room: string): Line[] {
    const rows = this.#sql.exec<Row>(
      "SELECT id, name, mark, text, at FROM lines WHERE room = ? ORDER BY n DESC LIMIT ?",
      room,
      SHOWN,
    );
    const lines = [...rows].map(({ id, name, mark, text, at }) => ({ id, from: { name, mark }, text, at }));
    return lines.reverse();
  }

  /** Adds a line, unless it is already there. Returns the number of rows that this wrote. */
  add(room: string, { id, from, text, at }: Line): number {
    const repeated = this.#sql.exec(
      "SELECT 1 FROM lines WHERE n > (SELECT max(n) FROM lines) - ? AND id = ? AND mark = ?",
      ...[REPEATED_WITHIN, id, from.mark],
    );
    if (repeated.toArray().length > 0) return 0;
    const added = this.#sql.exec(
      "INSERT INTO lines (room, id, name, mark, text, at) VALUES (?, ?, ?, ?, ?, ?)",
      ...[room, id, from.name, from.mark, text, at],
    );
    const removed = this.#sql.exec("DELETE FROM lines WHERE n <= (SELECT max(n) FROM lines) - ?", KEPT);
    return added.rowsWritten + removed.rowsWritten;
  }
}
