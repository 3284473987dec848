import type { Frame, SocketPacket } from "../../codec/index.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { SETTLED } from "../../shared/settled.ts";
import type { DisconnectReason } from "../api/socket-types.ts";
import { MAX_ROOMS_LEFT } from "../constants.ts";
import type { Host } from "../host.ts";
import { type LogicalClock, toOffset } from "../rooms/logical-clock.ts";
import type { Member } from "../rooms/member.ts";
import type { Parser } from "../sockets/parser.ts";
import { toPlain } from "../state/plain-copy.ts";
import type { RoomStay, SocketRecord } from "../state/records.ts";
import type { RecoveryOptions } from "./recovery-options.ts";
import type { RecoveryRecord, RecoveryStore } from "./recovery-store.ts";

/** After these reasons a client may come back to what it had. */
const RECOVERABLE: ReadonlySet<string> = new Set<DisconnectReason>([
  "transport error",
  "transport close",
  "forced close",
  "ping timeout",
  "server shutting down",
  "forced server close",
]);

/** The form of what {@link toOffset} returns. */
const OFFSET = /^[0-9a-z]{12}$/;

/** `RecoveryRecord.data`. */
interface RecoveryData {
  data: unknown;
  auth?: unknown;
  /** What `handshakeData` gave. The `disconnect` listeners of a connection that a restart ended find it there. */
  handshake?: unknown;
  /** The dynamic namespace whose child the socket's namespace is. */
  parent?: string;
  issued: number;
  /** Older code did not write the following. They mean the same as in `SocketRecord`. */
  at?: number;
  since?: number;
  joins?: number[];
  left?: RoomStay[];
  leftSince?: number;
}

/** What a client that comes back is given. */
export interface RecoveredSession {
  readonly sid: string;
  readonly pid: string;
  readonly rooms: string[];
  readonly data: unknown;
  /** Up to which moment `missedPackets` goes. From then on the socket is in its rooms again. */
  readonly at?: number;
  /** The following tell which packets the client may have missed when it comes back another time. */
  readonly since?: number;
  readonly left?: RoomStay[];
  readonly leftSince?: number;
  readonly missedPackets: unknown[][];
}

/** Parts of the server that recovery uses. */
interface RecoveryServer {
  readonly host: Pick<Host, "now" | "log" | "engine">;
  readonly parser: Parser;
  readonly clock: LogicalClock;
}

/**
 * Connection state recovery: a client that was away gets back its id, rooms, data and missed packets, or starts anew.
 *
 *   connect ──► stored, and again at each change ──► disconnected: its time begins ──► comes back | expires
 *   event   ──► logged with an offset ──► sent to those that missed it
 *
 * A socket is stored while it is connected, because a restart of the object runs no `disconnect`.
 */
export class Recovery {
  readonly options: Required<RecoveryOptions>;
  readonly #store: RecoveryStore;
  readonly #host: RecoveryServer["host"];
  readonly #clock: LogicalClock;
  readonly #parser: Parser;
  /** Sockets that are stored at the end of this turn. */
  readonly #dirty = new Set<Member>();

  constructor(
    store: RecoveryStore,
    { host, parser, clock }: RecoveryServer,
    options: Required<RecoveryOptions>,
  ) {
    this.options = options;
    this.#store = store;
    this.#host = host;
    this.#clock = clock;
    this.#parser = parser;
  }

