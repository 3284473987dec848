import type { Engine } from "../../engine/engine.ts";
import type { Session } from "../../engine/session.ts";
import { EventEmitter } from "../../shared/event-emitter.ts";
import { missing } from "../../shared/missing.ts";
import type { Untyped } from "../../shared/untyped.ts";
import { ClusterAdapter } from "../cluster/cluster-adapter.ts";
import { ServerContext } from "../context.ts";
import type { Host } from "../host.ts";
import { NamespaceRegistry, type Parent } from "../namespaces/namespace-registry.ts";
import type { AdapterConstructor } from "../rooms/adapter.ts";
import { openConnection } from "../sockets/connection.ts";
import { BroadcastOperator } from "./broadcast-operator.ts";
import { Broadcaster } from "./broadcaster.ts";
import type {
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  DefaultEventsMap,
  EventNames,
  EventParams,
  EventsMap,
} from "./events.ts";
import { type AnyNamespace, Namespace, type NamespaceReservedEvents } from "./namespace.ts";
import { type ResolvedOptions, resolveOptions, type ServerOptions } from "./options.ts";
import { ParentNamespace } from "./parent-namespace.ts";
import type { Socket } from "./socket.ts";
import type { ServerTypes, SharedData } from "./socket-types.ts";

/**
 * A server with any types: what works for every server names it so, because servers of different types are not
 * assignable.
 */
export type AnyServer = Server<Untyped, Untyped, Untyped, Untyped>;

/** The events that the server itself emits on the main namespace. */
export interface ServerReservedEvents<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
> extends NamespaceReservedEvents<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
  /** A namespace was created: by `io.of`, or as the child of a dynamic namespace. */
  new_namespace: (
    namespace: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>,
  ) => void;
}

/**
 * Decides whether a client may connect to a namespace that does not exist yet. `auth` is what the client sent,
 * unchecked. It answers with `next(null, isAllowed)`, or `next(error, false)`, at once or later.
 */
export type NamespaceMatcher = (
  name: string,
  auth: { [key: string]: Untyped },
  next: (error: Error | null, isAllowed: boolean) => void,
) => void;

/** What the parts of a server share. */
export interface ServerInternals {
  readonly context: ServerContext;
  readonly options: ResolvedOptions;
  readonly namespaces: NamespaceRegistry<AnyNamespace>;
}

/**
 * The Socket.IO server of one object: its namespaces, and the sockets in them. The listeners, middlewares, broadcasts
 * and rooms of the server are those of the main namespace, `/`.
 *
 * The type parameters say which events clients send, which ones they are sent, which ones servers send each other, what
 * `socket.data` holds, and what the server knows besides ({@link ServerTypes}).
 * @example
 * defineServer({}, (io: Server<ClientEvents, ServerEvents>) => {
 *   io.on("connection", (socket) => {
 *     socket.on("message", (text) => io.emit("message", text));
 *   });
 * });
 */
export class Server<
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
  ServerReservedEvents<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>
