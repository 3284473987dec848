import { type Admission, EventEmitter } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";
import type { Core } from "../core.ts";
import { Adapter } from "../rooms/adapter.ts";
import type { RoomIndex } from "../rooms/room-index.ts";
import type { Client } from "../sockets/client.ts";
import { type ConnectMiddleware, connectSocket } from "../sockets/connect-socket.ts";
import { SocketMap } from "../sockets/socket-map.ts";
import type { SocketMember } from "../sockets/socket-member.ts";
import { BroadcastOperator } from "./broadcast-operator.ts";
import { Broadcaster } from "./broadcaster.ts";
import type {
  DecorateAcknowledgementsWithMultipleResponses,
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  DefaultEventsMap,
  EventNames,
  EventParams,
  EventsMap,
} from "./events.ts";
import { assertFree, RESERVED_SERVER_SIDE } from "./reserved.ts";
import type { Server } from "./server.ts";
import type { Socket } from "./socket.ts";
import type { ExtendedError, ServerTypes, SocketId } from "./socket-types.ts";

/** A namespace whose events are not known. */
export type AnyNamespace = Namespace<Untyped, Untyped, Untyped, Untyped>;

/** What a namespace emits itself. */
export interface NamespaceReservedEvents<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
> {
  connect: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>) => void;
  connection: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>) => void;
}

/** A broadcast that waits for answers. */
interface BroadcastAck {
  readonly waiting: Set<SocketId>;
  readonly ack: (answer: unknown) => void;
  readonly onGone: (() => void) | undefined;
}

type AnyAdapterConstructor = { new (nsp: AnyNamespace): Adapter; (nsp: AnyNamespace): Adapter };

/** Acknowledgement ids that one asking for a block yields. */
const ACK_BLOCK = 1_000;

/**
 * A channel of its own over connections that it may share with others: its sockets, rooms and middlewares.
 * @example
 * io.of("/admin").emit("news", "to everybody in it");
 * io.of("/admin").use((socket, next) => next(isAdmin(socket.handshake.auth) ? undefined : new Error("no")));
 */
export class Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = Untyped,
  Types extends ServerTypes = Untyped,
> extends Broadcaster<
  EmitEvents,
  ServerSideEvents,
  SocketData,
  Types,
  NamespaceReservedEvents<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>
> {
  readonly name: string;
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>;
  /** Connected sockets, sleeping ones too. */
  readonly sockets: Map<SocketId, Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>>;
  adapter: Adapter;
  /** @internal */
  readonly _core: Core;
  /** @internal */
  readonly _rooms: RoomIndex<SocketMember>;
  /** @internal */
  readonly _broadcastAcks = new Map<number, BroadcastAck>();
  /** @internal */
  readonly _middlewares: ConnectMiddleware[] = [];
  /** The dynamic namespace it is a child of. @internal */
  readonly _parent: string | undefined;
  #nextAckId = 0;
  /** Where the block at hand ends; undefined until the first id is asked for. */
  #endAckId: number | undefined;

  /** @internal */
  constructor(core: Core, name: string, parent?: string) {
    super();
    this.name = name;
    this.server = core.server;
    this._core = core;
    this._parent = parent;
    this._rooms = core.rooms.of(name);
    this.sockets = new SocketMap(core, this._rooms);
    this.adapter = this._createAdapter();
  }

  /** Every socket passes `fn` before it is connected; `next(error)` refuses it. */
  use(
    fn: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>,
      next: (err?: ExtendedError) => void,
    ) => void,
  ): this {
    this._core.admitLate("a middleware that is added late", "add it in the setup function");
    this._middlewares.push(fn);
    return this;
  }

  /** Emits to the namespace of the same name on the other servers. */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>, Ev>
  ): boolean {
    assertFree(ev, RESERVED_SERVER_SIDE);
    const packet: unknown[] = [ev, ...args];
    if (!this._core.isMuted || typeof packet.at(-1) === "function") this.adapter.serverSideEmit(packet);
    return true;
  }

  /** An adapter got an event from another server. @internal */
  _onServerSideEmit(args: [string, ...Untyped[]]): void {
    EventEmitter.dispatch(this, args, this._core.onError);
  }

  /** A client asks to come in. Settles when it is answered. @internal */
  _add(client: Client, auth: unknown): Promise<void> | void {
    return connectSocket(this, client, auth);
  }

  /** @internal */
  _remove(member: SocketMember): void {
    this._rooms.members.delete(member.id);
    this._rooms.pending.delete(member.id);
  }

  /** Ids count from 0, as on Node; an instance that is not the object's first takes them in blocks. @internal */
  _nextAckId(): number {
    const { host } = this._core;
    this.#endAckId ??= host.isFirstRun || !host.hibernation ? ACK_BLOCK : 0;
    if (this.#nextAckId === this.#endAckId) {
      // Children of one parent share their blocks: what is stored must not grow with names that clients think of.
      this.#nextAckId = host.nextAckBlock(this._parent ?? this.name);
      this.#endAckId = this.#nextAckId + ACK_BLOCK;
    }
    return this.#nextAckId++;
  }

  /** A socket answered a broadcast. @internal */
  _onBroadcastAck(id: number, socketId: SocketId, answer: unknown): void {
    const pending = this._broadcastAcks.get(id);
    if (pending?.waiting.delete(socketId)) pending.ack(answer);
  }

  /** A socket left: broadcasts no longer wait for it. @internal */
  _onGone(socketId: SocketId): void {
    for (const pending of this._broadcastAcks.values())
      if (pending.waiting.delete(socketId)) pending.onGone?.();
  }

  /** @internal */
  _createAdapter(): Adapter {
    const create = (this._core.options.adapter ?? Adapter) as AnyAdapterConstructor;
    // A class, or a function that makes the adapter; arrow functions cannot be called with `new`.
    const adapter = create.prototype === undefined ? create(this) : new create(this);
    if (!(adapter instanceof Adapter)) {
      throw new Error("an adapter must extend the Adapter of socket.io-edge");
    }
    this._core.attempt("init", () => adapter.init());
    return adapter;
  }

  protected override _adding(event: string | symbol): Admission {
    if (event !== "connection" && event !== "connect") return "add";
    return this._core.admitLate(`a "${event}" listener that is added late`, "add it in the setup function");
  }

  protected override _broadcast(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData,
    Types
  > {
    return new BroadcastOperator(this.adapter);
  }
}
