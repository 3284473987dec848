import type { StoredState } from "../../engine/state.ts";
import { MAX_ROW_BYTES } from "../../server/constants.ts";
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
 * A turn writes only the rows that have changed, and a row is read only when its content is needed.
 */

/** A session as it is stored: in its WebSocket's attachment, or in a row while it polls. */
export interface StoredSession {
  /**
   * During a deploy old and new code run at the same time. Rows of version 1, which held the queue as well, can be
   * read. Code that knows only version 1 cannot read version 2: its client is told "unknown session", and starts again.
   */
  readonly v: 1 | 2;
  readonly k: "s";
  readonly sid: string;
  /** JSON of a `HandshakeRecord`, created once. */
  readonly fixed: string;
  readonly state: StoredState;
  /** What the server stores of the session: what `SessionConsumer.record` returned. */
  readonly record: unknown;
  /** Something was under way that could not be stored, so an instance that finds this has to end the session. */
  readonly busy?: true;
  /** Messages of an incomplete packet are stored in rows. */
  readonly half?: true;
}

/** What the attachment of a socket says about it. Null when it belongs to no session any more. */
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

/** A session that is too large for an attachment: everything that pings do not change is stored in a row. */
interface OverflowRole {
  readonly v: 1;
  readonly k: "o";
  readonly sid: string;
  readonly state: StoredState;
  /** The client has joined no namespace. Kept here, so that a tick need not read the row. */
  readonly idle?: true;
}

/** The part of a session that is stored in a row because an attachment could not hold it. */
type OverflowRow = Omit<StoredSession, "state">;

/** Thrown for a session that is larger than a row may be in production (2 MB), or than structured clone can hold. */
export class StateTooLarge extends Error {}

const POLLING = "sio_s:";
const OVERFLOW = "sio_o:";

/** Reads and writes the sessions of one object, synchronously. */
export class SessionStore {
  readonly rows: DiskRows;
  readonly #kv: SyncKvStorage;
  /** The sessions that are stored in a row because an attachment could not hold them. */
  readonly #overflowing = new Set<string>();
  /** Whether rows of another version of this code were found. */
  #hasMetForeign = false;

  constructor(ctx: DurableObjectState) {
    this.#kv = ctx.storage.kv;
    this.rows = new DiskRows(ctx.storage.sql);
  }

  /** What a socket is for. Null, too, when another version of this code wrote its attachment. */
  roleOf(socket: WebSocket): SocketRole {
    const role = socket.deserializeAttachment() as SocketRole | undefined;
    return role?.v === 1 ? role : null;
  }

  /** The session of a socket's role, read from its row if it is stored there. */
  sessionOf(role: SocketRole): StoredSession | undefined {
    if (role?.k === "s") return role;
    if (role?.k !== "o") return undefined;
    this.#overflowing.add(role.sid);
    const row = this.#get<OverflowRow>(OVERFLOW + role.sid);
    return row && { ...row, state: role.state };
  }

  /** Stores a session on WebSocket. `isOnlyState`: nothing else has changed, so its row need not be rewritten.
   * @throws StateTooLarge */
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

  /** Empties a socket's attachment, so that it belongs to no session any more. */
  forgetSocket(socket: WebSocket, sid: string): void {
    socket.serializeAttachment(null);
    this.#forgetOverflow(sid);
  }

  /** Stores only the state of a hibernating session. Its row, if it has one, is neither read nor written. */
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

  /** Rewrites a row of version 1, which holds the queue as well: the queue gets rows of its own. */
  #renew(session: StoredSession): StoredSession {
    const { queue = [], ...state } = session.state;
    this.rows.drop(session.sid, "queue");
    this.rows.append(session.sid, "queue", queue);
    const renewed: StoredSession = { ...session, v: 2, state };
    this.#put(POLLING, renewed);
    return renewed;
  }

  /** Stores a session that polls, in one row. @throws StateTooLarge */
  writePolling(session: StoredSession): void {
    this.#put(POLLING, session);
  }

  /** Removes the row of a session that polls, but not its frames, which a WebSocket takes over. */
  deletePolling(sid: string): void {
    this.#kv.delete(POLLING + sid);
    this.rows.drop(sid, "kv");
  }

  /** The sessions that poll, in the order of their ids, one in memory at a time. */
  *polling(): Iterable<StoredSession> {
    for (const [, session] of eachRow<StoredSession>(this.#kv, POLLING)) {
      if (isKnown(session)) yield session;
      else this.#hasMetForeign = true;
    }
  }

  /** How many sessions that poll are stored. */
  countPolling(): number {
    let count = 0;
    for (const _ of eachRow(this.#kv, POLLING)) count++;
    return count;
  }

  /** Reads a row. One that cannot be read is removed: its session is unknown then, and its client starts again. */
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
   * Removes rows that cannot be used: their socket ended with an instance, or another version of this code wrote them.
   * Removes a part of them when there are many. Returns whether none is left.
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

  /**
   * Removes everything, for code with `hibernation: false` after code that stored sessions. Returns whether nothing is
   * left.
   */
  clear(): boolean {
    this.rows.clear();
    return removeAll(this.#kv, POLLING, OVERFLOW);
  }
}

function isKnown(row: StoredSession | null): row is StoredSession {
  return (row?.v === 1 || row?.v === 2) && typeof row.fixed === "string" && typeof row.state === "object";
}

/** Writes an attachment. It may have 16,384 bytes; the runtime refuses more and keeps the old one. */
function trySerialize(socket: WebSocket, session: StoredSession): boolean {
  try {
    socket.serializeAttachment(session);
    return true;
  } catch {
    // It is too large, since records are plain data. The row that takes its place has a limit of its own.
    return false;
  }
}
