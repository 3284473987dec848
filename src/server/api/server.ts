import type { Engine } from "../../engine/engine.ts";
import type { Session } from "../../engine/session.ts";
import { EventEmitter } from "../../shared/event-emitter.ts";
import { missing } from "../../shared/missing.ts";
import type { Untyped } from "../../shared/untyped.ts";
import { ServerContext } from "../context.ts";
import type { Host } from "../host.ts";
import { NamespaceRegistry, type Parent } from "../namespaces/namespace-registry.ts";
import { handshakeOf } from "../recovery/recovery.ts";
import type { RecoveryRecord } from "../recovery/recovery-store.ts";
import { Adapter, type AdapterConstructor } from "../rooms/adapter.ts";
import { Connection } from "../sockets/connection.ts";
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
import type { ServerTypes } from "./socket-types.ts";

/** A server whose events are not known. */
export type AnyServer = Server<Untyped, Untyped, Untyped, Untyped>;

/** What the main namespace, and so the server, emits itself. */
export interface ServerReservedEvents<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
> extends NamespaceReservedEvents<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
  new_namespace: (
    namespace: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>,
  ) => void;
}

/** Decides whether a client may have a namespace that does not exist yet. */
export type NamespaceMatcher = (
  name: string,
  auth: { [key: string]: Untyped },
  next: (error: Error | null, isAllowed: boolean) => void,
) => void;

/** What the parts of a server share. */
interface ServerInternals {
  readonly context: ServerContext;
  readonly options: ResolvedOptions;
  readonly namespaces: NamespaceRegistry<AnyNamespace>;
}

/**
 * The Socket.IO server of one object. What it has of a namespace is the main namespace's.
 * @example
 * io.on("connection", (socket) => socket.on("message", (text) => io.emit("message", text)));
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
  /** The main namespace, `/`. */
  readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>;
  /** @internal */
  readonly _internals: ServerInternals;

  static {
    for (const name of Object.getOwnPropertyNames(EventEmitter.prototype)) {
      if (name === "constructor" || name === "emit" || name.startsWith("_")) continue;
      const value = function (this: AnyServer, ...args: unknown[]): unknown {
        return (this.sockets as Untyped)[name](...args);
      };
      Object.defineProperty(Server.prototype, name, { value, writable: true, configurable: true });
    }
    Object.assign(Server.prototype, { listen: missing, attach: missing, attachApp: missing, bind: missing });
  }

  /** Made by the object it lives in. @internal */
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

  /** The Engine.IO server below. */
  get engine(): Engine {
    return this._internals.context.host.engine;
  }

  /** Namespaces by name; parents of dynamic ones are not among them. @internal */
  get _nsps(): Map<string, AnyNamespace> {
    const { context, namespaces } = this._internals;
    if (context.host.isSetUp) namespaces.reviveChildren();
    return namespaces.all;
  }

  /** The namespace of a name, made if need be; or, for a pattern or a function, the parent of all that it allows. */
  of(
    name: string | RegExp | NamespaceMatcher,
    fn?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    const nsp = typeof name === "string" ? this.#named(name) : this.#parent(name);
    if (fn !== undefined) nsp.on("connect", fn as Untyped);
    return nsp;
  }

  /** Disconnects everybody and ends every session. Sleeping sockets are woken: their `disconnect` runs. */
  async close(fn?: (err?: Error) => void): Promise<void> {
    const { context, namespaces } = this._internals;
    const { host, loader } = context;
    host.checkInstance("io");
    context.rooms.complete();
    const pending: (Promise<void> | void)[] = [];
    for (const nsp of namespaces.all.values()) {
      for (const member of [...nsp._internals.rooms.members.values()]) {
        pending.push(loader.wake(member)?.shutDown(member));
      }
      pending.push(context.diagnostics.attempt("close", () => nsp.adapter.close()));
    }
    // In the setup function that would be to wait for itself: nobody's `disconnect` is heard before it has completed.
    if (host.isSetUp) await Promise.allSettled(pending);
    host.engine.close();
    fn?.();
  }

  use(
    fn: Parameters<Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>["use"]>[0],
  ): this {
    this.sockets.use(fn);
    return this;
  }

  protected override _broadcast(): ReturnType<typeof this.sockets.except> {
    return new BroadcastOperator(this.sockets.adapter);
  }

  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>, Ev>
  ): boolean {
    return this.sockets.serverSideEmit(ev, ...args);
  }

  /** The path clients connect to. It is fixed by the options. */
  path(): string {
    return (this._internals.options.path ?? "/socket.io").replace(/\/$/, "");
  }

  connectTimeout(): number;
  connectTimeout(ms: number): this;
  connectTimeout(ms?: number): this | number {
    if (ms === undefined) return this._internals.options.connectTimeout;
    this._internals.options.connectTimeout = ms;
    return this;
  }

  /** Gives every namespace an adapter of this class. Rooms joined so far stay, other than on Node: sockets hold them. */
  adapter(): AdapterConstructor;
  adapter(create: AdapterConstructor): this;
  adapter(create?: AdapterConstructor): this | AdapterConstructor {
    if (create === undefined) return this._internals.options.adapter ?? Adapter;
    this._internals.options.adapter = create;
    for (const nsp of this._internals.namespaces.all.values()) nsp.adapter = nsp._createAdapter();
    return this;
  }

  /** A session was opened. @internal */
  open(session: Session): void {
    this.#connect(session).onOpen();
  }

  /** A stored session was brought into memory. No user code runs. @internal */
  load(session: Session): void {
    this.#connect(session).onLoaded();
  }

  /**
   * The client of a record did not come back in time. When its connection ended with a restart of the object, its
   * `disconnect` listeners have not run yet, so they run now. @internal
   */
  expire(record: RecoveryRecord): Promise<void> | void {
    const { context, namespaces } = this._internals;
    const { host, recovery } = context;
    if (record.isOver || recovery === undefined) return;
    const session = host.endedSession(record.session, handshakeOf(record));
    const connection = new Connection(context, namespaces, session, [recovery.toSocketRecord(record)]);
    return connection.closed("transport close");
  }

  /** The same as {@link open}, under its official name. */
  onconnection(session: Session): this {
    this.open(session);
    return this;
  }

  #connect(session: Session): Connection {
    const connection = new Connection(this._internals.context, this._internals.namespaces, session);
    session.consumer = connection;
    return connection;
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
      : (name, auth, next) => given(name, (auth ?? {}) as Record<string, Untyped>, next);
    namespaces.parents.push({ namespace: parent, pattern: isPattern ? given : undefined, matches });
    return parent;
  }
}
