import type { SocketPacket } from "../../codec/index.ts";
import { EventEmitter } from "../../shared/event-emitter.ts";
import { SETTLED } from "../../shared/settled.ts";
import type { Untyped } from "../../shared/untyped.ts";
import type { Room, SocketId } from "../api/socket-types.ts";
import type { ServerContext } from "../context.ts";
import type { SocketMap } from "../namespaces/socket-map.ts";
import { encodeEvent } from "../recovery/encode-event.ts";
import type { RecoveredSession } from "../recovery/recovery.ts";
import type { Handshake } from "../sockets/handshake.ts";
import type { LocalSocket, SocketMember } from "../sockets/socket-member.ts";
import type { BroadcastAcks } from "./broadcast-acks.ts";
import type { BroadcastOptions } from "./broadcast-options.ts";
import { LocalRooms } from "./local-rooms.ts";
import type { RoomIndex } from "./room-index.ts";

export type { BroadcastOptions } from "./broadcast-options.ts";

/** What an adapter emits about its rooms. */
export type AdapterEvents = {
  "create-room": (room: Room) => void;
  "join-room": (room: Room, id: SocketId) => void;
  "leave-room": (room: Room, id: SocketId) => void;
  "delete-room": (room: Room) => void;
  /** Messages to other objects of the server were given up. */
  error: (error: Error) => void;
};

/** What `fetchSockets` of an adapter tells of a socket that lives in another object. */
export interface SocketDetails {
  /** See `Socket.id`. */
  id: SocketId;
  /** See `Socket.handshake`. */
  handshake: Handshake;
  /** The rooms that it is in, the one with its id included. */
  rooms: Room[];
  /** `socket.data`: whatever user code put there. */
  data: Untyped;
}

/** What an adapter needs of its namespace, behind the public face. */
export interface AdapterServices {
  readonly context: ServerContext;
  readonly rooms: RoomIndex<SocketMember>;
  readonly acks: BroadcastAcks;
  nextAckId(): number;
}

/** A namespace as its adapter sees it. */
export interface AdapterNamespace {
  /** See `Namespace.name`. */
  readonly name: string;
  /** The connected sockets, sleeping ones too, by id. */
  readonly sockets: SocketMap<LocalSocket>;
  /** Hands an event from another server to the listeners of this namespace. The last argument may be a callback. */
  _onServerSideEmit(args: [string, ...unknown[]]): void;
  /** @internal */
  readonly _internals: AdapterServices;
}

/**
 * What the option `adapter` takes: a class that extends {@link Adapter}, or a function that makes one. Its parameter is
 * untyped because the author of an adapter declares it as a `Namespace` with event types of any kind.
 */
export type AdapterConstructor = (new (nsp: Untyped) => Adapter) | ((nsp: Untyped) => Adapter);

/**
 * The rooms of one namespace and the broadcasts to them, in this object. It has the methods of the official in-memory
 * adapter, so a class of your own may extend it: override `broadcast` to pass packets on to other servers, for example.
 * @see https://socket.io/docs/v4/adapter/
 * @example
 * class LoggingAdapter extends Adapter {
 *   override broadcast(packet: SocketPacket, opts: BroadcastOptions): void {
 *     console.log("broadcast", packet.data);
 *     super.broadcast(packet, opts);
 *   }
 * }
 * defineServer({ adapter: LoggingAdapter }, setup);
 */
export class Adapter extends EventEmitter<AdapterEvents> {
  /** The namespace whose rooms it keeps. */
  readonly nsp: AdapterNamespace;
  /** The rooms of this object. An adapter over several objects builds on it. @internal */
  readonly _local: LocalRooms<SocketMember>;
  readonly #context: ServerContext;

  constructor(nsp: AdapterNamespace) {
    super();
    this.nsp = nsp;
    const { context, rooms } = nsp._internals;
    this.#context = context;
    this._local = new LocalRooms(nsp.name, rooms, context, this);
  }

  /** The ids of sockets by room. Sockets that sleep are in it. @throws Error outside the object's instance */
  get rooms(): Map<Room, Set<SocketId>> {
    return this.#index.rooms;
  }

  /** The rooms of each socket, by its id. Sockets that sleep are in it. @throws Error outside the object's instance */
  get sids(): Map<SocketId, Set<Room>> {
    return this.#index.sids;
  }

  /** Called when the namespace is made. It does nothing, and is there to be overridden. */
  init(): Promise<void> | void {}

  /** Called when the server closes or the namespace is removed. It does nothing, and is there to be overridden. */
  close(): Promise<void> | void {}

  /** How many servers take part: one. */
  serverCount(): Promise<number> {
    return Promise.resolve(1);
  }

  /** Adds a socket to rooms. The rooms of a socket are stored with it, also while it sleeps. */
  addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void {
    this._local.join(id, rooms);
  }

