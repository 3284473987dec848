import type { Engine } from "../../engine/engine.ts";
import type { Session } from "../../engine/session.ts";
import { EventEmitter } from "../../shared/event-emitter.ts";
import { missing } from "../../shared/missing.ts";
import type { Untyped } from "../../shared/untyped.ts";
import { Core, type NamespaceFamily } from "../core.ts";
import type { Host } from "../host.ts";
import { handshakeOf } from "../recovery/recovery.ts";
import type { RecoveryRecord } from "../recovery/recovery-store.ts";
import { Adapter, type AdapterConstructor } from "../rooms/adapter.ts";
import { Client } from "../sockets/client.ts";
import { BroadcastOperator } from "./broadcast-operator.ts";
import { Broadcaster } from "./broadcaster.ts";
import type {
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  DefaultEventsMap,
  EventNames,
  EventParams,
  EventsMap,
} from "./events.ts";
import { type AnyNamespace, Namespace } from "./namespace.ts";
import { resolveOptions, type ServerOptions } from "./options.ts";
import { ParentNamespace } from "./parent-namespace.ts";
import type { NamespaceMatcher, ServerReservedEvents } from "./server-types.ts";
import type { Socket } from "./socket.ts";
import type { ServerTypes } from "./socket-types.ts";

/** A server whose events are not known. */
export type AnyServer = Server<Untyped, Untyped, Untyped, Untyped>;

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
  readonly _core: Core;

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
    this._core = new Core(this, host, resolveOptions(options));
    this.sockets = new Namespace(this._core, "/");
    this._core.namespaces.set("/", this.sockets);
  }

  /** The Engine.IO server below. */
  get engine(): Engine {
    return this._core.host.engine;
  }

  /** Namespaces by name; parents of dynamic ones are not among them. @internal */
  get _nsps(): Map<string, AnyNamespace> {
    if (this._core.host.isSetUp) this._core.reviveChildren();
    return this._core.namespaces;
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
    const { namespaces, host, rooms } = this._core;
    host.checkInstance("io");
    rooms.complete();
    const pending: (Promise<void> | void)[] = [];
    for (const nsp of namespaces.values()) {
      for (const member of [...nsp._rooms.members.values()]) {
        pending.push(this._core.wake(member)?._shutDown(member));
      }
      pending.push(this._core.attempt("close", () => nsp.adapter.close()));
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
    return (this._core.options.path ?? "/socket.io").replace(/\/$/, "");
  }

  connectTimeout(): number;
  connectTimeout(ms: number): this;
  connectTimeout(ms?: number): this | number {
    if (ms === undefined) return this._core.options.connectTimeout;
    this._core.options.connectTimeout = ms;
    return this;
  }

  /** Gives every namespace an adapter of this class. Rooms joined so far stay, other than on Node: sockets hold them. */
  adapter(): AdapterConstructor;
  adapter(create: AdapterConstructor): this;
  adapter(create?: AdapterConstructor): this | AdapterConstructor {
    if (create === undefined) return this._core.options.adapter ?? Adapter;
    this._core.options.adapter = create;
    for (const nsp of this._core.namespaces.values()) nsp.adapter = nsp._createAdapter();
    return this;
  }

  /** A session was opened. @internal */
  open(session: Session): void {
    const client = new Client(this._core, session);
    session.consumer = client;
    client.onOpen();
  }

  /** A stored session enters memory: no user code runs. @internal */
  load(session: Session): void {
    const client = new Client(this._core, session);
    session.consumer = client;
    // It may end for that, which its sockets have to hear of.
    client._connecting.count();
  }

  /**
   * A client did not come back in time. Where a restart of the object swallowed its connection, its `disconnect`
   * handlers have not run yet: they do now. @internal
   */
  expire(record: RecoveryRecord): Promise<void> | void {
    const { host, recovery } = this._core;
    if (record.isOver || recovery === undefined) return;
    const client = new Client(this._core, host.endedSession(record.session, handshakeOf(record)), [
      recovery.toSocketRecord(record),
    ]);
    return client.closed("transport close");
  }

  /** The same as {@link open}, under its official name. */
  onconnection(session: Session): this {
    this.open(session);
    return this;
  }

  /** A namespace that exists, or that a pattern stands for. @internal */
  _find(name: string): AnyNamespace | undefined {
    if (this._core.host.isSetUp && !this._core.namespaces.has(name)) this._core.reviveChildren();
    const known = this._core.namespaces.get(name);
    return known ?? this._core.families.find(({ pattern }) => pattern?.test(name))?.parent.createChild(name);
  }

  #named(given: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    const name = given.startsWith("/") ? given : `/${given}`;
    const known = this._find(name);
    if (known !== undefined) return known;
    this._core.admitLate(`namespace "${name}"`, "create it in the setup function");
    const nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> = new Namespace(
      this._core,
      name,
    );
    this._core.addNamespace(nsp);
    return nsp;
  }

  #parent(
    given: RegExp | NamespaceMatcher,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    const isPattern = given instanceof RegExp;
    if (isPattern && (given.global || given.sticky)) {
      throw new Error("a stateful regular expression cannot name namespaces; leave out its flag g or y");
    }
    this._core.admitLate("a dynamic namespace", "create it in the setup function");
    const parent = new ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>(
      this._core,
    );
    const matches: NamespaceFamily["matches"] = isPattern
      ? (name, _auth, next) => next(null, given.test(name))
      : (name, auth, next) => given(name, (auth ?? {}) as Record<string, Untyped>, next);
    this._core.families.push({ parent, pattern: isPattern ? given : undefined, matches });
    return parent;
  }
}
