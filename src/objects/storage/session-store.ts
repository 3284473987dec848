import type { StoredState } from "../../engine/state.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { DiskRows } from "./disk-rows.ts";
import { eachRow, removeAll, removeRows } from "./rows.ts";

/*
 * What is stored of a session, and where:
 *
 *   WebSocket   its attachment: all but frames        (a ping writes it anew; no row)
 *               > 16 kB ──► "sio_o:<sid>" all that pings do not change; the attachment says that it is there
 *   polling     "sio_s:<sid>" all but frames          (a row for each change of record or state)
 *   both        DiskRows: "queue" what no poll has taken, "half" messages of a packet whose rest has not come, and
 *               "kv" the sizes of rows above that are large
 *
 * A turn writes rows for what it has changed, and no row is read before somebody needs what is in it.
 */

/** A session as it is written down: in its WebSocket's attachment, or in a row while it polls. */
export interface StoredSession {
  /**
   * Old and new code meet during a deploy. Rows of version 1 held the queue as well, and are read. Code that knows only
   * these takes a row of version 2 for one that it cannot read: its client is told "unknown session", and starts again.
   */
  readonly v: 1 | 2;
  readonly k: "s";
  readonly sid: string;
  /** JSON of a `HandshakeRecord`, made once. */
  readonly fixed: string;
  readonly state: StoredState;
  /** What the layer above keeps. */
  readonly record: unknown;
  /** Something was under way that could not be stored: an instance that finds this has to end the session. */
  readonly busy?: true;
  /** Messages of a packet lie in rows. */
  readonly half?: true;
}

/** What the attachment of a socket says about it. Null: it concerns nobody any more. */
export type SocketRole =
  | StoredSession
  | OverflowRole
  /** A WebSocket that may take over a polling session. */
  | { readonly v: 1; readonly k: "c"; readonly sid: string }
  /** The channel of a waiting poll. */
  | {
      readonly v: 1;
      readonly k: "p";
      readonly sid: string;
      readonly pingDueAt: number;
      readonly limit: number;
      readonly pongedAt?: number;
    }
  | null;

/** A session that is too large for an attachment: all of it but what each ping changes lies in a row. */
interface OverflowRole {
  readonly v: 1;
  readonly k: "o";
  readonly sid: string;
  readonly state: StoredState;
  /** It has joined nothing, so that a tick need not read the row. */
  readonly idle?: true;
}

/** What of a session lies in a row because an attachment could not hold it. */
type OverflowRow = Omit<StoredSession, "state">;

/** More than a row may hold in production (2 MB), or structured clone can hold. */
export class StateTooLarge extends Error {}

const MAX_ROW_BYTES = 1_900_000;
const POLLING = "sio_s:";
const OVERFLOW = "sio_o:";

/** Reads and writes sessions of one object. Everything here is synchronous, as SQLite in an object is. */
export class SessionStore {
  readonly rows: DiskRows;
  readonly #kv: SyncKvStorage;
  /** Sessions whose state lies in a row because an attachment could not hold it. */
  readonly #overflowing = new Set<string>();
  /** There are rows of another version of this code. */
  #hasMetForeign = false;

  constructor(ctx: DurableObjectState) {
    this.#kv = ctx.storage.kv;
    this.rows = new DiskRows(ctx.storage.sql);
  }

  /** What a socket is for; null as well when another version of this code wrote it. */
  roleOf(socket: WebSocket): SocketRole {
    const role = socket.deserializeAttachment() as SocketRole | undefined;
    return role?.v === 1 ? role : null;
  }

  /** The session that a socket's role tells of. */
  sessionOf(role: SocketRole): StoredSession | undefined {
    if (role?.k === "s") return role;
    if (role?.k !== "o") return undefined;
    this.#overflowing.add(role.sid);
    const row = this.#get<OverflowRow>(OVERFLOW + role.sid);
    return row && { ...row, state: role.state };
  }

