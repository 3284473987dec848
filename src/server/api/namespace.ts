import { type Admission, EventEmitter } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";
import { ClusterAdapter } from "../cluster/cluster-adapter.ts";
import { type ConnectMiddleware, NamespaceState } from "../namespaces/namespace-state.ts";
import { SocketMap } from "../namespaces/socket-map.ts";
import { Adapter } from "../rooms/adapter.ts";
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
import type { AnyServer, Server } from "./server.ts";
import { Socket } from "./socket.ts";
import type { ExtendedError, ServerTypes, SharedData } from "./socket-types.ts";

/**
 * A namespace with any types: what works for every namespace names it so, because those of different types are not
 * assignable.
 */
export type AnyNamespace = Namespace<Untyped, Untyped, Untyped, Untyped>;

/** The events that a namespace emits itself. */
export interface NamespaceReservedEvents<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
> {
  /** The same as `connection`. */
  connect: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>) => void;
  /** A client has connected to the namespace, or its socket needs its listeners again after a sleep. */
  connection: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>) => void;
}

type AnyAdapterConstructor = { new (nsp: AnyNamespace): Adapter; (nsp: AnyNamespace): Adapter };

/**
 * A channel with its own sockets, rooms, middlewares and events. A client may be in several namespaces over one
 * connection.
 * @example
 * const admin = io.of("/admin");
 * admin.use((socket, next) => next(isAdmin(socket.handshake.auth) ? undefined : new Error("forbidden")));
 * admin.on("connection", (socket) => socket.join("staff"));
 * admin.emit("news", "for all admins");
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
  /** Its name, with the slash: `/admin`. */
  readonly name: string;
  /** The server that it belongs to. */
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>;
  /** The sockets that are connected, by id. Sleeping ones are in it, and are loaded when they are looked at. */
  readonly sockets: SocketMap<Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>>;
  /** Keeps the rooms of this namespace, and sends broadcasts. */
  adapter: Adapter;
  /** @internal */
  readonly _internals: NamespaceState;

  /** @internal */
  constructor(server: AnyServer, name: string, parent?: string) {
    super();
    this.name = name;
    this.server = server;
    const { context } = server._internals;
    this._internals = new NamespaceState(
      context,
      this,
      (connection, member, origin) => void new Socket(this, connection, member, origin),
      parent,
    );
    this.sockets = new SocketMap(context, this._internals.rooms);
    this.adapter = this._createAdapter();
  }

  /**
   * What the sockets of this namespace share. It is stored: it survives sleep, restarts and deploys. Each property has
   * a row of its own, and a Map or plain object has one for each entry; a row is written at the end of a turn that
   * changed it. Changes in plain objects and arrays are noticed at any depth; those in a Set, a Date, bytes or a nested
   * Map, once the handler has settled. What the setup function assigns is a default, and loses against what was stored.
   *
   * With several shards each of them has data of its own. A row may take 2 MB, and all of them `maxDataBytes`; how long
   * they stay says `dataTtl`.
   * @throws Error outside the object's instance
   * @example
   * io.data.games ??= new Map();                                   // in the setup function
   * socket.on("move", (id, move) => io.data.games.get(id)?.moves.push(move));
   */
  get data(): SharedData<Types> {
    return this._internals.data.given as SharedData<Types>;
  }

  set data(value: SharedData<Types>) {
    this._internals.data.replace(value);
  }

  /**
   * Registers a middleware. It runs for each socket before that is connected, in the order of registration. `next()`
   * lets it pass; `next(error)` refuses it, and the client gets `connect_error` with the message and `data` of the
   * error. A middleware that throws refuses as well: its error is logged, and the client gets "Internal Server Error".
   *
   * A socket waits until `next` is called. Middlewares do not run again when an object wakes up.
   * @example
   * io.of("/chat").use(async (socket, next) => {
   *   socket.data.user = await findUser(socket.handshake.auth.token);
   *   next(socket.data.user ? undefined : new Error("unknown user"));
   * });
   */
  use(
    fn: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>,
      next: (err?: ExtendedError) => void,
    ) => void,
  ): this {
    const { context, middlewares } = this._internals;
    context.diagnostics.admitLate("a middleware that is added late", "add it in the setup function");
    // Every socket that passes it is one of this namespace, and so has its types.
    middlewares.push(fn as ConnectMiddleware);
    return this;
  }

  /**
   * Emits an event to the namespace of this name on the other servers of the adapter. With the default adapter there
   * are none. A callback at the end gets `(error, answers)`, with one answer from each of them.
   * @throws Error for `connect`, `connection` and `new_namespace`, which are reserved
   * @example
   * io.of("/chat").on("count", (callback) => callback(io.of("/chat").sockets.size));
   * io.of("/chat").serverSideEmit("count", (error, counts) => console.log(error, counts));
   */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>, Ev>
  ): boolean {
    assertFree(ev, RESERVED_SERVER_SIDE);
    const packet: unknown[] = [ev, ...args];
    if (!this._internals.context.isMuted || typeof packet.at(-1) === "function")
      this.adapter.serverSideEmit(packet);
    return true;
  }

  /** For adapters: hands an event from another server to the listeners. The last argument may be a callback. */
  _onServerSideEmit(args: [string, ...unknown[]]): void {
    EventEmitter.dispatch(this, args, this._internals.context.diagnostics.onError);
  }

  /** @internal */
  _createAdapter(): Adapter {
    const create = (this.server._internals.options.adapter ?? ClusterAdapter) as AnyAdapterConstructor;
    // Arrow functions have no prototype, and cannot be called with `new`.
    const adapter = create.prototype === undefined ? create(this) : new create(this);
    if (!(adapter instanceof Adapter)) {
      throw new Error("an adapter must extend the Adapter of socket.io-edge");
    }
    this._internals.context.diagnostics.attempt("init", () => adapter.init());
    return adapter;
  }

  protected override _adding(event: string | symbol): Admission {
    if (event !== "connection" && event !== "connect") return "add";
    const { diagnostics } = this._internals.context;
    return diagnostics.admitLate(`a "${event}" listener that is added late`, "add it in the setup function");
  }

  protected override _broadcast(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData,
    Types
  > {
    return new BroadcastOperator(this.adapter);
  }
}
