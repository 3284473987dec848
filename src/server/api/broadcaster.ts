import { EventEmitter } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";
import { awaitResponses, type BroadcastOperator, type RemoteSocket } from "./broadcast-operator.ts";
import type {
  AllButLast,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  EventNames,
  EventNamesWithAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
  RemoveAcknowledgements,
} from "./events.ts";
import type { Room, ServerTypes, SocketId } from "./socket-types.ts";

type Operator<EmitEvents extends EventsMap, SocketData, Types extends ServerTypes> = BroadcastOperator<
  DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
  SocketData,
  Types
>;

/** What the server and a namespace have in common: they emit to all sockets of a namespace, or to some of them. */
export abstract class Broadcaster<
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
  Reserved extends object,
> extends EventEmitter<ServerSideEvents, RemoveAcknowledgements<EmitEvents>, Reserved> {
  /** Reaches everybody in the namespace. @internal */
  protected abstract _broadcast(): Operator<EmitEvents, SocketData, Types>;

  /** Emits to the namespace of the same name on the other servers. */
  abstract serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>, Ev>
  ): boolean;

  /**
   * As {@link serverSideEmit}, and resolves with one answer from each of the other servers. It rejects when one of them
   * does not answer in time; `responses` of the error then holds the answers that have arrived.
   * @example
   * const counts = await io.serverSideEmitWithAck("count");
   */
  serverSideEmitWithAck<Ev extends EventNamesWithAck<ServerSideEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<ServerSideEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<ServerSideEvents, Ev>>>[]> {
    return awaitResponses((callback) => {
      this.serverSideEmit(ev as never, ...([...args, callback] as never));
    });
  }

  /** The same as `emit("message", ...args)`. */
  send(...args: EventParams<EmitEvents, "message">): this {
    this.emit("message" as never, ...(args as never));
    return this;
  }

  /** The same as {@link send}. */
  write(...args: EventParams<EmitEvents, "message">): this {
    return this.send(...args);
  }

  /**
   * Reaches the sockets in a room, or in any of several. Calls can be chained, and a socket in several of the rooms is
   * reached once.
   * @example
   * io.to("room1").to(["room2", "room3"]).emit("news", "hello");
   */
  to(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().to(room);
  }

  /** The same as {@link to}. */
  in(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().to(room);
  }

  /**
   * Leaves out the sockets in these rooms.
   * @example
   * io.except("muted").emit("news", "hello");
   */
  except(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().except(room);
  }

  /** Accepted, without effect: the compatibility flag `no_web_socket_compression` decides for all WebSockets. */
  compress(compress: boolean): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().compress(compress);
  }

  /**
   * Drops the event for clients to which it cannot be sent at once. It is not logged for recovery.
   * @example
   * io.volatile.emit("position", x, y);
   */
  get volatile(): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().volatile;
  }

  /** Reaches the sockets of this object only, whatever the adapter. */
  get local(): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().local;
  }

  /**
   * Sets how long clients may take to acknowledge the next event, in milliseconds. An acknowledgement of a broadcast
   * needs it: without, the time is over at once.
   * @example
   * io.timeout(1_000).emit("question", (error, answers) => {});
   */
  timeout(
    timeout: number,
  ): BroadcastOperator<
    DecorateAcknowledgements<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>>,
    SocketData,
    Types
  > {
    return this._broadcast().timeout(timeout);
  }

  /** The ids of all sockets in the namespace. @deprecated use {@link fetchSockets} */
  allSockets(): Promise<Set<SocketId>> {
    return this._broadcast().allSockets();
  }

  /**
   * All sockets in the namespace, of this object and of others that the adapter knows. Those of this object that sleep
   * are loaded; none of their listeners runs.
   * @example
   * for (const socket of await io.fetchSockets()) console.log(socket.id, socket.data);
   */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData, Types>[]> {
    // Their events have other acknowledgements than a broadcast has: one answer in place of one from each client.
    return this._broadcast().fetchSockets() as Promise<Untyped>;
  }

  /**
   * Has all sockets of the namespace join rooms.
   * @example
   * io.socketsJoin(["room1", "room2"]);
   */
  socketsJoin(room: Room | Room[]): void {
    this._broadcast().socketsJoin(room);
  }

  /**
   * Has all sockets of the namespace leave rooms.
   * @example
   * io.socketsLeave("room1");
   */
  socketsLeave(room: Room | Room[]): void {
    this._broadcast().socketsLeave(room);
  }

  /**
   * Disconnects all sockets from the namespace.
   * @param close ends their whole connections. @default false
   * @example
   * io.disconnectSockets(true);
   */
  disconnectSockets(close = false): void {
    this._broadcast().disconnectSockets(close);
  }

  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    // The public method has checked the arguments against the type of the event.
    return (this._broadcast() as Operator<Untyped, SocketData, Types>).emit(event, ...args);
  }
}
