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

/** Speaks to all sockets of a namespace: what a namespace has in common with the server, which speaks to the main one's. */
export abstract class Broadcaster<
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
  Reserved extends object,
> extends EventEmitter<ServerSideEvents, RemoveAcknowledgements<EmitEvents>, Reserved> {
  /** Reaches everybody, as long as nothing narrows it. @internal */
  protected abstract _broadcast(): Operator<EmitEvents, SocketData, Types>;

  /** Emits to the namespace of the same name on the other servers. */
  abstract serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>, Ev>
  ): boolean;

  /** As {@link serverSideEmit}, and waits for the other servers' answers. */
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

  to(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().to(room);
  }

  in(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().to(room);
  }

  except(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().except(room);
  }

  compress(compress: boolean): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().compress(compress);
  }

  get volatile(): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().volatile;
  }

  get local(): Operator<EmitEvents, SocketData, Types> {
    return this._broadcast().local;
  }

  timeout(
    timeout: number,
  ): BroadcastOperator<
    DecorateAcknowledgements<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>>,
    SocketData,
    Types
  > {
    return this._broadcast().timeout(timeout);
  }

  /** @deprecated use {@link fetchSockets} */
  allSockets(): Promise<Set<SocketId>> {
    return this._broadcast().allSockets();
  }

  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData, Types>[]> {
    return this._broadcast().fetchSockets() as Promise<Untyped>;
  }

  socketsJoin(room: Room | Room[]): void {
    this._broadcast().socketsJoin(room);
  }

  socketsLeave(room: Room | Room[]): void {
    this._broadcast().socketsLeave(room);
  }

  disconnectSockets(close = false): void {
    this._broadcast().disconnectSockets(close);
  }

  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return (this._broadcast() as Operator<Untyped, SocketData, Types>).emit(event, ...args);
  }
}
