import type { SessionId } from "../../shared/ids.ts";
import type { ServerHost } from "../ports.ts";
import type { Client } from "../sockets/client.ts";
import type { SocketState } from "../sockets/socket-state.ts";
import { fromStored, type SocketRecord, toLean } from "../state/records.ts";

/** What a room takes besides its name: its place in the index, which it may have to itself. */
export const ROOM_BYTES = 250;

/** What a socket that is only known by its rooms takes, its own room included. */
function bytesIn(rooms: readonly string[]): number {
  return rooms.reduce((sum, room) => sum + room.length + ROOM_BYTES, ROOM_BYTES);
}

/**
 * One socket of a namespace, awake or not.
 *
 * indexed (its session sleeps) --> client (its session is in memory) --> state (server code looked at it)
 */
export class Member {
  readonly id: string;
  readonly nsp: string;
  /** The dynamic namespace that its namespace is a child of. */
  readonly parent: string | undefined;
  readonly sid: SessionId;
  /** Its rooms, its own included. The one place where membership is written down. */
  rooms: Set<string>;
  /** When it joined each of its rooms, in their order; empty where there is none but its own. */
  joins: number[];
  /** Its place in the order of connection. */
  at: number;
  client: Client | undefined;
  state: SocketState | undefined;
  /** What was stored of it, once its session is in memory: it has one when it has a client. */
  record: SocketRecord | undefined;
  /** The server let it go, and its listeners have to run again before they hear of it: nothing reaches it any more. */
  isLeaving = false;
  /** Its client has said something there: it has heard that it is connected. */
  hasSpoken = false;
  /** What waits for its listeners to run again; undefined when nothing does. */
  held: (() => void)[] | undefined;

  constructor(sid: SessionId, { id, nsp, parent, at, rooms, joins }: SocketRecord) {
    this.id = id;
    this.nsp = nsp;
    this.parent = parent;
    this.sid = sid;
    this.at = at;
    this.rooms = new Set(rooms);
    // Another version of the code may have changed the rooms alone.
    this.joins = joins?.length === rooms.length ? joins : [];
  }

  join(room: string, stamp: number): void {
    if (this.rooms.has(room)) return;
    const isOwn = this.rooms.size === 0 && room === this.id;
    while (this.joins.length < this.rooms.size) this.joins.push(this.at);
    this.rooms.add(room);
    if (!isOwn) this.joins.push(stamp);
  }

  /** Undefined when it is not in the room. */
  joinedAt(room: string): number | undefined {
    if (!this.rooms.has(room)) return undefined;
    return this.joins.length === 0 ? this.at : this.joins[[...this.rooms].indexOf(room)];
  }

  /** Gives when it had joined. */
  leave(room: string): number | undefined {
    const index = this.joins.length === 0 ? -1 : [...this.rooms].indexOf(room);
    if (!this.rooms.delete(room)) return undefined;
    return index < 0 ? this.at : this.joins.splice(index, 1)[0];
  }

  /** As it is stored. */
  toRecord(): SocketRecord | undefined {
    const { at, record, rooms, state } = this;
    const joins = this.joins.length === 0 ? undefined : this.joins;
    if (record === undefined) return undefined;
    const kept = state === undefined ? record.kept : state.toKept();
    return toLean({ ...record, at, rooms: [...rooms], joins, kept });
  }
}

/** What two moments differ by at least, ms: exact in the numbers that times are until the year 2248. */
const STEP = 2 ** -10;

/** A moment as text: nine digits of base 36 hold milliseconds until the year 5188, three the steps within one. */
export function toOffset(stamp: number): string {
  const ms = Math.floor(stamp);
  const step = Math.floor((stamp - ms) / STEP);
  return ms.toString(36).padStart(9, "0") + step.toString(36).padStart(3, "0");
}

/** Who is in a namespace and its rooms. Complete only when somebody asked: until then it knows who is in memory. */
export class Membership {
  /** Connected sockets; in the order of connection once complete. */
  members = new Map<string, Member>();
  /** Sockets in the namespace's middlewares: they have rooms already, and receive nothing yet. */
  readonly pending = new Map<string, Member>();
  readonly rooms = new Map<string, Set<string>>();
  readonly sids = new Map<string, Set<string>>();
  readonly #book: MembershipBook;

  constructor(book: MembershipBook) {
    this.#book = book;
  }

  get isComplete(): boolean {
    return this.#book.isComplete;
  }

  /** This, with sleeping sockets too. */
  complete(): this {
    this.#book.complete();
    return this;
  }

  find(id: string): Member | undefined {
    return this.members.get(id) ?? this.pending.get(id);
  }

  /** Rebuilds order and rooms from the members. */
  index(): void {
    const members = [...this.members.values()];
    // Whoever sleeps is found in this order; to build the map again is for those among whom somebody was awake.
    if (members.some(({ at }, i) => i > 0 && at < members[i - 1]!.at)) {
      members.sort((a, b) => a.at - b.at);
      this.members = new Map(members.map((member) => [member.id, member]));
    }
    const latest = new Map<string, number>();
    const late = new Set<string>();
    for (const member of members) this.#indexRooms(member, latest, late);
    for (const member of this.pending.values()) this.#indexRooms(member, latest, late);
    for (const room of late) this.#sortRoom(room);
  }

