import type { Frame, SocketPacket } from "../../codec/index.ts";
import type { BroadcastFlags, Room, SocketId } from "../api/socket-types.ts";
import type { Host } from "../host.ts";
import type { Recovery } from "../recovery/recovery.ts";
import type { BroadcastOptions } from "./broadcast-options.ts";
import type { LogicalClock } from "./logical-clock.ts";
import type { Member, MemberClient } from "./member.ts";
import type { RoomIndex } from "./room-index.ts";

/** What the rooms of a namespace need of the server. */
export interface LocalRoomsHost {
  readonly host: Pick<Host, "sendAsleep">;
  readonly clock: LogicalClock;
  readonly recovery: Recovery | undefined;
  /**
   * While listeners of `disconnecting` or `disconnect` are at work, a socket that leaves is still in its rooms for
   * them.
   */
  readonly isDisconnecting: boolean;
  /** Brings the session of a member into memory; undefined when it is gone. */
  readonly loader: { loadConnection(member: Member): MemberClient | undefined };
}

const ROOM_EVENTS = ["create-room", "join-room", "leave-room", "delete-room"] as const;

/** Emits events about rooms: the adapter. */
interface RoomEmitter {
  listenerCount(event: (typeof ROOM_EVENTS)[number]): number;
  emit(event: "create-room" | "delete-room", room: Room): unknown;
  emit(event: "join-room" | "leave-room", room: Room, id: SocketId): unknown;
}

/** An encoded packet on its way to sockets. */
export interface Delivery {
  readonly frames: readonly Frame[];
  readonly packet: SocketPacket;
  readonly flags: BroadcastFlags | undefined;
}

/**
 * The rooms of one namespace in this object: who is in them, and delivery to those sockets. It knows nothing of other
 * objects; adapters are made of it.
 */
export class LocalRooms<SomeMember extends Member = Member> {
  readonly index: RoomIndex<SomeMember>;
  readonly #nsp: string;
  readonly #server: LocalRoomsHost;
  readonly #emitter: RoomEmitter;

  constructor(nsp: string, index: RoomIndex<SomeMember>, server: LocalRoomsHost, emitter: RoomEmitter) {
    this.#nsp = nsp;
    this.index = index;
    this.#server = server;
    this.#emitter = emitter;
  }

  join(id: SocketId, rooms: Iterable<Room>): void {
    this.#change(id, (member) => {
      if (member === undefined || this.#isIndexed) this.#joinIndexed(id, rooms, member);
      else for (const room of rooms) member.join(room, this.#server.clock.next(this.#nsp));
    });
  }

  leave(id: SocketId, room: Room): void {
    this.#change(id, (member) => {
      const index = member === undefined || this.#isIndexed ? this.index.complete() : undefined;
      const joined = member?.leave(room);
      if (member === undefined) index?.sids.get(id)?.delete(room);
      else this.#server.recovery?.onLeft(member, room, joined);
      this.#removeIndexed(id, room);
    });
  }

  leaveAll(id: SocketId): void {
    this.#change(id, (member) => {
      if (this.#isIndexed) {
        const { sids } = this.index.complete();
        for (const room of sids.get(id) ?? []) this.#removeIndexed(id, room);
        sids.delete(id);
      }
      if (member === undefined) return;
      const { recovery } = this.#server;
      let index = 0;
      for (const room of member.rooms) recovery?.onLeft(member, room, member.joins[index++] ?? member.at);
      // The set itself stays as it is, because listeners of `disconnecting` may still hold it.
      member.rooms = new Set();
      member.joins = [];
    });
  }

  /**
   * Sends an encoded packet to one member. A session that sleeps stays asleep: an object has not enough memory for all
   * the sessions that a broadcast may reach.
   */
  deliver(member: Member, { frames, packet, flags }: Delivery): void {
    const isVolatile = flags?.volatile === true;
    const { host } = this.#server;
    if (member.client === undefined && host.sendAsleep(member.sid, frames, isVolatile)) return;
    const client = member.client ?? this.#server.loader.loadConnection(member);
    if (client === undefined) return;
    member.state?.notifyOutgoing(packet.data as unknown[]);
    client.conn.sendFrames(frames, flags);
  }

  /** Visits each connected socket that the options select, once. */
  visit({ rooms, except }: BroadcastOptions, visit: (member: SomeMember) => void): void {
    const index = this.index.complete();
    const { members } = index;
    const excepted = except === undefined || except.size === 0 ? undefined : union(index.rooms, except);
    const isSelected = ({ id, isLeaving }: Member) =>
      (!isLeaving || this.#server.isDisconnecting) && !excepted?.has(id);
    if (rooms.size === 0) {
      for (const member of members.values()) if (isSelected(member)) visit(member);
      return;
    }
    for (const id of union(index.rooms, rooms)) {
      const member = members.get(id);
      if (member !== undefined && isSelected(member)) visit(member);
    }
  }

  /** Whether the index has to be kept up to date: it is complete, or somebody listens to what changes it. */
  get #isIndexed(): boolean {
    return this.index.isComplete || ROOM_EVENTS.some((event) => this.#emitter.listenerCount(event) > 0);
  }

  /** Changes the rooms of a socket, and has it saved, because rooms are stored with their socket. */
  #change(id: SocketId, change: (member: Member | undefined) => void): void {
    const member = this.index.find(id);
    // The record of a socket that sleeps has to be in memory before its rooms change.
    if (member !== undefined && member.state === undefined) this.#server.loader.loadConnection(member);
    const before = member?.rooms.size;
    change(member);
    if (member === undefined || member.rooms.size === before) return;
    if (member.state !== undefined) {
      member.state.markDirty();
      return;
    }
    member.client?.conn.changed();
    this.#server.recovery?.markDirty(member);
  }

  #joinIndexed(id: SocketId, rooms: Iterable<Room>, member: Member | undefined): void {
    const index = this.index.complete();
    let joined = index.sids.get(id);
    if (joined === undefined) {
      joined = member?.rooms ?? new Set();
      index.sids.set(id, joined);
    }
    for (const room of rooms) {
      member?.join(room, this.#server.clock.next(this.#nsp));
      joined.add(room);
      let ids = index.rooms.get(room);
      if (ids === undefined) {
        ids = new Set();
        index.rooms.set(room, ids);
        this.#emitter.emit("create-room", room);
      }
      if (ids.has(id)) continue;
      ids.add(id);
      this.#emitter.emit("join-room", room, id);
    }
  }

  #removeIndexed(id: SocketId, room: Room): void {
    const { rooms } = this.index;
    const ids = rooms.get(room);
    if (ids === undefined) return;
    if (ids.delete(id)) this.#emitter.emit("leave-room", room, id);
    if (ids.size === 0 && rooms.delete(room)) this.#emitter.emit("delete-room", room);
  }
}

const NOBODY: ReadonlySet<SocketId> = new Set();

/** The sockets in any of the rooms. For a single room it is the set of the index itself. */
function union(index: Map<Room, Set<SocketId>>, rooms: Set<Room>): ReadonlySet<SocketId> {
  if (rooms.size === 1) {
    for (const room of rooms) return index.get(room) ?? NOBODY;
  }
  const ids = new Set<SocketId>();
  for (const room of rooms) for (const id of index.get(room) ?? NOBODY) ids.add(id);
  return ids;
}
