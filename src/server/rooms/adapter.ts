import type { Frame, SocketPacket } from "../../codec/index.ts";
import { EVENT } from "../../codec/socket-packet.ts";
import { EventEmitter } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";
import type { AnyNamespace } from "../api/namespace.ts";
import type { AnySocket } from "../api/socket.ts";
import type { BroadcastFlags, Room, SocketId } from "../api/socket-types.ts";
import type { Core } from "../core.ts";
import type { RecoveredSession } from "../recovery/recovery.ts";
import type { Member, Membership } from "./membership.ts";

export interface BroadcastOptions {
  rooms: Set<Room>;
  except?: Set<Room>;
  flags?: BroadcastFlags;
}

export type AdapterEvents = {
  "create-room": (room: Room) => void;
  "join-room": (room: Room, id: SocketId) => void;
  "leave-room": (room: Room, id: SocketId) => void;
  "delete-room": (room: Room) => void;
};

const ROOM_EVENTS = ["create-room", "join-room", "leave-room", "delete-room"] as const;

/** A socket of another object, as `fetchSockets` brings it over. */
export interface SocketDetails {
  id: SocketId;
  handshake: Untyped;
  rooms: Room[];
  data: Untyped;
}

export type AdapterConstructor = (new (nsp: Untyped) => Adapter) | ((nsp: Untyped) => Adapter);

/** What a broadcast does for each socket it reaches. */
interface Delivery {
  frames: readonly Frame[];
  packet: SocketPacket;
  flags: BroadcastFlags | undefined;
}

/**
 * The rooms of one namespace and the broadcasts to them: the official port, its in-memory form. Membership itself
 * lives with each socket; the index over it (`rooms`, `sids`) is built when somebody needs it, once an instance.
 */
export class Adapter extends EventEmitter<AdapterEvents> {
  readonly nsp: AnyNamespace;
  readonly #core: Core;
  readonly #membership: Membership;

  constructor(nsp: AnyNamespace) {
    super();
    this.nsp = nsp;
    this.#core = nsp._core;
    this.#membership = nsp._membership;
  }

  /** Sockets by room. */
  get rooms(): Map<Room, Set<SocketId>> {
    return this.#here.complete().rooms;
  }

  /** Rooms by socket. */
  get sids(): Map<SocketId, Set<Room>> {
    return this.#here.complete().sids;
  }

  init(): Promise<void> | void {}

  close(): Promise<void> | void {}

  /** How many servers take part. */
  serverCount(): Promise<number> {
    return Promise.resolve(1);
  }

  addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void {
    this.#change(id, (member) => {
      if (member === undefined || this.#isIndexed()) this.#join(id, rooms, member);
      else for (const room of rooms) member.join(room, this.#core.book.nextStamp(this.nsp.name));
    });
  }

