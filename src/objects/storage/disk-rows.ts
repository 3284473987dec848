import { decodeFrame, encodeBase64Frame, type Frame } from "../../codec/index.ts";
import { LARGE_ROW, LONGEST_PIECE, SEGMENT_LENGTH } from "../constants.ts";

/**
 * What a row holds: frames that wait for a poll, the messages of an incomplete packet, or the size of a row in
 * `storage.kv`.
 */
export type RowKind = "queue" | "half" | "kv";

/** The types of the small client's older browsers, which apply here too, have no `toWellFormed`. */
type Es2024String = string & { toWellFormed(): string };

const CREATE =
  "CREATE TABLE IF NOT EXISTS sio_rows (owner, kind, n, bytes, data, PRIMARY KEY (owner, kind, n)) WITHOUT ROWID";
const OF_KIND = "FROM sio_rows WHERE owner = ?1 AND kind = ?2";
/** Appends to the last row if that is small, or adds a row. Either way one row is written. */
const APPEND = `INSERT INTO sio_rows SELECT ?1, ?2, ifnull((SELECT n + (bytes > 8192) ${OF_KIND} ORDER BY n DESC LIMIT 1), 1), ?3, ?4
WHERE true ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes, data = data || excluded.data`;
const NOTE =
  "INSERT INTO sio_rows VALUES (?, 'kv', 0, ?, NULL) ON CONFLICT DO UPDATE SET bytes = excluded.bytes WHERE bytes <> excluded.bytes";

/**
 * The rows of an object whose size matters. They are in a table, since `storage.kv` neither tells the size of a row nor
 * removes one unread.
 *
 *   append ──► one row each turn, or several for much ──► take: the oldest first, a payload at a time
 *   note   ──► the size of a large row that lies in `storage.kv`
 *
 * An owner is the id of a session, or the key of a row that belongs to no session. The frames of a kind are one text,
 * which is cut into rows anywhere. Sizes are lengths of strings.
 */
export class DiskRows {
  /** How often frames were written, by this instance. */
  writes = 0;
  readonly #sql: SqlStorage;
  readonly #noted = new Map<string, number>();
  #isThere = false;
  #total: number | undefined;
  #hasGrown = false;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Appends frames to those that are stored, and returns the bytes that they take. */
  append(owner: string, kind: RowKind, frames: readonly Frame[]): number {
    let written = 0;
    let text = "";
    const write = () => {
      written += text.length;
      for (const piece of cut(text)) this.#run(APPEND, owner, kind, piece.length, piece);
      text = "";
    };
    for (const frame of frames) {
      text += toText(frame);
      if (text.length >= SEGMENT_LENGTH) write();
    }
    if (text !== "") write();
    this.#add(written);
    this.#hasGrown = true;
    this.writes++;
    return written;
  }

  /**
   * Removes the oldest frames and returns them: at most `most`, and not much more than `maxBytes` unless one is larger.
   * `left` is the number of bytes that stay.
   */
  take(owner: string, kind: RowKind, most: number, maxBytes: number): { frames: Frame[]; left: number } {
    const frames: Frame[] = [];
    let rest = "";
    let last = 0;
    let bytes = 0;
    for (const row of this.#run(`SELECT n, data ${OF_KIND} ORDER BY n`, owner, kind)) {
      const data = row.data as string;
      last = row.n as number;
      bytes += data.length;
      rest = parse(rest + data, frames, most);
      if (frames.length === most || (bytes >= maxBytes && rest === "")) break;
    }
    this.#subtract(this.#run(`DELETE ${OF_KIND} AND n <= ?3 RETURNING bytes`, owner, kind, last));
    if (frames.length === most && rest !== "") {
      this.#run("INSERT INTO sio_rows VALUES (?, ?, ?, ?, ?)", owner, kind, last, rest.length, rest);
      this.#add(rest.length);
    }
    return { frames, left: this.bytes(owner, kind) };
  }

  /** Reads all frames of a kind without removing them. */
  read(owner: string, kind: RowKind): Frame[] {
    const frames: Frame[] = [];
    let rest = "";
    for (const { data } of this.#run(`SELECT data ${OF_KIND} ORDER BY n`, owner, kind)) {
      rest = parse(rest + data, frames, Infinity);
    }
    return frames;
  }

  bytes(owner: string, kind: RowKind): number {
    return this.#sum(OF_KIND, owner, kind);
  }

