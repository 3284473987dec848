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
 * operation is one call of the object; await it, or give it to `ctx.waitUntil`.
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

  /** Another namespace; the leading slash may be left out. */
  of(nsp: string): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({ nsp: nsp.startsWith("/") ? nsp : `/${nsp}` });
  }

  /** Adds rooms; a socket in several of them is reached once. */
  to(room: string | string[]): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({ rooms: [...this.#target.rooms, ...[room].flat()] });
  }

  in(room: string | string[]): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.to(room);
  }

  /** Leaves out who is in any of these rooms. */
  except(room: string | string[]): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({ except: [...this.#target.except, ...[room].flat()] });
  }

  /** Drops the packet for clients whose transport is not ready that moment. */
  get volatile(): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({ isVolatile: true });
  }

  /** Accepted, without effect: the compatibility flag `no_web_socket_compression` decides for all WebSockets. */
  compress(_compress: boolean): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#with({});
  }

  /**
   * Emits an event; settles when the object has it. Acknowledgements are for sockets: use a method of your own class.
   * @throws Error for a reserved event name, or a function among the arguments
   */
  async emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): Promise<void> {
    await this.#send("emit", ev, args);
  }

  /** Reaches what listens to the event on the server itself: `io.on(ev, ...)`, or a namespace's `on`. */
  async serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<ServerSideEvents, Ev>
  ): Promise<void> {
    assertFree(ev, RESERVED_SERVER_SIDE);
    await this.#send("server", ev, args);
  }

  async socketsJoin(room: string | string[]): Promise<void> {
    await this.#call({ type: "join", rooms: [room].flat() });
  }

  async socketsLeave(room: string | string[]): Promise<void> {
    await this.#call({ type: "leave", rooms: [room].flat() });
  }

  /** Disconnects them from the namespace; with `close`, ends their connections. */
  async disconnectSockets(close = false): Promise<void> {
    await this.#call({ type: "disconnect", close });
  }

  /** The sockets that would be reached, as they are now. */
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
