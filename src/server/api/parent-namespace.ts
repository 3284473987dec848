import type { Admission } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";
import { Adapter, type BroadcastOptions } from "../rooms/adapter.ts";
import type { RemoteSocket } from "./broadcast-operator.ts";
import type { DefaultEventsMap, EventsMap } from "./events.ts";
import { type AnyNamespace, Namespace } from "./namespace.ts";
import type { AnyServer } from "./server.ts";
import type { ServerTypes } from "./socket-types.ts";

/**
 * Children that may stand empty: a client makes one with every name it thinks of, and on Node they all stay. After
 * sleep none of them is there either.
 */
const MAX_EMPTY = 1_000;

/**
 * A family of namespaces that come into being as clients ask for them. What is registered here, every child made
 * afterwards has; what is emitted here reaches them all.
 * @example
 * io.of(/^\/room-\d+$/).on("connection", (socket) => socket.emit("welcome to", socket.nsp.name));
 */
export class ParentNamespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = Untyped,
  Types extends ServerTypes = Untyped,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
  /** @internal */
  readonly _children = new Set<AnyNamespace>();
  /** With how many children the empty ones are looked for: seldom enough that it costs nothing. */
  #sweepAt = MAX_EMPTY;

  /** @internal */
  constructor(server: AnyServer) {
    super(server, `/_${server._internals.namespaces.parents.length}`);
  }

  /** Makes the child of a name, with the middlewares and `connection` listeners there are so far. */
  createChild(name: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    const child = new ChildNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>(
      this,
      name,
    );
    child._internals.middlewares.push(...this._internals.middlewares);
    for (const event of ["connect", "connection"] as const) {
      for (const listener of this.listeners(event)) child._inherit(event, listener as Untyped);
    }
    if (this._children.size >= this.#sweepAt) this.#sweep();
    this._children.add(child);
    this.server._internals.namespaces.add(child);
    return child;
  }

  #sweep(): void {
    for (const child of this._children) if (child instanceof ChildNamespace) child._forgetIfEmpty();
    this.#sweepAt = MAX_EMPTY + 2 * this._children.size;
  }

  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    this.server._internals.namespaces.reviveChildren();
    for (const child of this._children) child.emit(event, ...args);
    return true;
  }

  override fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData, Types>[]> {
    throw new Error("fetchSockets() is not supported on a parent namespace; ask its children");
  }

  override _createAdapter(): Adapter {
    return new ParentAdapter(this);
  }
}

class ChildNamespace<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
  readonly #parent: ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>;
  #isInheriting = false;

  constructor(
    parent: ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>,
    name: string,
  ) {
    super(parent.server, name, parent.name);
    this.#parent = parent;
    if (this.server._internals.options.cleanupEmptyChildNamespaces) {
      this._internals.onLeft = () => this._forgetIfEmpty();
    }
  }

  /** A listener of the parent's: it is there from the start, however late the child is made. */
  _inherit(event: "connect" | "connection", listener: Untyped): void {
    this.#isInheriting = true;
    this.on(event, listener);
    this.#isInheriting = false;
  }

  protected override _adding(event: string | symbol): Admission {
    return this.#isInheriting ? "add" : super._adding(event);
  }

  _forgetIfEmpty(): void {
    if (!this._internals.isEmpty) return;
    const { context, namespaces } = this.server._internals;
    context.diagnostics.attempt("close", () => this.adapter.close());
    namespaces.all.delete(this.name);
    context.rooms.forget(this.name);
    this.#parent._children.delete(this);
  }
}

/** Hands broadcasts to the children; whatever else an adapter does has no meaning for a parent. */
class ParentAdapter extends Adapter {
  readonly #parent: ParentNamespace<Untyped, Untyped, Untyped, Untyped>;

  constructor(parent: ParentNamespace<Untyped, Untyped, Untyped, Untyped>) {
    super(parent);
    this.#parent = parent;
  }

  override broadcast(packet: Parameters<Adapter["broadcast"]>[0], opts: BroadcastOptions): void {
    this.#parent.server._internals.namespaces.reviveChildren();
    for (const child of this.#parent._children) child.adapter.broadcast({ ...packet }, opts);
  }
}
