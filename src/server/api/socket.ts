// Over 400 lines because it is the whole public face of a socket, with its documentation: what it does is in
// socket-state.ts.
import type { EngineRequest } from "../../engine/request.ts";
import type { Session } from "../../engine/session.ts";
import {
  type Admission,
  type AnyListener,
  type EventArgs,
  EventEmitter,
  type EventName,
} from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";
import type { Adapter } from "../rooms/adapter.ts";
import type { CatchAll } from "../sockets/catch-all.ts";
import type { Handshake } from "../sockets/handshake.ts";
import type { SocketOrigin } from "../sockets/member-loader.ts";
import type { AckCallback } from "../sockets/pending-acks.ts";
import type { MemberConnection, SocketMember } from "../sockets/socket-member.ts";
import { SocketState } from "../sockets/socket-state.ts";
import { guardUserProperties } from "../state/user-properties.ts";
import { BroadcastOperator } from "./broadcast-operator.ts";
import { Client } from "./client.ts";
import type {
  AllButLast,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DefaultEventsMap,
  Event,
  EventNamesWithAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
} from "./events.ts";
import type { Namespace } from "./namespace.ts";
import { assertFree } from "./reserved.ts";
import type { Server } from "./server.ts";
import type {
  BroadcastFlags,
  HandshakeData,
  Room,
  ServerTypes,
  SocketReservedEvents,
} from "./socket-types.ts";

/**
 * A socket with any types: what works for every socket names it so, because those of different types are not
 * assignable.
 */
export type AnySocket = Socket<Untyped, Untyped, Untyped, Untyped>;

type Operator<EmitEvents extends EventsMap, SocketData, Types extends ServerTypes> = BroadcastOperator<
  DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
  SocketData,
  Types
>;

/**
 * One client in one namespace. Its id, rooms, `data` and `handshake`, and the properties that your code puts on it, are
 * stored while the object sleeps, as far as structured clone can hold them.
 *
 * Besides the events of its client a socket emits `disconnecting` (it is still in its rooms) and `disconnect` (it is
 * not), both with a reason and perhaps a description, and `error` when a middleware refuses an event or a packet is
 * invalid.
 * @example
 * io.on("connection", (socket) => {
 *   socket.on("hello", (name, ack) => ack(`hello ${name}`));
 *   socket.on("disconnect", (reason) => console.log(socket.id, reason));
 * });
 */
export class Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = Untyped,
  Types extends ServerTypes = Untyped,