  /** Members of a room are in the order of joining, which need not be that of connection. */
  #sortRoom(room: string): void {
    const ids = this.rooms.get(room) ?? [];
    const stamps = Array.from(ids, (id) => [id, this.find(id)?.joinedAt(room) ?? 0] as const);
    this.rooms.set(room, new Set(stamps.sort((a, b) => a[1] - b[1]).map(([id]) => id)));
  }

  /** Forgets a socket whose session turned out to be gone. */
  drop(member: Member): void {
    this.members.delete(member.id);
    this.sids.delete(member.id);
    for (const room of member.rooms) {
      const ids = this.rooms.get(room);
      if (ids?.delete(member.id) && ids.size === 0) this.rooms.delete(room);
    }
  }

  #indexRooms({ id, at, rooms, joins }: Member, latest: Map<string, number>, late: Set<string>): void {
    if (rooms.size === 0) return;
    this.sids.set(id, rooms);
    let index = 0;
    for (const room of rooms) {
      const joined = joins[index++] ?? at;
      const ids = this.rooms.get(room);
      if (ids === undefined) this.rooms.set(room, new Set([id]));
      else {
        ids.add(id);
        if (joined < latest.get(room)!) late.add(room);
      }
      latest.set(room, joined);
    }
  }
}

/** The memberships of all namespaces: what sleeps is read once for all of them. */
export class MembershipBook {
  readonly #host: ServerHost;
  readonly #memberships = new Map<string, Membership>();
  #isComplete = false;
  #lastStamp = 0;
  /** Namespaces whose offsets so far are known. */
  readonly #known = new Set<string>();

  constructor(host: ServerHost) {
    this.#host = host;
  }

  /** An object's first instance knows everybody from the start. */
  get isComplete(): boolean {
    this.#isComplete ||= this.#host.isFirstRun || !this.#host.hibernation;
    return this.#isComplete;
  }

  of(nsp: string): Membership {
    let membership = this.#memberships.get(nsp);
    if (membership === undefined) {
      membership = new Membership(this);
      this.#memberships.set(nsp, membership);
    }
    return membership;
  }

  /** A namespace is gone. */
  forget(nsp: string): void {
    this.#memberships.delete(nsp);
    this.#known.delete(nsp);
  }

  /**
   * A moment that nothing else in the object has: the clock's, or just after the last one. Whatever the clock says, it
   * comes after what an earlier instance has logged for this namespace.
   */
  nextStamp(nsp: string): number {
    if (!this.#known.has(nsp)) this.#goOn(nsp);
    this.#lastStamp = Math.max(Math.floor(this.#host.now()), this.#lastStamp + STEP);
    return this.#lastStamp;
  }

  #goOn(nsp: string): void {
    this.#known.add(nsp);
    try {
      const latest = this.#host.recovery?.latest(nsp);
      if (latest !== undefined) this.#advance(Number.parseInt(latest.slice(0, 9), 36) + 1);
    } catch (error) {
      this.#host.log("error", "recovery could not be read", error);
    }
  }

  /** Later moments come after this one, whatever the clock says. */
  #advance(stamp: number): void {
    this.#lastStamp = Math.max(this.#lastStamp, stamp);
  }

  complete(): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    this.#host.budget.keepNone();
    this.#host.visitSleeping((sid, stored) => {
      const sockets = fromStored(stored)?.sockets ?? [];
      const isHeld = this.#host.budget.keep(sockets.reduce((sum, { rooms }) => sum + bytesIn(rooms), 0));
      for (const record of isHeld ? sockets : []) {
        const { members } = this.of(record.nsp);
        if (!members.has(record.id)) members.set(record.id, new Member(sid, record));
        this.#met(record);
      }
      return isHeld;
    });
    for (const membership of this.#memberships.values()) membership.index();
  }

  /** Somebody of each namespace that has anybody. */
  *representatives(): Iterable<Member> {
    this.complete();
    for (const nsp of this.#memberships.keys()) {
      const member = this.representative(nsp);
      if (member !== undefined) yield member;
    }
  }

  /** Somebody of one namespace. */
  representative(nsp: string): Member | undefined {
    this.complete();
    return this.#memberships.get(nsp)?.members.values().next().value;
  }

  /** Tells that a session is in memory: its members, found or made. */
  load(client: Client, sockets: readonly SocketRecord[]): Member[] {
    return sockets.map((record) => {
      const { members } = this.of(record.nsp);
      const member = members.get(record.id) ?? new Member(client.conn.id, record);
      members.set(record.id, member);
      member.client = client;
      member.record = record;
      member.hasSpoken = true;
      this.#met(record);
      return member;
    });
  }

  #met({ at, joins }: SocketRecord): void {
    this.#advance(joins?.at(-1) ?? at);
  }
}