  /** `isOnlyState`: nothing else has changed, so that a row need not be written anew. @throws StateTooLarge */
  writeSocket(socket: WebSocket, session: StoredSession, isOnlyState: boolean): void {
    const { state, ...row } = session;
    const { sid } = row;
    if (!(isOnlyState && this.#overflowing.has(sid))) {
      if (trySerialize(socket, session)) {
        this.#forgetOverflow(sid);
        return;
      }
      this.#put(OVERFLOW, row satisfies OverflowRow);
      this.#overflowing.add(sid);
    }
    const role: OverflowRole = { v: 1, k: "o", sid, state };
    socket.serializeAttachment(row.record === undefined ? { ...role, idle: true } : role);
  }

  /** Empties a socket's attachment: it belongs to no session from here on. */
  forgetSocket(socket: WebSocket, sid: string): void {
    socket.serializeAttachment(null);
    this.#forgetOverflow(sid);
  }

  /** Writes only the state of a session that sleeps; a row it may have is neither read nor written. */
  writeState(socket: WebSocket, state: StoredState): void {
    const role = this.roleOf(socket);
    if (role?.k === "o") socket.serializeAttachment({ ...role, state } satisfies OverflowRole);
    else if (role?.k === "s") this.writeSocket(socket, { ...role, state }, false);
  }

  readPolling(sid: string): StoredSession | undefined {
    const session = this.#get<StoredSession>(POLLING + sid);
    if (session === undefined || !isKnown(session)) return undefined;
    return session.v === 1 ? this.#renew(session) : session;
  }

  /** A row of version 1 holds the queue as well, which gets rows of its own. */
  #renew(session: StoredSession): StoredSession {
    const { queue = [], ...state } = session.state;
    this.rows.drop(session.sid, "queue");
    this.rows.append(session.sid, "queue", queue);
    const renewed: StoredSession = { ...session, v: 2, state };
    this.#put(POLLING, renewed);
    return renewed;
  }

  /** One row. @throws StateTooLarge */
  writePolling(session: StoredSession): void {
    this.#put(POLLING, session);
  }

  /** Removes what there is of a session that polls, but for what concerns it over WebSocket too. */
  deletePolling(sid: string): void {
    this.#kv.delete(POLLING + sid);
    this.rows.drop(sid, "kv");
  }

  /** The sessions that poll, oldest id first, one in memory at a time. */
  *polling(): Iterable<StoredSession> {
    for (const [, session] of eachRow<StoredSession>(this.#kv, POLLING)) {
      if (isKnown(session)) yield session;
      else this.#hasMetForeign = true;
    }
  }

  /** How many rows of sessions that poll there are. */
  countPolling(): number {
    let count = 0;
    for (const _ of eachRow(this.#kv, POLLING)) count++;
    return count;
  }

  /** A row that cannot be read is of no use to anybody: its session is unknown, and its client starts again. */
  #get<T>(key: string): T | undefined {
    try {
      return this.#kv.get<T>(key);
    } catch {
      this.#kv.delete(key);
      return undefined;
    }
  }

  #put(prefix: string, value: OverflowRow): void {
    const bytes = estimateBytes(value);
    if (bytes > MAX_ROW_BYTES) throw new StateTooLarge();
    this.#kv.put(prefix + value.sid, value);
    this.rows.note(value.sid, bytes);
  }

  #forgetOverflow(sid: string): void {
    if (!this.#overflowing.delete(sid)) return;
    this.#kv.delete(OVERFLOW + sid);
    this.rows.drop(sid, "kv");
  }

  /**
   * Removes rows that nobody can use: their socket went with an instance, or another version of this code wrote them.
   * At most a part of them at once. `true`: none is left.
   */
  sweep(isThere: (sid: string) => boolean): boolean {
    let left: number | undefined;
    if (this.#hasMetForeign)
      left = removeRows<StoredSession>(this.#kv, POLLING, left, (row) => !isKnown(row));
    left = removeRows(this.#kv, OVERFLOW, left, (_, key) => !isThere(key.slice(OVERFLOW.length)));
    if (left < 0) return false;
    for (const owner of this.rows.owners()) if (!isThere(owner)) this.rows.drop(owner);
    return true;
  }

  /** Removes all that code which stored sessions has left to code which stores none. `true`: nothing is left. */
  clear(): boolean {
    this.rows.clear();
    return removeAll(this.#kv, POLLING, OVERFLOW);
  }
}

function isKnown(row: StoredSession | null): row is StoredSession {
  return (row?.v === 1 || row?.v === 2) && typeof row.fixed === "string" && typeof row.state === "object";
}

/** Attachments hold 16,384 bytes; the runtime refuses more and keeps the old one. */
function trySerialize(socket: WebSocket, session: StoredSession): boolean {
  try {
    socket.serializeAttachment(session);
    return true;
  } catch {
    // Too large, since records are plain data: the row that takes it instead has a bound of its own.
    return false;
  }
}
