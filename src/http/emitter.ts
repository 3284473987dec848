import type { DefaultEventsMap, EventNames, EventParams, EventsMap } from "../server/api/events.ts";
import { assertFree, RESERVED_SERVER_SIDE } from "../server/api/reserved.ts";
import type { ServerTypes } from "../server/api/socket-types.ts";
import type { Untyped } from "../shared/untyped.ts";
import type { EmitterCall, RemoteDetails } from "./emitter-call.ts";

interface CallTarget {
  socketIoCall(call: EmitterCall): Promise<unknown>;
}

/**
 * Emits to the sockets of a server from anywhere in the Worker: a route, a cron trigger, a queue consumer. Each
 * operation is one call of the object: await it, or pass it to `ctx.waitUntil`. It rejects when the object cannot be
 * reached, or when its setup function fails. Type parameters that are not given are `Untyped`, as with the official
 * server.
 * @example
 * await chat.emitter(env).to("news").emit("headline", text);
 */
export class Emitter<
  EmitEvents extends EventsMap = DefaultEventsMap,
  SocketData = Untyped,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  Types extends ServerTypes = Untyped,
> {
  readonly #find: () => DurableObjectStub;
  readonly #target: Omit<EmitterCall, "operation">;

  constructor(
    find: () => DurableObjectStub,
    target: Omit<EmitterCall, "operation"> = { nsp: "/", rooms: [], except: [], isVolatile: false },
  ) {
    this.#find = find;
    this.#target = target;
  }

  /**
   * Selects another namespace; the leading slash may be left out.
   * @example await chat.emitter(env).of("/admin").emit("alert", text);
   */
  of(nsp: string): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({ nsp: nsp.startsWith("/") ? nsp : `/${nsp}` });
  }

  /**
   * Limits the next operation to sockets in these rooms, in addition to rooms given before. A socket in several of them
   * is reached once.
   */
  to(room: string | string[]): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({ rooms: [...this.#target.rooms, ...[room].flat()] });
  }

  /** The same as {@link to}. */
  in(room: string | string[]): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.to(room);
  }

  /** Leaves out sockets that are in any of these rooms. */
  except(room: string | string[]): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({ except: [...this.#target.except, ...[room].flat()] });
  }

  /** Drops the packet for clients whose transport cannot take it at that moment; it is not kept for recovery either. */
  get volatile(): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({ isVolatile: true });
  }

  /** Accepted, without effect: the compatibility flag `no_web_socket_compression` decides for all WebSockets. */
  compress(_compress: boolean): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({});
  }

  /**
   * Emits an event to the selected sockets. The promise settles when the object that is called has sent it; what goes
   * to other objects of the server is on its way then. Await it where the order of two calls matters. There are no
   * acknowledgements: for those, call a method of your own class.
   * @throws Error for a reserved event name, or a function among the arguments
   */
  async emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): Promise<void> {
    await this.#send("emit", ev, args);
  }

  /**
   * Emits an event to listeners on the server itself, in all of its objects: those of `io.on(ev, ...)`, or of the
   * namespace.
   * @throws Error for a reserved event name, or a function among the arguments
   */
  async serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<ServerSideEvents, Ev>
  ): Promise<void> {
    assertFree(ev, RESERVED_SERVER_SIDE);
    await this.#send("server", ev, args);
  }

  /** Makes the selected sockets join rooms. */
  async socketsJoin(room: string | string[]): Promise<void> {
    await this.#call({ type: "join", rooms: [room].flat() });
  }

  /** Makes the selected sockets leave rooms. */
  async socketsLeave(room: string | string[]): Promise<void> {
    await this.#call({ type: "leave", rooms: [room].flat() });
  }

  /** Disconnects the selected sockets from the namespace; with `close`, ends their connections. @default false */
  async disconnectSockets(close = false): Promise<void> {
    await this.#call({ type: "disconnect", close });
  }

  /** Returns the selected sockets, with their id, handshake, rooms and data as they are now. */
  async fetchSockets(): Promise<RemoteDetails<SocketData, Types>[]> {
    return (await this.#call({ type: "fetch" })) as RemoteDetails<SocketData, Types>[];
  }

  async #send(type: "emit" | "server", ev: unknown, args: readonly unknown[]): Promise<void> {
    if (args.some((arg) => typeof arg === "function")) {
      throw new Error("an emitter takes no acknowledgement; call a method of the object's class");
    }
    await this.#call({ type, args: [String(ev), ...args] });
  }

  #with(change: Partial<EmitterCall>): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return new Emitter(this.#find, { ...this.#target, ...change });
  }

  #call(operation: EmitterCall["operation"]): Promise<unknown> {
    const object = this.#find() as unknown as CallTarget;
    return object.socketIoCall({ ...this.#target, operation });
  }
}