  /**
   * Encodes an event with its offset as the last argument, and logs it. What is logged is read back from the encoded
   * frames: the arguments that user code gave may be proxies, have methods or change later, and cannot be stored.
   */
  encode(packet: SocketPacket, rooms: Iterable<string>, except: Iterable<string> = []): readonly Frame[] {
    const { nsp } = packet;
    const data = packet.data as unknown[];
    const offset = toOffset(this.#clock.next(nsp));
    const frames = this.#parser.encode({ ...packet, data: [...data, offset] });
    const sent = this.#parser.decode(frames)?.data;
    // The decoder of another wire format may not be done at once. Then a plain copy of the arguments has to do.
    const logged = Array.isArray(sent) ? sent.slice(0, -1) : (toPlain(data) as unknown[]);
    this.#store.append(nsp, { offset, packet: logged, rooms: [...rooms], except: [...except] });
    return frames;
  }

  /**
   * The events later than `offset` that were sent to a socket, judged by the rooms it was in when each was sent.
   * Undefined when one of them could not be stored, or when they are more than may be queued for a client.
   */
  #missedBy(nsp: string, offset: string, stays: readonly RoomStay[]): unknown[][] | undefined {
    const known = stays.map(({ room, from, to }) => ({ room, from: toOffset(from), to: toOffset(to) }));
    const missed: unknown[][] = [];
    let bytes = 0;
    for (const { offset: at, packet, rooms, except } of this.#store.since(nsp, offset)) {
      const wasIn = (room: string) => known.some((it) => it.room === room && it.from < at && at < it.to);
      if ((rooms.length > 0 && !rooms.some(wasIn)) || except.some(wasIn)) continue;
      bytes += estimateBytes(packet);
      // A client that is sent more than its queue may hold loses its connection, and would again at each return.
      if (packet === undefined || bytes > this.#host.engine.opts.maxQueuedBytes) return undefined;
      missed.push([...packet, at]);
    }
    return missed;
  }

  /** Has a socket stored at the end of this turn. */
  markDirty(member: Member): void {
    if (member.record?.pid === undefined) return;
    if (this.#dirty.size === 0) {
      this.#store.willWrite();
      SETTLED.then(() => this.#saveDirty());
    }
    this.#dirty.add(member);
  }

  /**
   * Stores a socket that has ended.
   * @returns the secret with which its client may come back; undefined when it may not
   */
  persistSession(member: Member, reason: DisconnectReason): string | undefined {
    this.onEnding([member], reason);
    if (member.record?.pid === undefined) return undefined;
    this.#dirty.delete(member);
    this.#save(member, this.#host.now());
    return member.record.pid;
  }

  /**
   * Sockets are about to end, as soon as their listeners can hear of it. A client that may not come back after this
   * reason is forgotten at once.
   */
  onEnding(members: readonly Member[], reason: DisconnectReason): void {
    if (!RECOVERABLE.has(reason)) for (const member of members) this.forget(member);
  }

  /** The client of a socket may not come back. Its record is removed in this turn, so that no crash brings it back. */
  forget({ nsp, record, client }: Member): void {
    if (record?.pid === undefined) return;
    const { pid } = record;
    record.pid = undefined;
    client?.conn.changed();
    this.#tryToWrite(() => this.#store.remove(nsp, pid));
  }

  /** A socket left a room: the packets that were sent to the room before are still for it. */
  onLeft({ nsp, record, client }: Member, room: string, from: number | undefined): void {
    if (from === undefined || record?.pid === undefined || client?.conn.readyState !== "open") return;
    const to = this.#clock.next(nsp);
    const left = (record.left ?? []).filter((it) => it.to > to - this.#keptMs);
    if (left.push({ room, from, to }) > MAX_ROOMS_LEFT) record.leftSince = left.shift()?.to;
    record.left = left;
  }

  /** Whether the client of a socket that has ended may still come back, or has come back. */
  isAwaited({ nsp, record }: Member): boolean {
    return record?.pid !== undefined && this.find(nsp, record.pid) !== undefined;
  }

  /** The record of a client that comes back in time. */
  find(nsp: string, pid: string): RecoveryRecord | undefined {
    this.#saveDirty();
    const record = this.#store.find(nsp, pid);
    // Storage may take one secret for another (it replaces what is not valid Unicode), so it is compared here.
    if (record?.nsp !== nsp || record.pid !== pid) return undefined;
    const { at } = record;
    // An expired record stays in the store, because the socket's `disconnect` listeners may have yet to run.
    const isExpired = at !== null && this.#host.now() - at > this.options.maxDisconnectionDuration;
    return isExpired ? undefined : record;
  }

  /** All that a client had and missed; undefined when it has to start anew, because that cannot be told in full. */
  restoreSession(nsp: string, pid: string, offset: string | undefined): RecoveredSession | undefined {
    const record = this.find(nsp, pid);
    if (record === undefined || (offset !== undefined && !OFFSET.test(offset))) return undefined;
    const {
      data,
      issued,
      at = issued,
      since = at,
      joins,
      left = [],
      leftSince = 0,
    } = record.data as RecoveryData;
    const now = this.#clock.next(nsp);
    // A client that was connected for so long has received what was sent before; else its connection would have ended.
    const heardAt = (record.at ?? now) - this.#store.quietMs;
    const start = at < heardAt ? heardAt : since;
    const from = later(offset ?? "", toOffset(start));
    const oldest = toOffset(Math.max(leftSince, this.#host.now() - this.#keptMs));
    if (from < oldest || from < this.#store.lostBefore() || from > toOffset(now)) return undefined;
    const stays = [...left, ...toStays(record.rooms, joins, at, now)];
    const first = later(offset ?? "", toOffset(Math.max(since, leftSince)));
    const missedPackets = this.#missedBy(nsp, first, stays);
    if (missedPackets === undefined) return undefined;
    return {
      sid: record.sid,
      pid,
      rooms: record.rooms,
      data,
      at: now,
      since: start,
      left: stays,
      leftSince,
      missedPackets,
    };
  }

  /** What a socket that is coming back has missed since a moment; undefined when it may not come back any more. */
  missedSince(stamp: number, member: Member): unknown[][] | undefined {
    if (!this.isAwaited(member)) return undefined;
    const { nsp, rooms, joins, at, record } = member;
    const stays = toStays([...rooms], joins, at, this.#clock.next(nsp));
    return this.#missedBy(nsp, toOffset(stamp), [...(record?.left ?? []), ...stays]);
  }

  /** The socket of a record whose time is over. Its client cannot come back to it. */
  toSocketRecord({ sid, nsp, rooms, data }: RecoveryRecord): SocketRecord {
    const { data: kept, auth, issued, parent } = data as RecoveryData;
    return { id: sid, nsp, parent, at: issued, issued, auth, rooms, kept: { data: kept } };
  }

  /** For how long the past may matter to a client that comes back, ms. */
  get #keptMs(): number {
    return this.options.maxDisconnectionDuration + this.#store.quietMs;
  }

  /** Each socket is stored on its own, so that one that cannot be stored does not affect the others. */
  #saveDirty(): void {
    for (const member of this.#dirty) {
      this.#dirty.delete(member);
      this.#tryToWrite(() => this.#save(member, null));
    }
  }

  #tryToWrite(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#host.log("error", "recovery could not be written", error);
    }
  }

  #save(member: Member, at: number | null): void {
    const { record, id, nsp, rooms, joins, state, sid } = member;
    if (record?.pid === undefined) return;
    const kept = state === undefined ? record.kept : state.toKept();
    const { pid, auth, issued, since, left, leftSince } = record;
    const data: RecoveryData = {
      data: kept?.data,
      auth,
      handshake: member.client?.conn.handshakeData,
      parent: member.parent,
      issued,
      at: member.at,
      since,
      joins: joins.length === 0 ? undefined : [...joins],
      left,
      leftSince,
    };
    this.#store.save({ pid, sid: id, nsp, rooms: [...rooms], data, at, session: sid, isOver: at !== null });
  }
}

/** What `handshakeData` gave for the client of a record. */
export function handshakeOf({ data }: RecoveryRecord): unknown {
  return (data as RecoveryData).handshake;
}

function later(a: string, b: string): string {
  return a < b ? b : a;
}

/** The stays of a socket in the rooms that it is in now. */
function toStays(
  rooms: readonly string[],
  joins: readonly number[] = [],
  at: number,
  now: number,
): RoomStay[] {
  return rooms.map((room, index) => ({ room, from: joins[index] ?? at, to: now }));
}
