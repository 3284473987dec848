import { type Frame, PacketType, type SocketPacket } from "../codec/index.ts";
import type { Member } from "./membership.ts";
import type { RecoveryOptions } from "./options.ts";
import type { Parser } from "./parser.ts";
import type { RecoveryEntry, RecoveryRecord, RecoveryStore, ServerHost } from "./ports.ts";
import type { SocketRecord } from "./records.ts";
import type { DisconnectReason } from "./socket-types.ts";

/** After these a client may come back to what it had. */
const RECOVERABLE: ReadonlySet<string> = new Set<DisconnectReason>([
  "transport error",
  "transport close",
  "forced close",
  "ping timeout",
  "server shutting down",
  "forced server close",
]);

/** Nine digits of base 36 hold milliseconds until the year 5188, three count within one. */
const OFFSET = /^[0-9a-z]{12}$/;
const COUNTS = 36 ** 3;

/** What is stored beside what the port names. */
interface RecoveredData {
  data: unknown;
  /** The offset of the first packet that was sent to the socket. */
  first?: string;
  auth?: unknown;
  /** What `handshakeData` gave: a `disconnect` that a restart swallowed runs with it. */
  handshake?: unknown;
  issued: number;
}

/** What a client that comes back is given. */
export interface RecoveredSession {
  readonly sid: string;
  readonly pid: string;
  readonly rooms: string[];
  readonly data: unknown;
  readonly first?: string;
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
  readonly #changed = new Set<Member>();
  /** Namespaces whose offsets so far are known. */
  readonly #known = new Set<string>();
  #lastMs = 0;
  #count = 0;

  constructor(store: RecoveryStore, host: ServerHost, parser: Parser, options: Required<RecoveryOptions>) {
    this.#store = store;
    this.#host = host;
    this.#parser = parser;
    this.options = options;
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
    try {
      this.#store.remove(nsp, pid);
    } catch (error) {
      this.#host.log("error", "recovery could not be written", error);
    }
  }