> extends EventEmitter<ListenEvents, EmitEvents, SocketReservedEvents> {
  readonly #nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>;
  readonly #connection: MemberConnection;
  readonly #member: SocketMember;
  readonly #state: SocketState;
  #flags: BroadcastFlags | undefined;

  static {
    // What user code assigns to a socket, and no class here defines, is stored with the socket.
    guardUserProperties(Socket.prototype, (socket, name, value) =>
      #state in socket ? socket.#state.kept.keep(name, value) : false,
    );
  }

  /** @internal */
  constructor(
    nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>,
    connection: MemberConnection,
    member: SocketMember,
    origin: SocketOrigin,
  ) {
    super();
    this.#nsp = nsp;
    this.#connection = connection;
    this.#member = member;
    this.#state = new SocketState(this, nsp._internals, connection, member, origin);
  }

  /**
   * The id of the socket, which may be told to other clients. It is not the id of the session, except for clients of
   * Socket.IO v2 (`allowEIO3`): theirs is a secret.
   */
  get id(): string {
    return this.#member.id;
  }

  /** The namespace that the socket is in. */
  get nsp(): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    return this.#nsp;
  }

  /** The server of this object. */
  get server(): Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    return this.#nsp.server;
  }

  /** The adapter of its namespace. */
  get adapter(): Adapter {
    return this.#nsp.adapter;
  }

  /** The connection, which sockets of the same client in other namespaces share. */
  get client(): Client {
    return Client.of(this.#connection, this.server);
  }

  /**
   * The Engine.IO session below.
   * @example
   * socket.conn.once("upgrade", (transport) => console.log(transport.name));
   */
  get conn(): Session {
    return this.#connection.conn;
  }

  /** The first request of the connection. What your code puts on it is stored with the connection. */
  get request(): EngineRequest {
    return this.#connection.conn.request;
  }

  /**
   * Whether the socket is not new: its client came back in time (connection state recovery), or the object woke up and
   * the `connection` listeners run again. A listener that writes to a database or starts a timer has to look at it.
   * @example
   * io.on("connection", async (socket) => {
   *   if (!socket.recovered) await countVisit(socket.data.userId);
   * });
   */
  get recovered(): boolean {
    return this.#state.isRecovered;
  }

  /** Whether the socket is connected. It is not while middlewares run, and no more in a listener of `disconnect`. */
  get connected(): boolean {
    return this.#state.phase === "connected";
  }

  /** The opposite of {@link connected}. */
  get disconnected(): boolean {
    return !this.connected;
  }

  /**
   * What is known of the client: its first request, and the `auth` of this namespace. What your code changes in it is
   * stored with the socket.
   */
  get handshake(): Handshake<HandshakeData<Types>> {
    return this.#state.kept.handshake.value as Handshake<HandshakeData<Types>>;
  }

  set handshake(value: Handshake<HandshakeData<Types>>) {
    this.#state.kept.handshake.value = value;
  }

  /**
   * Whatever your code wants to keep with the socket. It is stored while the object sleeps, and a change at any depth
   * is noticed. For that it is a proxy: pass `snapshot(socket.data)` to what clones its argument (`structuredClone`, a
   * queue).
   * @default {}
   * @example
   * socket.data.username = "ann";
   */
  get data(): SocketData {
    return this.#state.kept.data as SocketData;
  }

  set data(value: SocketData) {
    this.#state.kept.data = value;
  }

  /** The rooms that the socket is in. One of them has its id as the name. There are none once it is disconnected. */
  get rooms(): Set<Room> {
    return this.#member.rooms;
  }

  /**
   * Sends an event to the client. A function at the end of the arguments is called with the acknowledgement of the
   * client: without {@link timeout} only if there is one, with it in any case, with an error as the first argument.
   *
   * While `connection` listeners run again after a sleep, an event without acknowledgement is not sent a second time.
   * @returns true
   * @throws Error for a reserved name (`connect`, `disconnect` ...), for data that cannot be encoded, and when it
   * is used outside its instance of the object
   * @example
   * socket.emit("news", { title: "hello" });
   * socket.emit("question", 42, (answer) => console.log(answer));
   * socket.timeout(5_000).emit("question", 42, (error, answer) => {});
   */
  override emit<Ev extends EventName<EmitEvents>>(ev: Ev, ...args: EventArgs<EmitEvents, Ev>): boolean {
    assertFree(ev);
    const flags = this.#takeFlags();
    const data: unknown[] = [ev, ...args];
    const ack = typeof data[data.length - 1] === "function" ? (data.pop() as AckCallback) : undefined;
    this.#state.outbox.emit(data, ack, flags);
    return true;
  }

  /**
   * Sends an event, and resolves with the acknowledgement of the client. It rejects when the time of {@link timeout} is
   * over, or when the client leaves first.
   * @throws Error as {@link emit} does
   * @example
   * const answer = await socket.timeout(5_000).emitWithAck("question", 42);
   */
  emitWithAck<Ev extends EventNamesWithAck<EmitEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>> {
    assertFree(ev);
    const flags = this.#takeFlags();
    return new Promise((resolve, reject) => {
      const ack: AckCallback = (...answer) => {
        // What a client answers is not checked, so nothing relates it to the type of the event.
        if (flags?.timeout === undefined) resolve(answer[0] as Untyped);
        else if (answer[0]) reject(answer[0]);
        else resolve(answer[1] as Untyped);
      };
      this.#state.outbox.emit([ev, ...args], ack, flags, reject);
    });
  }

  /**
   * The same as `emit("message", ...args)`.
   * @example
   * socket.send("hello");
   */
  send(...args: EventParams<EmitEvents, "message">): this {
    this.emit("message" as never, ...(args as never));
    return this;
  }

  /** The same as {@link send}. */
  write(...args: EventParams<EmitEvents, "message">): this {
    return this.send(...args);
  }

  /**
   * Reaches the sockets in a room, or in any of several, except this one. Calls can be chained, and a socket in several
   * of the rooms is reached once.
   * @example
   * socket.to("room1").to(["room2", "room3"]).emit("news", "hello");
   */
  to(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this.broadcast.to(room);
  }

  /** The same as {@link to}. */
  in(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this.broadcast.to(room);
  }

  /**
   * Reaches everybody in the namespace who is in none of these rooms, except this socket.
   * @example
   * socket.except("muted").emit("news", "hello");
   */
  except(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this.broadcast.except(room);
  }

  /**
   * Reaches everybody in the namespace except this socket.
   * @example
   * socket.broadcast.emit("news", "hello");
   */
  get broadcast(): Operator<EmitEvents, SocketData, Types> {
    return new BroadcastOperator(this.#nsp.adapter, new Set(), new Set([this.id]), this.#takeFlags());
  }

  /** Reaches everybody except this socket, but only in this object, whatever the adapter. */
  get local(): Operator<EmitEvents, SocketData, Types> {
    return this.broadcast.local;
  }

  /**
   * Drops the next event if it cannot be sent at once: when the client polls and no poll is waiting, for example. The
   * event is not logged for recovery.
   * @example
   * socket.volatile.emit("position", x, y);
   */
  get volatile(): this {
    return this.#flag({ volatile: true });
  }

  /** Accepted, without effect: the compatibility flag `no_web_socket_compression` decides for all WebSockets. */
  compress(compress: boolean): this {
    return this.#flag({ compress });
  }

  /**
   * Sets how long the acknowledgement of the next event may take, in milliseconds. Then the callback of {@link emit}
   * gets an error as its first argument, or null.
   * @example
   * socket.timeout(5_000).emit("question", (error, answer) => {});
   */
  timeout(
    timeout: number,
  ): Socket<ListenEvents, DecorateAcknowledgements<EmitEvents>, ServerSideEvents, SocketData, Types> {
    // The same socket, whose next acknowledgement has another type: no relation that the compiler could see.
    return this.#flag({ timeout }) as Untyped;
  }

  /**
   * Joins rooms. With the default adapter it is in them when this returns; others may return a promise.
   * @throws Error when it would be in more rooms than the option `maxRooms` allows, and when it is used outside its
   * instance of the object
   * @example
   * socket.join("room1");
   * socket.join(["room1", "room2"]);
   */
  join(rooms: Room | Room[]): Promise<void> | void {
    return this.#state.rooms.join(new Set([rooms].flat()));
  }

  /**
   * Leaves a room. Nothing happens when it is not in it.
   * @throws Error when it is used outside its instance of the object
   * @example
   * socket.leave("room1");
   */
  leave(room: Room): Promise<void> | void {
    return this.#state.rooms.change(() => this.#nsp.adapter.del(this.id, room));
  }

  /**
   * Leaves all rooms, including the one with its id: what is sent to that id does not reach it any more. What is sent
   * to the whole namespace still does.
   * @throws Error when it is used outside its instance of the object
   */
  leaveAll(): void {
    this.#state.rooms.change(() => this.#nsp.adapter.delAll(this.id));
  }

  /**
   * Disconnects the client from the namespace. Its `disconnect` listeners get "server namespace disconnect", and the
   * client does not reconnect by itself. When it is called on a socket that has lost its connection, the client cannot
   * recover it.
   * @param close ends the whole connection, with the sockets of the client in other namespaces. @default false
   * @throws Error when it is used outside its instance of the object
   * @example
   * socket.disconnect(true);
   */
  disconnect(close = false): this {
    this.#state.checkInstance();
    if (!this.connected) this.#state.forget();
    else if (close) this.#connection.disconnect();
    else this.#connection.leave(this.#member);
    return this;
  }

  /**
   * Registers a middleware for the events of the client. It runs before their listeners, and may change the array of
   * the event's name and arguments. `next(error)` stops the event: the `error` listeners of the socket get the error.
   * @example
   * socket.use(([event, ...args], next) => {
   *   next(isAllowed(event, args) ? undefined : new Error("forbidden"));
   * });
   */
  use(fn: (event: Event, next: (err?: Error) => void) => void): this {
    this.#state.registrations.admitLate("a middleware of a socket");
    this.#state.inbox.middlewares.push(fn);
    return this;
  }

  /**
   * Registers a listener for all events of the client. It runs before middlewares and other listeners, and gets the
   * name of the event first. It does not get acknowledgements.
   * @example
   * socket.onAny((event, ...args) => console.log(event, args));
   */
  onAny(listener: AnyListener): this {
    this.#addCatchAll(this.#state.inbox.catchAll, listener, false);
    return this;
  }

  /** As {@link onAny}, in front of those that are registered. */
  prependAny(listener: AnyListener): this {
    this.#addCatchAll(this.#state.inbox.catchAll, listener, true);
    return this;
  }

  /** Removes a listener that {@link onAny} has registered, or all of them. */
  offAny(listener?: AnyListener): this {
    this.#state.inbox.catchAll.remove(listener);
    return this;
  }

  /** The listeners that {@link onAny} has registered. */
  listenersAny(): AnyListener[] {
    return this.#state.inbox.catchAll.list();
  }

  /**
   * Registers a listener for all events that are sent to the client, broadcasts included. While the socket sleeps, it
   * does not get broadcasts.
   * @example
   * socket.onAnyOutgoing((event, ...args) => console.log(event, args));
   */
  onAnyOutgoing(listener: AnyListener): this {
    this.#addCatchAll(this.#state.outbox.catchAll, listener, false);
    return this;
  }

  /** As {@link onAnyOutgoing}, in front of those that are registered. */
  prependAnyOutgoing(listener: AnyListener): this {
    this.#addCatchAll(this.#state.outbox.catchAll, listener, true);
    return this;
  }

  /** Removes a listener that {@link onAnyOutgoing} has registered, or all of them. */
  offAnyOutgoing(listener?: AnyListener): this {
    this.#state.outbox.catchAll.remove(listener);
    return this;
  }

  /** The listeners that {@link onAnyOutgoing} has registered. */
  listenersAnyOutgoing(): AnyListener[] {
    return this.#state.outbox.catchAll.list();
  }

  protected override _adding(event: string | symbol, isOnce: boolean): Admission {
    return this.#state.registrations.admit(event, isOnce);
  }

  protected override _onceFired(event: string | symbol): void {
    this.#state.registrations.onceFired(event);
  }

  #addCatchAll(to: CatchAll, listener: AnyListener, prepend: boolean): void {
    this.#state.registrations.admitLate("a catch-all listener of a socket");
    to.add(listener, prepend);
  }

  #flag(flag: BroadcastFlags): this {
    this.#flags = { ...this.#flags, ...flag };
    return this;
  }

  /** Flags apply to one event. */
  #takeFlags(): BroadcastFlags | undefined {
    const flags = this.#flags;
    this.#flags = undefined;
    return flags;
  }
}
