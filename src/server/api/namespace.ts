import { type Admission, EventEmitter } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";
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
import type { ExtendedError, ServerTypes } from "./socket-types.ts";

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

type AnyAdapterConstructor = { new (nsp: AnyNamespace): Adapter; (nsp: AnyNamespace): Adapter };

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
  /** The sockets that are connected, sleeping ones too. Those that sleep are loaded when they are looked at. */
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

  /** Every socket passes `fn` before it is connected; `next(error)` refuses it. */
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

  /** Emits to the namespace of the same name on the other servers. */
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

  /** An adapter got an event from another server. @internal */
  _onServerSideEmit(args: [string, ...Untyped[]]): void {
    EventEmitter.dispatch(this, args, this._internals.context.diagnostics.onError);
  }

  /** @internal */
  _createAdapter(): Adapter {
    const create = (this.server._internals.options.adapter ?? Adapter) as AnyAdapterConstructor;
    // A class, or a function that makes the adapter; arrow functions cannot be called with `new`.
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