  /** Adds its offset to an event, as the last argument. The packet itself is not changed. */
  stamp(packet: SocketPacket): { stamped: SocketPacket; offset: string } {
    if (!this.#known.has(packet.nsp)) this.#goOn(packet.nsp);
    const offset = this.#nextOffset();
    return { stamped: { ...packet, data: [...(packet.data as unknown[]), offset] }, offset };
  }

  /**
   * Logs an event for those who are away, as it went out to the others: what user code hands over may be a proxy, have
   * methods or change later, and no row could hold it.
   */
  log(
    { nsp, data }: SocketPacket,
    frames: readonly Frame[],
    offset: string,
    rooms: Iterable<string>,
    except: Iterable<string>,
  ): void {
    const sent = this.#parser.decode(frames)?.data;
    // A foreign decoder may take its time: then what user code gave has to do.
    const packet = Array.isArray(sent) ? sent.slice(0, -1) : (data as unknown[]);
    this.#store.append(nsp, { offset, packet, rooms: [...rooms], except: [...except] });
  }

  /** Logs an event for a namespace that is not there because all of its clients are away. */
  logAbsent(nsp: string, data: unknown[], rooms: Iterable<string>, except: Iterable<string>): void {
    const packet: SocketPacket = { type: PacketType.EVENT, nsp, data };
    const { stamped, offset } = this.stamp(packet);
    this.log(packet, this.#parser.encode(stamped), offset, rooms, except);
  }

  /** A logged packet goes to a socket. Its first one is remembered: a client without an offset has missed that. */
  onSent(member: Member, offset: string): void {
    if (member.record === undefined || member.record.first !== undefined) return;
    member.record.first = offset;
    member.client?.conn.changed();
    this.onChanged(member);
  }

  /** The record of a client that comes back in time. */
  find(nsp: string, pid: string): RecoveryRecord | undefined {
    this.#saveChanged();
    const record = this.#store.find(nsp, pid);
    // Storage may take one secret for another; who comes back has to be who left.
    if (record?.nsp !== nsp || record.pid !== pid) return undefined;
    // One whose time is over stays where it is: its `disconnect` may have to run yet.
    return this.#isExpired(record) ? undefined : record;
  }

  /** All that a client had and missed; undefined when that cannot be told in full, so it has to start anew. */
  restore(nsp: string, pid: string, offset: string | undefined): RecoveredSession | undefined {
    const record = this.find(nsp, pid);
    if (record === undefined) return undefined;
    const { data, first } = record.data as RecoveredData;
    const missedPackets = this.#missedBy(record, first, offset);
    return missedPackets && { sid: record.sid, pid, rooms: record.rooms, data, first, missedPackets };
  }

  /** The socket that a record stands for. It has no way back any more. */
  toSocketRecord({ sid, nsp, rooms, data }: RecoveryRecord): SocketRecord {
    const { data: kept, first, auth, issued } = data as RecoveredData;
    return { id: sid, nsp, at: issued, issued, auth, rooms, first, kept: { data: kept } };
  }

  #missedBy(
    record: RecoveryRecord,
    first: string | undefined,
    offset: string | undefined,
  ): unknown[][] | undefined {
    if (offset !== undefined && !OFFSET.test(offset)) return undefined;
    // To whom nothing was sent while it was there, everything since its end is news.
    const start = first ?? (record.at === null ? undefined : toOffset(record.at, 0));
    if (offset === undefined && first === undefined && !this.#isLogged(record.nsp, start)) return [];
    // Text that is cut at its end sorts right before itself.
    const from = offset === undefined ? (start as string).slice(0, -1) : offset;
    const entries = this.#store.since(record.nsp, from);
    if (entries === undefined) return undefined;
    const missed: unknown[][] = [];
    for (const entry of entries) {
      const isLater = offset !== undefined || entry.offset >= (start as string);
      if (isLater && isFor(record, entry)) missed.push([...entry.packet, entry.offset]);
    }
    return missed;
  }

  /** Whether anything was logged from `start` on. */
  #isLogged(nsp: string, start: string | undefined): boolean {
    return start !== undefined && start <= (this.#store.latest(nsp) ?? "");
  }

  #isExpired({ at }: RecoveryRecord): boolean {
    return at !== null && this.#host.now() - at > this.options.maxDisconnectionDuration;
  }

  #saveChanged(): void {
    for (const member of this.#changed) this.#save(member, null);
    this.#changed.clear();
  }

  #save(member: Member, at: number | null): void {
    const { record, id, nsp, rooms, state, sid } = member;
    if (record?.pid === undefined) return;
    const kept = state === undefined ? record.kept : state.toKept();
    const data: RecoveredData = {
      data: kept?.data,
      first: record.first,
      auth: record.auth,
      handshake: member.client ? member.client.conn.handshakeData : this.#storedHandshake(nsp, record.pid),
      issued: record.issued,
    };
    this.#store.save({
      pid: record.pid,
      sid: id,
      nsp,
      rooms: [...rooms],
      data,
      at,
      session: sid,
      isOver: at !== null,
    });
  }

  /** Of a socket whose session sleeps. */
  #storedHandshake(nsp: string, pid: string): unknown {
    return handshakeOf(this.#store.find(nsp, pid));
  }

  /** Whatever the clock says: later offsets come after those of earlier instances. */
  #goOn(nsp: string): void {
    this.#known.add(nsp);
    const latest = this.#store.latest(nsp) ?? "";
    const ms = Number.parseInt(latest.slice(0, 9) || "0", 36);
    if (ms < this.#lastMs) return;
    const count = Number.parseInt(latest.slice(9) || "0", 36);
    this.#count = ms === this.#lastMs ? Math.max(count, this.#count) : count;
    this.#lastMs = ms;
  }

  /** Text that sorts in the order of time, also across instances of the object. */
  #nextOffset(): string {
    const now = Math.floor(this.#host.now());
    if (now > this.#lastMs) {
      this.#lastMs = now;
      this.#count = 0;
    } else if (++this.#count === COUNTS) {
      this.#lastMs++;
      this.#count = 0;
    }
    return toOffset(this.#lastMs, this.#count);
  }
}

/** What `handshakeData` gave for the client of a record. */
export function handshakeOf(record: RecoveryRecord | undefined): unknown {
  return (record?.data as RecoveredData | undefined)?.handshake;
}

function toOffset(ms: number, count: number): string {
  return Math.floor(ms).toString(36).padStart(9, "0") + count.toString(36).padStart(3, "0");
}

function isFor(record: RecoveryRecord, entry: RecoveryEntry): boolean {
  const isIncluded = entry.rooms.length === 0 || record.rooms.some((room) => entry.rooms.includes(room));
  return isIncluded && !record.rooms.some((room) => entry.except.includes(room));
}
