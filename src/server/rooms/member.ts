import type { Session } from "../../engine/session.ts";
import type { SessionId } from "../../shared/ids.ts";
import { type KeptRecord, type SocketRecord, toLean } from "../state/records.ts";

/** The connection of a member whose session is in memory. */
export interface MemberClient {
  readonly conn: Session;
}

/** The socket of a member that server code has looked at. */
export interface MemberState {
  /** What user code put on the socket, as it is stored. */
  toKept(): KeptRecord | undefined;
  /** Tells `onAnyOutgoing` listeners about an event that is sent to the socket. */
  notifyOutgoing(data: unknown[]): void;
  /** Has the socket saved at the end of this turn. */
  markDirty(): void;
}

/**
 * One socket of a namespace, whether it is in memory or not.
 *
 *   indexed (its session sleeps) ──► client (its session is in memory) ──► state (server code looked at it)
 */
export class Member<Client extends MemberClient = MemberClient, State extends MemberState = MemberState> {
  readonly id: string;
  readonly nsp: string;
  /** The dynamic namespace whose child its namespace is. */
  readonly parent: string | undefined;
  readonly sid: SessionId;
  /** Its rooms, its own included. This is the one place that says where a socket is. */
  rooms: Set<string>;
  /** When it joined each of its rooms, in the order of `rooms`; empty while it is only in its own. */
  joins: number[];
  /** When it connected, which is also its place in the order of connection. */
  at: number;
  client: Client | undefined;
  state: State | undefined;
  /** What was stored of the socket. It is there as soon as the session is in memory. */
  record: SocketRecord | undefined;
  /**
   * The server has disconnected the socket, but its listeners have to run again before they can hear of that. Nothing
   * reaches the socket from then on.
   */
  isLeaving = false;
  /** Its client has sent something to the namespace, so it knows that it is connected. */
  hasSpoken = false;
  /** What waits until the socket's listeners have run again; undefined when they need not. */
  held: (() => void)[] | undefined;

  constructor(sid: SessionId, { id, nsp, parent, at, rooms, joins }: SocketRecord) {
    this.id = id;
    this.nsp = nsp;
    this.parent = parent;
    this.sid = sid;
    this.at = at;
    this.rooms = new Set(rooms);
    // An older version of this code may have changed the rooms without the moments of joining.
    this.joins = joins?.length === rooms.length ? joins : [];
  }

  join(room: string, stamp: number): void {
    if (this.rooms.has(room)) return;
    const isOwn = this.rooms.size === 0 && room === this.id;
    while (this.joins.length < this.rooms.size) this.joins.push(this.at);
    this.rooms.add(room);
    if (!isOwn) this.joins.push(stamp);
  }

  /** When it joined a room; undefined when it is not in it. */
  joinedAt(room: string): number | undefined {
    if (!this.rooms.has(room)) return undefined;
    return this.joins.length === 0 ? this.at : this.joins[[...this.rooms].indexOf(room)];
  }

  /** Returns when the socket had joined the room; undefined when it was not in it. */
  leave(room: string): number | undefined {
    const index = this.joins.length === 0 ? -1 : [...this.rooms].indexOf(room);
    if (!this.rooms.delete(room)) return undefined;
    return index < 0 ? this.at : this.joins.splice(index, 1)[0];
  }

  /** The record to store; undefined as long as the session is not in memory. */
  toRecord(): SocketRecord | undefined {
    const { at, record, rooms, state } = this;
    const joins = this.joins.length === 0 ? undefined : this.joins;
    if (record === undefined) return undefined;
    const kept = state === undefined ? record.kept : state.toKept();
    return toLean({ ...record, at, rooms: [...rooms], joins, kept });
  }
}