  del(id: SocketId, room: Room): Promise<void> | void {
    this.#change(id, (member) => {
      const index = member === undefined || this.#isIndexed() ? this.#membership.complete() : undefined;
      const joined = member?.leave(room);
      if (member === undefined) index?.sids.get(id)?.delete(room);
      else this.#core.recovery?.onLeft(member, room, joined);
      this.#leave(id, room);
    });
  }

  delAll(id: SocketId): void {
    this.#change(id, (member) => {
      if (this.#isIndexed()) {
        const { sids } = this.#membership.complete();
        for (const room of sids.get(id) ?? []) this.#leave(id, room);
        sids.delete(id);
      }
      // The set itself stays as it is: who heard `disconnecting` may still look at it.
      if (member === undefined) return;
      const { recovery } = this.#core;
      let index = 0;
      for (const room of member.rooms) recovery?.onLeft(member, room, member.joins[index++] ?? member.at);
      member.rooms = new Set();
      member.joins = [];
    });
  }

  broadcast(packet: SocketPacket, opts: BroadcastOptions): void {
    const { isMuted, recovery, parser } = this.#core;
    if (isMuted) return;
    const { flags } = opts;
    packet.nsp = this.nsp.name;
    // Whoever sleeps may have joined at a moment that the clock has yet to reach.
    this.#membership.complete();
    const isLogged = packet.type === EVENT && packet.id === undefined && !flags?.volatile;
    const frames =
      recovery === undefined || !isLogged
        ? parser.encode(packet)
        : recovery.encode(packet, opts.rooms, opts.except);
    const delivery = { frames, packet, flags };
    this.#visit(opts, (member) => this.#deliver(member, delivery));
  }

  /** `onGone`, which the official port does not have, is called for each client that left without an answer. */
  broadcastWithAck(
    packet: SocketPacket,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: Untyped[]) => void,
    onGone?: () => void,
  ): void {
    packet.nsp = this.nsp.name;
    packet.id = this.nsp._nextAckId();
    const waiting = new Set<SocketId>();
    this.nsp._broadcastAcks.set(packet.id, { waiting, ack, onGone });
    const { flags } = opts;
    const delivery = { frames: this.#core.parser.encode(packet), packet, flags };
    this.#visit(opts, (member) => {
      waiting.add(member.id);
      this.#deliver(member, delivery);
    });
    clientCountCallback(waiting.size);
  }

  /** Ids of the sockets in any of the rooms; of all, where none are given. */
  sockets(rooms: Set<Room>): Promise<Set<SocketId>> {
    const ids = new Set<SocketId>();
    this.#visit({ rooms }, (member) => ids.add(member.id));
    return Promise.resolve(ids);
  }

  socketRooms(id: SocketId): Set<Room> | undefined {
    return this.#membership.find(id)?.rooms ?? this.sids.get(id);
  }

  fetchSockets(opts: BroadcastOptions): Promise<(AnySocket | SocketDetails)[]> {
    return Promise.resolve(this.#list(opts));
  }

  addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    for (const socket of this.#list(opts)) this.#core.attempt("socketsJoin", () => socket.join(rooms));
  }

  delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    for (const socket of this.#list(opts)) for (const room of rooms) socket.leave(room);
  }

  disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    for (const socket of this.#list(opts)) socket.disconnect(close);
  }

  /** Emits to the other servers. There is none: an acknowledgement gets no answers at once. */
  serverSideEmit(packet: Untyped[]): void {
    const ack: unknown = packet.at(-1);
    if (typeof ack !== "function") return;
    Promise.resolve().then(() => this.#core.attempt("serverSideEmit", () => ack(null, [])));
  }

  /** Hears of a socket that lost its connection. Recovery keeps what it needs by itself, from the start. */
  persistSession(_session: Omit<RecoveredSession, "missedPackets">): void {}

  /** What the client with the secret `pid` may have back; null: it starts anew. */
  restoreSession(
    pid: string,
    offset: string | undefined,
  ): RecoveredSession | null | Promise<RecoveredSession | null> {
    return this.#core.recovery?.restore(this.nsp.name, pid, offset) ?? null;
  }

  /** A socket has to come to the end of its way, in and out, whatever listeners to its rooms do. @internal */
  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return this._emitSafely(event, args, this.#core.onError);
  }

  /** For code that runs in the namespace's instance. @throws Error elsewhere */
  get #here(): Membership {
    this.#core.host.checkHere("io", this.nsp.name);
    return this.#membership;
  }

  /** Whether the index has to be kept up to date: it was built, or somebody listens to what changes it. */
  #isIndexed(): boolean {
    return this.#membership.isComplete || ROOM_EVENTS.some((event) => this.listenerCount(event) > 0);
  }

  /** Rooms are stored with their socket: also where server code asks the adapter itself, and for one that sleeps. */
  #change(id: SocketId, change: (member: Member | undefined) => void): void {
    const member = this.#membership.find(id);
    // What is stored of it tells what it is about to change.
    if (member?.state === undefined && member !== undefined) this.#core.wake(member);
    const before = member?.rooms.size;
    change(member);
    if (member === undefined || member.rooms.size === before) return;
    if (member.state !== undefined) {
      member.state.changed();
      return;
    }
    member.client?.conn.changed();
    this.#core.recovery?.onChanged(member);
  }

  #join(id: SocketId, rooms: Set<Room>, member: Member | undefined): void {
    const index = this.#membership.complete();
    let joined = index.sids.get(id);
    if (joined === undefined) {
      joined = member?.rooms ?? new Set();
      index.sids.set(id, joined);
    }
    for (const room of rooms) {
      member?.join(room, this.#core.book.nextStamp(this.nsp.name));
      joined.add(room);
      let ids = index.rooms.get(room);
      if (ids === undefined) {
        ids = new Set();
        index.rooms.set(room, ids);
        this.emit("create-room", room);
      }
      if (ids.has(id)) continue;
      ids.add(id);
      this.emit("join-room", room, id);
    }
  }

  #leave(id: SocketId, room: Room): void {
    const { rooms } = this.#membership;
    const ids = rooms.get(room);
    if (ids === undefined) return;
    if (ids.delete(id)) this.emit("leave-room", room, id);
    if (ids.size === 0 && rooms.delete(room)) this.emit("delete-room", room);
  }

  #deliver(member: Member, delivery: Delivery): void {
    // Who sleeps goes on sleeping: to bring everybody into memory for a broadcast takes more than there is.
    const { frames, flags } = delivery;
    const isVolatile = flags?.volatile === true;
    if (member.client === undefined && this.#core.host.sendAsleep(member.sid, frames, isVolatile)) return;
    const client = member.client ?? this.#core.wake(member);
    if (client === undefined) return;
    member.state?.notifyOutgoing(delivery.packet.data as unknown[]);
    client.conn.sendFrames(frames, flags);
  }

  #list(opts: BroadcastOptions): AnySocket[] {
    const sockets: AnySocket[] = [];
    this.#visit(opts, (member) => {
      const socket = this.#core.socketOf(member);
      if (socket !== undefined) sockets.push(socket);
    });
    return sockets;
  }

  /** Each connected socket in any of the rooms (all, where none are given) and in none of those excepted, once. */
  #visit({ rooms, except }: BroadcastOptions, visit: (member: Member) => void): void {
    const index = this.#membership.complete();
    const { members } = index;
    const excepted = except === undefined || except.size === 0 ? undefined : union(index.rooms, except);
    const isThere = ({ id, isLeaving }: Member) => (!isLeaving || this.#core.isEnding) && !excepted?.has(id);
    if (rooms.size === 0) {
      for (const member of members.values()) if (isThere(member)) visit(member);
      return;
    }
    for (const id of union(index.rooms, rooms)) {
      const member = members.get(id);
      if (member !== undefined && isThere(member)) visit(member);
    }
  }
}

const NOBODY: ReadonlySet<SocketId> = new Set();

/** Who is in any of the rooms. Of a single room, its own set. */
function union(index: Map<Room, Set<SocketId>>, rooms: Set<Room>): ReadonlySet<SocketId> {
  if (rooms.size === 1) {
    for (const room of rooms) return index.get(room) ?? NOBODY;
  }
  const ids = new Set<SocketId>();
  for (const room of rooms) for (const id of index.get(room) ?? NOBODY) ids.add(id);
  return ids;
}
