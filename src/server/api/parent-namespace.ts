import type { Admission } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";
import { MAX_EMPTY_CHILDREN } from "../constants.ts";
import { Adapter, type BroadcastOptions } from "../rooms/adapter.ts";
import type { RemoteSocket } from "./broadcast-operator.ts";
import type { DefaultEventsMap, EventsMap } from "./events.ts";
import { type AnyNamespace, Namespace } from "./namespace.ts";
import type { AnyServer } from "./server.ts";
import type { ServerTypes } from "./socket-types.ts";

/**
 * A dynamic namespace: `io.of` with a regular expression or a function. It creates a child namespace for each name that
 * a client asks for and that is allowed. A child has the middlewares and the `connection` listeners that are registered
 * on its parent when it is created; an event that is emitted on the parent is sent to all children.
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
  readonly #children = new Set<AnyNamespace>();
  /** With how many children the empty ones are removed next. It grows with their number, so that this is seldom. */
  #sweepAt = MAX_EMPTY_CHILDREN;

  /** @internal */
  constructor(server: AnyServer) {
    super(server, `/_${server._internals.namespaces.parents.length}`);
  }

  /** Creates the child with a name, and emits `new_namespace`. */
  createChild(name: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    const child = new ChildNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>(
      this,
      name,
      () => this.#children.delete(child),
    );
    child._internals.middlewares.push(...this._internals.middlewares);
    for (const event of ["connect", "connection"] as const) {
      for (const listener of this.listeners(event)) child.inherit(event, listener);
    }
    if (this.#children.size >= this.#sweepAt) this.#sweep();
    this.#children.add(child);
    this.server._internals.namespaces.add(child);
    return child;
  }

  #sweep(): void {
    for (const child of this.#children) if (child instanceof ChildNamespace) child.forgetIfEmpty();
    this.#sweepAt = MAX_EMPTY_CHILDREN + 2 * this.#children.size;
  }

  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    this.server._internals.namespaces.reviveChildren();
    for (const child of this.#children) child.emit(event, ...args);
    return true;
  }

  /** @throws Error always: the sockets are in the children */
  override fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData, Types>[]> {
    throw new Error("fetchSockets() is not supported on a parent namespace; ask its children");
  }

  override get data(): never {
    throw new Error("a parent namespace has no data; use that of its children, socket.nsp.data");
  }

  override _createAdapter(): Adapter {
    return new ParentAdapter(this, () => this.#children);
  }
}

/** A listener for any namespace: an inherited one gets sockets of the child, which have the types of the parent. */
type ConnectionListener = (socket: Untyped) => void;

/** A child of a dynamic namespace. */
class ChildNamespace<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
  readonly #onForgotten: () => void;
  #isInheriting = false;

  constructor(
    parent: ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>,
    name: string,
    onForgotten: () => void,
  ) {
    super(parent.server, name, parent.name);
    this.#onForgotten = onForgotten;
    if (this.server._internals.options.cleanupEmptyChildNamespaces) {
      this._internals.onLeft = () => this.forgetIfEmpty();
    }
  }

  /** Registers a listener of the parent. It is no late one, although the child may be created at any time. */
  inherit(event: "connect" | "connection", listener: ConnectionListener): void {
    this.#isInheriting = true;
    this.on(event, listener);
    this.#isInheriting = false;
  }

  protected override _adding(event: string | symbol): Admission {
    return this.#isInheriting ? "add" : super._adding(event);
  }

  /** Removes the namespace, unless sockets are in it or about to connect. */
  forgetIfEmpty(): void {
    if (!this._internals.isEmpty) return;
    const { context, namespaces } = this.server._internals;
    context.diagnostics.attempt("close", () => this.adapter.close());
    namespaces.all.delete(this.name);
    context.rooms.forget(this.name);
    context.data.forget(this.name);
    this.#onForgotten();
  }
}

/** Passes broadcasts on to the children. A parent has no sockets, so it needs nothing else of an adapter. */
class ParentAdapter extends Adapter {
  readonly #parent: AnyNamespace;
  readonly #children: () => Iterable<AnyNamespace>;

  constructor(parent: AnyNamespace, children: () => Iterable<AnyNamespace>) {
    super(parent);
    this.#parent = parent;
    this.#children = children;
  }

  override broadcast(packet: Parameters<Adapter["broadcast"]>[0], opts: BroadcastOptions): void {
    this.#parent.server._internals.namespaces.reviveChildren();
    for (const child of this.#children()) child.adapter.broadcast({ ...packet }, opts);
  }
}