> {
  /** The main namespace, `/`, which every client is in unless its code names another one. */
  readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>;
  /** @internal */
  readonly _internals: ServerInternals;

  static {
    for (const name of Object.getOwnPropertyNames(EventEmitter.prototype)) {
      if (name === "constructor" || name === "emit" || name.startsWith("_")) continue;
      const value = function (this: AnyServer, ...args: unknown[]): unknown {
        return (this.sockets as unknown as Record<string, (...args: unknown[]) => unknown>)[name]?.(...args);
      };
      Object.defineProperty(Server.prototype, name, { value, writable: true, configurable: true });
    }
    Object.assign(Server.prototype, { listen: missing, attach: missing, attachApp: missing, bind: missing });
  }

  /** An object creates its own server: see `defineServer`. @internal */
  constructor(options: ServerOptions, host: Host) {
    super();
    if (!host) throw new Error("use defineServer(options, setup), not new Server()");
    const resolved = resolveOptions(options);
    const context: ServerContext = new ServerContext(
      host,
      resolved,
      (member) => namespaces.ofMember(member)?._internals,
    );
    const namespaces = new NamespaceRegistry<AnyNamespace>(context);
    this._internals = { context, options: resolved, namespaces };
    this.sockets = new Namespace(this, "/");
    namespaces.add(this.sockets);
  }

  /** What all sockets of the main namespace share, and the server with them: see {@link Namespace.data}. */
  get data(): SharedData<Types> {
    return this.sockets.data;
  }

  set data(value: SharedData<Types>) {
    this.sockets.data = value;
  }

  /**
   * The Engine.IO server below this one, with the sessions of this object.
   * @example
   * io.engine.on("connection_error", ({ code, message }) => console.warn(code, message));
   */
  get engine(): Engine {
    return this._internals.context.host.engine;
  }

  /**
   * Namespaces by name, without the parents of dynamic ones. The name is the official one, which tools use.
   * @internal
   */
  get _nsps(): Map<string, AnyNamespace> {
    const { context, namespaces } = this._internals;
    if (context.host.isSetUp) namespaces.reviveChildren();
    return namespaces.all;
  }

  /**
   * The namespace with a name, which is created if it does not exist. For a regular expression or a function: the
   * parent of a namespace for each name that it allows, created when a client asks for it.
   *
   * Call it in the setup function: a namespace that is created later is gone when the object has slept.
   * @param fn is registered as a listener of `connection`.
   * @throws Error for a regular expression with the flag `g` or `y`
   * @example
   * io.of("/admin").on("connection", (socket) => {});
   * io.of(/^\/room-\d+$/).on("connection", (socket) => console.log(socket.nsp.name));
   * io.of((name, auth, next) => next(null, auth.token === "secret")).on("connection", (socket) => {});
   */
  of(
    name: string | RegExp | NamespaceMatcher,
    fn?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    const nsp = typeof name === "string" ? this.#named(name) : this.#parent(name);
    if (fn !== undefined) nsp.on("connect", fn);
    return nsp;
  }

  /**
   * Disconnects all sockets and ends all sessions of this object. Sockets that sleep are loaded for it, so that their
   * `disconnect` listeners run; the promise settles after that. The Worker continues to serve, so clients may connect
   * again.
   * @param fn is called when all of that is done.
   * @throws Error when it is used outside its instance of the object (as a rejection)
   * @example
   * await io.close();
   */
  async close(fn?: (err?: Error) => void): Promise<void> {
    const { context, namespaces } = this._internals;
    const { host, loader } = context;
    host.checkInstance("io");
    context.rooms.complete();
    const pending: (Promise<void> | void)[] = [];
    for (const nsp of namespaces.all.values()) {
      for (const member of [...nsp._internals.rooms.members.values()]) {
        pending.push(loader.loadConnection(member)?.shutDown(member));
      }
      pending.push(context.diagnostics.attempt("close", () => nsp.adapter.close()));
    }
    // `disconnect` listeners run when setup has completed, so the setup function would wait for itself.
    if (host.isSetUp) await Promise.allSettled(pending);
    host.engine.close();
    fn?.();
  }

  /**
   * Registers a middleware of the main namespace: see {@link Namespace.use}.
   * @example
   * io.use((socket, next) => next(socket.handshake.auth.token ? undefined : new Error("log in first")));
   */
  use(
    fn: Parameters<Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>["use"]>[0],
  ): this {
    this.sockets.use(fn);
    return this;
  }

  protected override _broadcast(): ReturnType<typeof this.sockets.except> {
    return new BroadcastOperator(this.sockets.adapter);
  }

  /** Emits to the main namespace of the other servers: see {@link Namespace.serverSideEmit}. */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>, Ev>
  ): boolean {
    return this.sockets.serverSideEmit(ev, ...args);
  }

  /** The path that clients connect to, as the option `path` gives it. It cannot be changed. @default "/socket.io" */
  path(): string {
    return this._internals.options.path.replace(/\/$/, "");
  }

  /**
   * How long a client may stay connected without joining a namespace, in milliseconds. It is checked at each heartbeat,
   * so it may take one `pingInterval` longer.
   * @default 45000
   */
  connectTimeout(): number;
  /** Sets that time, in milliseconds. */
  connectTimeout(ms: number): this;
  connectTimeout(ms?: number): this | number {
    if (ms === undefined) return this._internals.options.connectTimeout;
    this._internals.options.connectTimeout = ms;
    return this;
  }

  /** The class of the adapters, or the function that creates them. @default Adapter */
  adapter(): AdapterConstructor;
  /**
   * Gives each namespace a new adapter of this class, or made by this function. Sockets stay in their rooms.
   * @throws Error when what it makes does not extend `Adapter`
   */
  adapter(create: AdapterConstructor): this;
  adapter(create?: AdapterConstructor): this | AdapterConstructor {
    if (create === undefined) return this._internals.options.adapter ?? ClusterAdapter;
    this._internals.options.adapter = create;
    for (const nsp of this._internals.namespaces.all.values()) nsp.adapter = nsp._createAdapter();
    return this;
  }

  /** Takes over an Engine.IO session that was opened without this server. */
  onconnection(session: Session): this {
    const { context, namespaces } = this._internals;
    openConnection(context, namespaces, session).onOpen();
    return this;
  }

  #named(given: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    const name = given.startsWith("/") ? given : `/${given}`;
    const { context, namespaces } = this._internals;
    const known = namespaces.find(name);
    if (known !== undefined) return known;
    context.diagnostics.admitLate(`namespace "${name}"`, "create it in the setup function");
    const nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> = new Namespace(
      this,
      name,
    );
    namespaces.add(nsp);
    return nsp;
  }

  #parent(
    given: RegExp | NamespaceMatcher,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    const isPattern = given instanceof RegExp;
    if (isPattern && (given.global || given.sticky)) {
      throw new Error("a stateful regular expression cannot name namespaces; leave out its flag g or y");
    }
    const { context, namespaces } = this._internals;
    context.diagnostics.admitLate("a dynamic namespace", "create it in the setup function");
    const parent = new ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>(this);
    const matches: Parent<AnyNamespace>["matches"] = isPattern
      ? (name, _auth, next) => next(null, given.test(name))
      : (name, auth, next) => given(name, (auth ?? {}) as Parameters<NamespaceMatcher>[1], next);
    namespaces.parents.push({ namespace: parent, pattern: isPattern ? given : undefined, matches });
    return parent;
  }
}
