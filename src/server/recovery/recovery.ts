import type { Frame, SocketPacket } from "../../codec/index.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import type { RecoveryOptions } from "../api/options.ts";
import { snapshot } from "../api/snapshot.ts";
import type { DisconnectReason } from "../api/socket-types.ts";
import type { Core } from "../core.ts";
import type { RecoveryRecord, RecoveryStore, ServerHost } from "../ports.ts";
import { type Member, type MembershipBook, toOffset } from "../rooms/membership.ts";
import type { Parser } from "../sockets/parser.ts";
import type { LeftRoom, SocketRecord } from "../state/records.ts";

/** After these a client may come back to what it had. */
const RECOVERABLE: ReadonlySet<string> = new Set<DisconnectReason>([
  "transport error",
  "transport close",
  "forced close",
  "ping timeout",
  "server shutting down",
  "forced server close",
]);

/** What {@link toOffset} gives. */
const OFFSET = /^[0-9a-z]{12}$/;

/** Rooms that a socket has left are remembered up to this number. */
const MAX_LEFT = 100;

/** What is stored beside what the port names. */
interface RecoveredData {
  data: unknown;
  auth?: unknown;
  /** What `handshakeData` gave: a `disconnect` that a restart swallowed runs with it. */
  handshake?: unknown;
  /** The dynamic namespace that its namespace is a child of. */
  parent?: string;
  issued: number;
  /** The rest is missing in records of older code. See `SocketRecord`. */
  at?: number;
  since?: number;
  joins?: number[];
  left?: LeftRoom[];
  leftSince?: number;
}

/** What a client that comes back is given. */
export interface RecoveredSession {
  readonly sid: string;
  readonly pid: string;
  readonly rooms: string[];
  readonly data: unknown;
  /** The moment up to which `missedPackets` goes: from then on it is in its rooms again. */
  readonly at?: number;
  /** What tells later which packets it may have missed. */
  readonly since?: number;
  readonly left?: LeftRoom[];
  readonly leftSince?: number;
  readonly missedPackets: unknown[][];
}

/**
 * Connection state recovery: clients that were away get back what they had, or nothing of it.
 *
 * connect --> saved, and again at each change --> disconnected: its time begins --> comes back | expires
 * broadcast --> logged with an offset --> replayed to those that missed it
 *
 * Records are saved while the socket lives, for a restart of the object runs no `disconnect`.
 */
export class Recovery {
  readonly options: Required<RecoveryOptions>;
  readonly #store: RecoveryStore;
  readonly #host: ServerHost;
  readonly #parser: Parser;
  readonly #book: MembershipBook;
  readonly #changed = new Set<Member>();

  constructor(store: RecoveryStore, { host, parser, book }: Core, recovery: Required<RecoveryOptions>) {
    this.#store = store;
    this.#host = host;
    this.#parser = parser;
    this.#book = book;
    this.options = recovery;
  }

