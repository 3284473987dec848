import type { RequestRecord } from "../engine/request.ts";
import type { StoredState } from "../engine/state.ts";
import { estimateBytes } from "../shared/estimate-bytes.ts";

/** A session as it is written down: in its WebSocket's attachment, or in a row while it polls. */
export interface StoredSession {
  /** Old and new code meet during a deploy. */
  readonly v: 1;
  readonly k: "s";
  readonly sid: string;
  /** JSON of a `FixedPart`, made once. */
  readonly fixed: string;
  readonly state: StoredState;
  /** What the layer above keeps. */
  readonly record: unknown;
  /** Something was under way that could not be stored: an instance that finds this has to end the session. */
  readonly busy?: true;
}

/** What of a session never changes. */
export interface FixedPart {
  readonly protocol: 3 | 4;
  readonly b64: boolean;
  readonly address: string;
  readonly secure: boolean;
  readonly openedAt: number;
  readonly request: RequestRecord;
  /** JSON of `handshakeData`, empty for nothing; not there where nobody was asked. */
  readonly data?: string;
}

/** What the attachment of a socket says about it. Null: it concerns nobody any more. */
export type SocketRole =
  | StoredSession
  /** A session that is too large for an attachment: all of it but what each ping changes lies in a row. */
  | { readonly v: 1; readonly k: "o"; readonly sid: string; readonly state: StoredState }
  /** A WebSocket that may take over a polling session. */
  | { readonly v: 1; readonly k: "c"; readonly sid: string }
  /** The channel of a waiting poll. */
  | {
      readonly v: 1;
      readonly k: "p";
      readonly sid: string;
      readonly pingDueAt: number;
      readonly limit: number;
    }
  | null;

/** What of a session lies in a row because an attachment could not hold it. */
type OverflowRow = Omit<StoredSession, "state">;

/** More than a row may hold in production (2 MB), or structured clone can hold. */
export class StateTooLarge extends Error {}

const MAX_ROW_BYTES = 1_900_000;
const POLLING = "sio_s:";
const OVERFLOW = "sio_o:";

/** Reads and writes sessions of one object. Everything here is synchronous, as SQLite in an object is. */
export class SessionStore {
  readonly #ctx: DurableObjectState;
  /** Sessions whose state lies in a row because an attachment could not hold it. */
  readonly #overflowing = new Set<string>();
  /** Rows of another version of this code that were met. */
  readonly #foreign: string[] = [];

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
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
    const row = this.#ctx.storage.kv.get<OverflowRow>(OVERFLOW + role.sid);
    return row && { ...row, state: role.state };
  }

  /** `isOnlyState`: nothing else has changed, so that a row need not be written anew. @throws StateTooLarge */
  writeSocket(socket: WebSocket, session: StoredSession, isOnlyState: boolean): void {
    const { state, ...row } = session;
    const { sid } = row;
    const key = OVERFLOW + sid;
    if (!(isOnlyState && this.#overflowing.has(sid))) {
      if (trySerialize(socket, session)) {
        if (this.#overflowing.delete(sid)) this.#ctx.storage.kv.delete(key);
        return;
      }
      if (estimateBytes(row) > MAX_ROW_BYTES) throw new StateTooLarge();
      this.#ctx.storage.kv.put(key, row satisfies OverflowRow);
      this.#overflowing.add(sid);
    }
    socket.serializeAttachment({ v: 1, k: "o", sid, state } satisfies SocketRole);
  }

  /** Empties a socket's attachment: it belongs to no session from here on. */
  forgetSocket(socket: WebSocket, sid: string): void {
    socket.serializeAttachment(null);
    if (this.#overflowing.delete(sid)) this.#ctx.storage.kv.delete(OVERFLOW + sid);
  }

  readPolling(sid: string): StoredSession | undefined {
    const session = this.#ctx.storage.kv.get<StoredSession>(POLLING + sid);
    return session?.v === 1 ? session : undefined;
  }

  /** One row. @throws StateTooLarge */
  writePolling(session: StoredSession): void {
    if (estimateBytes(session) > MAX_ROW_BYTES) throw new StateTooLarge();
    this.#ctx.storage.kv.put(POLLING + session.sid, session);
  }

  deletePolling(sid: string): void {
    this.#ctx.storage.kv.delete(POLLING + sid);
  }

  /** The sessions that poll, oldest id first. A snapshot: `list` is a live cursor. */
  allPolling(): StoredSession[] {
    const sessions: StoredSession[] = [];
    for (const [key, session] of [...this.#ctx.storage.kv.list<StoredSession>({ prefix: POLLING })]) {
      if (session.v === 1) sessions.push(session);
      else this.#foreign.push(key);
    }
    return sessions;
  }

  /** Removes rows that nobody can use: their socket went with an instance, or another version of this code wrote them. */
  sweep(isAlive: (sid: string) => boolean): void {
    for (const key of this.#foreign.splice(0)) this.#ctx.storage.kv.delete(key);
    for (const [key] of [...this.#ctx.storage.kv.list({ prefix: OVERFLOW })]) {
      if (!isAlive(key.slice(OVERFLOW.length))) this.#ctx.storage.kv.delete(key);
    }
  }

  /** Removes all that code which stored sessions has left to code which stores none. */
  clear(): void {
    removeAll(this.#ctx.storage.kv, POLLING, OVERFLOW);
  }
}

/** Removes every row whose key begins with one of these. */
export function removeAll(kv: SyncKvStorage, ...prefixes: readonly string[]): void {
  for (const prefix of prefixes) for (const [key] of [...kv.list({ prefix })]) kv.delete(key);
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