  /** Removes a socket from a room. */
  del(id: SocketId, room: Room): Promise<void> | void {
    this._local.leave(id, room);
  }

  /** Removes a socket from all of its rooms, its own included. */
  delAll(id: SocketId): void {
    this._local.leaveAll(id);
  }

  /**
   * Sends a packet to the sockets that the options select. With connection state recovery an event gets its offset as
   * the last argument, and is logged for clients that are away, unless it is volatile.
   */
  broadcast(packet: SocketPacket, opts: BroadcastOptions): void {
    if (this.#context.isMuted) return;
    const { rooms, except, flags } = opts;
    packet.nsp = this.nsp.name;
    // A socket that sleeps may have joined at a moment that the clock has yet to reach. The offset must come after it.
    this._local.index.complete();
    const delivery = { frames: encodeEvent(this.#context, packet, flags, rooms, except), packet, flags };
    this._local.visit(opts, (member) => this._local.deliver(member, delivery));
  }

  /**
   * As {@link broadcast}, with an acknowledgement: `ack` is called with each client's answer.
   * @param clientCountCallback is told how many clients are asked, before the first answer.
   * @param onGone is called for each client that leaves without an answer. The official adapter does not have it.
   */
  broadcastWithAck(
    packet: SocketPacket,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
    onGone?: () => void,
  ): void {
    packet.nsp = this.nsp.name;
    const { acks } = this.nsp._internals;
    const id = this.nsp._internals.nextAckId();
    packet.id = id;
    const { flags } = opts;
    const delivery = { frames: this.#context.parser.encode(packet), packet, flags };
    const send = (addReceiver: (id: SocketId) => void) =>
      this._local.visit(opts, (member) => {
        addReceiver(member.id);
        this._local.deliver(member, delivery);
      });
    clientCountCallback(acks.waitFor(id, flags?.timeout, send, ack, onGone));
  }

  /** The ids of the sockets in any of the rooms, or of all sockets when no room is given. */
  sockets(rooms: Set<Room>): Promise<Set<SocketId>> {
    const ids = new Set<SocketId>();
    this._local.visit({ rooms }, (member) => ids.add(member.id));
    return Promise.resolve(ids);
  }

  /** The rooms of a socket; undefined when it is not known. */
  socketRooms(id: SocketId): Set<Room> | undefined {
    return this._local.index.find(id)?.rooms ?? this.sids.get(id);
  }

  /** The sockets that the options select. Sockets that sleep are loaded for it; none of their listeners runs. */
  fetchSockets(opts: BroadcastOptions): Promise<(LocalSocket | SocketDetails)[]> {
    return Promise.resolve(this._list(opts));
  }

  /** Has the sockets that the options select join rooms. What fails for one of them is logged. */
  addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    for (const socket of this._list(opts))
      this.#context.diagnostics.attempt("socketsJoin", () => socket.join(rooms));
  }

  /** Has the sockets that the options select leave rooms. */
  delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    for (const socket of this._list(opts)) for (const room of rooms) socket.leave(room);
  }

  /** Disconnects the sockets that the options select; with `close` their connections end. */
  disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    for (const socket of this._list(opts)) socket.disconnect(close);
  }

  /** Emits to the other servers. There is none here, so an acknowledgement is called with no answers. */
  serverSideEmit(packet: unknown[]): void {
    const ack = packet.at(-1);
    if (typeof ack !== "function") return;
    SETTLED.then(() => this.#context.diagnostics.attempt("serverSideEmit", () => ack(null, [])));
  }

  /**
   * Called when a socket has lost its connection and its client may come back. It does nothing: connection state
   * recovery stores a socket from the moment it connects, because a restart of the object runs no `disconnect`.
   */
  persistSession(_session: Omit<RecoveredSession, "missedPackets">): void {}

  /**
   * What a client gets back that returns with the secret `pid` and the offset of the last packet it has seen; null when
   * it has to start anew.
   */
  restoreSession(
    pid: string,
    offset: string | undefined,
  ): RecoveredSession | null | Promise<RecoveredSession | null> {
    return this.#context.recovery?.restoreSession(this.nsp.name, pid, offset) ?? null;
  }

  /** Whatever listeners to rooms throw, a socket has to be able to join and leave. @internal */
  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return this._emitSafely(event, args, this.#context.diagnostics.onError);
  }

  /** The complete index, for code that runs in the namespace's own instance. @throws Error elsewhere */
  get #index(): RoomIndex {
    this.#context.host.checkInstance("io", this.nsp.name);
    return this._local.index.complete();
  }

  /** The sockets that the options select, loaded if necessary. @internal */
  protected _list(opts: BroadcastOptions): LocalSocket[] {
    const sockets: LocalSocket[] = [];
    this._local.visit(opts, (member) => {
      const socket = this.#context.loader.loadSocket(member);
      if (socket !== undefined) sockets.push(socket);
    });
    return sockets;
  }
}