  /** A socket's state changed: it is saved at the end of this turn. */
  onChanged(member: Member): void {
    if (member.record?.pid === undefined) return;
    if (this.#changed.size === 0) Promise.resolve().then(() => this.#saveChanged());
    this.#changed.add(member);
  }

  /** A socket has ended. The secret by which its client may come back; undefined when it may not. */
  onDisconnect(member: Member, reason: DisconnectReason): string | undefined {
    this.onEnding([member], reason);
    if (member.record?.pid === undefined) return undefined;
    this.#changed.delete(member);
    this.#save(member, this.#host.now());
    return member.record.pid;
  }

  /** Sockets are about to end, as soon as their listeners are there to hear of it. Some reasons do not wait for that. */
  onEnding(members: readonly Member[], reason: DisconnectReason): void {
    if (!RECOVERABLE.has(reason)) for (const member of members) this.forget(member);
  }

  /** Its client may not come back, and not after a restart either: what is known of it goes in this very turn. */
  forget({ nsp, record, client }: Member): void {
    if (record?.pid === undefined) return;
    const { pid } = record;
    record.pid = undefined;
    client?.conn.changed();
    this.#write(() => this.#store.remove(nsp, pid));
  }

  /** A socket left a room: what was said in it before is still its own. */
  onLeft({ nsp, record, client }: Member, room: string, from: number | undefined): void {
    if (from === undefined || record?.pid === undefined || client?.conn.readyState !== "open") return;
    const to = this.#book.nextStamp(nsp);
    const left = (record.left ?? []).filter((it) => it.to > to - this.#keptMs);
    if (left.push({ room, from, to }) > MAX_LEFT) record.leftSince = left.shift()?.to;
    record.left = left;
  }

  /**
   * Encodes an event with its offset as the last argument, and logs it for those who are away, as it goes out to the
   * others: what user code hands over may be a proxy, have methods or change later, and no row could hold it.
   */
  encode(packet: SocketPacket, rooms: Iterable<string>, except: Iterable<string> = []): readonly Frame[] {
    const { nsp } = packet;
    const data = packet.data as unknown[];
    const offset = toOffset(this.#book.nextStamp(nsp));
    const frames = this.#parser.encode({ ...packet, data: [...data, offset] });
    const sent = this.#parser.decode(frames)?.data;
    // A foreign decoder may take its time: then what user code gave has to do.
    const logged = Array.isArray(sent) ? sent.slice(0, -1) : snapshot(data);
    this.#store.append(nsp, { offset, packet: logged, rooms: [...rooms], except: [...except] });
    return frames;
  }

  /** Whether the client of a socket that has ended may come back, or has. */
  isAwaited({ nsp, record }: Member): boolean {
    return record?.pid !== undefined && this.find(nsp, record.pid) !== undefined;
  }

  /** The record of a client that comes back in time. */
  find(nsp: string, pid: string): RecoveryRecord | undefined {
    this.#saveChanged();
    const record = this.#store.find(nsp, pid);
    // Storage may take one secret for another; who comes back has to be who left.
    if (record?.nsp !== nsp || record.pid !== pid) return undefined;
    const { at } = record;
    // One whose time is over stays where it is: its `disconnect` may have to run yet.
    const isExpired = at !== null && this.#host.now() - at > this.options.maxDisconnectionDuration;
    return isExpired ? undefined : record;
  }

  /** All that a client had and missed; undefined when that cannot be told in full, so it has to start anew. */
  restore(nsp: string, pid: string, offset: string | undefined): RecoveredSession | undefined {
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
    } = record.data as RecoveredData;
    const now = this.#book.nextStamp(nsp);
    // Who was connected for so long has heard what was sent before: the connection would have been closed otherwise.
    const heardAt = (record.at ?? now) - this.#store.quietMs;
    const start = at < heardAt ? heardAt : since;
    const from = [offset ?? "", toOffset(start)].sort()[1]!;
    const oldest = toOffset(Math.max(leftSince, this.#host.now() - this.#keptMs));
    if (from < oldest || from < this.#store.lostBefore() || from > toOffset(now)) return undefined;
    const stays = [...left, ...toStays(record.rooms, joins, at, now)];
    const first = [offset ?? "", toOffset(Math.max(since, leftSince))].sort()[1]!;
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

  /** What was said since a moment to a socket that is coming back; undefined when it may not come back any more. */
  missedSince(stamp: number, member: Member): unknown[][] | undefined {
    if (!this.isAwaited(member)) return undefined;
    const { nsp, rooms, joins, at, record } = member;
    const there = toStays([...rooms], joins, at, this.#book.nextStamp(nsp));
    return this.#missedBy(nsp, toOffset(stamp), [...(record?.left ?? []), ...there]);
  }

  /** The socket that a record stands for. It has no way back any more. */
  toSocketRecord({ sid, nsp, rooms, data }: RecoveryRecord): SocketRecord {
    const { data: kept, auth, issued, parent } = data as RecoveredData;
    return { id: sid, nsp, parent, at: issued, issued, auth, rooms, kept: { data: kept } };
  }

  /** What was said behind `offset` to who was in these rooms; undefined when a packet is lost, or they are too much. */
  #missedBy(nsp: string, offset: string, stays: readonly LeftRoom[]): unknown[][] | undefined {
    const known = stays.map(({ room, from, to }) => ({ room, from: toOffset(from), to: toOffset(to) }));
    const missed: unknown[][] = [];
    let bytes = 0;
    for (const { offset: at, packet, rooms, except } of this.#store.since(nsp, offset)) {
      // What counts is where the socket was at that moment.
      const wasIn = (room: string) => known.some((it) => it.room === room && it.from < at && at < it.to);
      if ((rooms.length > 0 && !rooms.some(wasIn)) || except.some(wasIn)) continue;
      bytes += estimateBytes(packet);
      // More than may wait for a client would end its connection, and once more each time it comes back.
      if (packet === undefined || bytes > this.#host.engine.opts.maxQueuedBytes) return undefined;
      missed.push([...packet, at]);
    }
    return missed;
  }

  /** For how long things of the past may matter to somebody who comes back, ms. */
  get #keptMs(): number {
    return this.options.maxDisconnectionDuration + this.#store.quietMs;
  }

  /** Each alone: what of one socket cannot be kept is no matter of the others. */
  #saveChanged(): void {
    for (const member of this.#changed) {
      this.#changed.delete(member);
      this.#write(() => this.#save(member, null));
    }
  }

  #write(run: () => void): void {
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
    const data: RecoveredData = {
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
  return (data as RecoveredData).handshake;
}

/** The rooms that a socket is in, as of `now`. */
function toStays(
  rooms: readonly string[],
  joins: readonly number[] = [],
  at: number,
  now: number,
): LeftRoom[] {
  return rooms.map((room, index) => ({ room, from: joins[index] ?? at, to: now }));
}