  /** Notes the size of a row in `storage.kv`, bytes, if it is large. {@link drop} forgets it. */
  note(owner: string, bytes: number): void {
    const size = bytes < LARGE_ROW ? 0 : Math.ceil(bytes / LARGE_ROW) * LARGE_ROW;
    const before = this.#noted.get(owner);
    if (size === (before ?? 0)) return;
    this.#noted.set(owner, size);
    this.#run(NOTE, owner, size);
    this.#hasGrown = true;
    // What an earlier instance has noted is not known here, so the total is read anew.
    if (before === undefined) this.#total = undefined;
    else this.#add(size - before);
  }

  /** Removes all rows of an owner, or those of one kind. */
  drop(owner: string, kind?: RowKind): void {
    if (kind === undefined || kind === "kv") this.#noted.delete(owner);
    const where = kind === undefined ? "" : " AND kind = ?2";
    const values = kind === undefined ? [owner] : [owner, kind];
    this.#subtract(this.#run(`DELETE FROM sio_rows WHERE owner = ?1${where} RETURNING bytes`, ...values));
  }

  /** The bytes of all frames that no poll has taken. */
  queued(): number {
    return this.#sum("FROM sio_rows WHERE kind = 'queue'");
  }

  /** The bytes of all rows, including those noted. */
  total(): number {
    this.#total ??= this.#sum("FROM sio_rows");
    return this.#total;
  }

  /** Whether all rows together take more than `most`; checked only if a row was written since the last call. */
  isOver(most: number): boolean {
    const hasGrown = this.#hasGrown;
    this.#hasGrown = false;
    return hasGrown && this.total() > most;
  }

  /** The owners with the most bytes, largest first. */
  largest(most: number): { owner: string; bytes: number }[] {
    const sums = "SELECT owner, sum(bytes) AS bytes FROM sio_rows GROUP BY owner ORDER BY 2 DESC LIMIT ?";
    return [...this.#run(sums, most)] as { owner: string; bytes: number }[];
  }

  /** All owners of rows. */
  owners(): string[] {
    return [...this.#run("SELECT DISTINCT owner FROM sio_rows")].map(({ owner }) => owner as string);
  }

  /** Removes all rows without reading them. */
  clear(): void {
    this.#sql.exec("DROP TABLE IF EXISTS sio_rows");
    this.#isThere = false;
    this.#noted.clear();
    this.#total = undefined;
  }

  #run(query: string, ...values: SqlStorageValue[]) {
    if (!this.#isThere) this.#sql.exec(CREATE);
    this.#isThere = true;
    return this.#sql.exec(query, ...values);
  }

  #sum(rows: string, ...values: SqlStorageValue[]): number {
    return this.#run(`SELECT total(bytes) AS bytes ${rows}`, ...values).one().bytes as number;
  }

  #add(bytes: number): void {
    if (this.#total !== undefined) this.#total += bytes;
  }

  #subtract(removed: Iterable<Record<string, SqlStorageValue>>): void {
    for (const { bytes } of removed) this.#add(-(bytes as number));
  }
}

/** Encodes a frame as text: bytes as in a payload, since no other frame begins with a letter. */
function toText(frame: Frame): string {
  // SQLite would return a lone surrogate as three letters; on the wire it becomes one replacement letter as well.
  const text = typeof frame === "string" ? (frame as Es2024String).toWellFormed() : encodeBase64Frame(frame);
  return `${text.length}:${text}`;
}

/** Moves the complete frames at the start of `text` to `frames`, up to `most`, and returns the rest. */
function parse(text: string, frames: Frame[], most: number): string {
  let at = 0;
  while (frames.length < most) {
    const colon = text.indexOf(":", at);
    const end = colon + 1 + Number(text.slice(at, colon));
    if (colon < 0 || end > text.length) break;
    const frame = text.slice(colon + 1, end);
    frames.push(frame[0] === "b" ? (decodeFrame(frame).data as Uint8Array) : frame);
    at = end;
  }
  return text.slice(at);
}

/** Cuts text into pieces that rows can hold, never inside a pair of surrogates. */
function* cut(text: string): Iterable<string> {
  for (let at = 0; at < text.length; ) {
    let end = at + LONGEST_PIECE;
    if (/[\ud800-\udbff]/.test(text[end - 1] ?? "")) end--;
    yield text.slice(at, end);
    at = end;
  }
}
