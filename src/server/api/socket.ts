// Over 320 lines because it is the whole public face of a socket, and nothing else: what it does is in socket-state.ts.
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

/** A socket whose events are not known. */
export type AnySocket = Socket<Untyped, Untyped, Untyped, Untyped>;

type Operator<EmitEvents extends EventsMap, SocketData, Types extends ServerTypes> = BroadcastOperator<
  DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
  SocketData,
  Types
>;

/**
 * One client in one namespace. Everything it is survives while the object sleeps: id, rooms, `data`, `handshake` and
 * the properties that user code puts on it, as far as structured clone can hold them.
 * @example
 * io.on("connection", (socket) => {
 *   socket.on("hello", (name, ack) => ack(`hello ${name}`));
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
    // Whatever user code assigns to a socket that no class of ours defines is kept with the socket.
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

  /** Public, unlike the session's id; but for a client of v2 (`allowEIO3`) it is the session's id, a secret. */
  get id(): string {
    return this.#member.id;
  }

  get nsp(): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    return this.#nsp;
  }

  get server(): Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
    return this.#nsp.server;
  }

  /** The adapter of its namespace. */
  get adapter(): Adapter {
    return this.#nsp.adapter;
  }

  /** The connection, which other namespaces may share. */
  get client(): Client {
    return Client.of(this.#connection, this.server);
  }

  /** The Engine.IO session. */
  get conn(): Session {
    return this.#connection.conn;
  }

  /** The connection's first request. What user code puts on it is kept with the connection. */
  get request(): EngineRequest {
    return this.#connection.conn.request;
  }

  /**
   * Whether the socket is not new: its client came back in time (connection state recovery), or the object woke up
   * and its `connection` listeners run again. Timers and database writes in those listeners must ask.
   */
  get recovered(): boolean {
    return this.#state.isRecovered;
  }

  get connected(): boolean {
    return this.#state.phase === "connected";
  }

  get disconnected(): boolean {
    return !this.connected;
  }

  /** What is known of the client. What user code changes in it is kept with the socket. */
  get handshake(): Handshake<HandshakeData<Types>> {
    return this.#state.kept.handshake.value as Handshake<HandshakeData<Types>>;
  }

  set handshake(value: Handshake<HandshakeData<Types>>) {
    this.#state.kept.handshake.value = value;
  }

  /**
   * Yours. It survives while the object sleeps; a change at any depth is noticed. For that it is a proxy: what has to
   * be cloned (`structuredClone`, a queue) is `snapshot(socket.data)`.
   */
  get data(): SocketData {
    return this.#state.kept.data as SocketData;
  }

  set data(value: SocketData) {
    this.#state.kept.data = value;
  }

  /** The rooms it is in, its own id among them; none once it is disconnected. */
  get rooms(): Set<Room> {
    return this.#member.rooms;
  }

  /**
   * Sends an event. A function at the end gets the client's acknowledgement.
   * @example
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
   * Sends an event and waits for the client's answer. Rejects when a `timeout()` is over, or when the client is gone.
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
        if (flags?.timeout === undefined) resolve(answer[0] as Untyped);
        else if (answer[0]) reject(answer[0]);
        else resolve(answer[1] as Untyped);
      };
      this.#state.outbox.emit([ev, ...args], ack, flags, reject);
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
    return this.broadcast.to(room);
  }

  in(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this.broadcast.to(room);
  }

  except(room: Room | Room[]): Operator<EmitEvents, SocketData, Types> {
    return this.broadcast.except(room);
  }

  /** Everybody in the namespace but this socket. */
  get broadcast(): Operator<EmitEvents, SocketData, Types> {
    return new BroadcastOperator(this.#nsp.adapter, new Set(), new Set([this.id]), this.#takeFlags());
  }

  /** The sockets of this object only. */
  get local(): Operator<EmitEvents, SocketData, Types> {
    return this.broadcast.local;
  }

  /** Drops the next event if the transport is not ready for it at once. */
  get volatile(): this {
    return this.#flag({ volatile: true });
  }

  /** Accepted, without effect: the compatibility flag `no_web_socket_compression` decides for all WebSockets. */
  compress(compress: boolean): this {
    return this.#flag({ compress });
  }

  /** How long the next event's acknowledgement may take, ms. */
  timeout(
    timeout: number,
  ): Socket<ListenEvents, DecorateAcknowledgements<EmitEvents>, ServerSideEvents, SocketData, Types> {
    return this.#flag({ timeout }) as Untyped;
  }

  /** @throws when it would be in more than `maxRooms` rooms */
  join(rooms: Room | Room[]): Promise<void> | void {
    return this.#state.rooms.join(new Set([rooms].flat()));
  }

  leave(room: Room): Promise<void> | void {
    return this.#state.rooms.change(() => this.#nsp.adapter.del(this.id, room));
  }

  /** Leaves all rooms, its own too: what is sent to its id does not reach it any more. */
  leaveAll(): void {
    this.#state.rooms.change(() => this.#nsp.adapter.delAll(this.id));
  }

  /** Leaves the namespace; with `close`, ends the whole connection. */
  disconnect(close = false): this {
    this.#state.checkInstance();
    if (!this.connected) this.#state.forget();
    else if (close) this.#connection.disconnect();
    else this.#connection.leave(this.#member);
    return this;
  }

  /** Every event passes `fn` before its listeners: it may change the event's arguments, or stop it with an error. */
  use(fn: (event: Event, next: (err?: Error) => void) => void): this {
    this.#state.registrations.admitLate("a middleware of a socket");
    this.#state.inbox.middlewares.push(fn);
    return this;
  }

  /** Hears every event of the client, before middlewares and listeners. */
  onAny(listener: AnyListener): this {
    this.#addCatchAll(this.#state.inbox.catchAll, listener, false);
    return this;
  }

  prependAny(listener: AnyListener): this {
    this.#addCatchAll(this.#state.inbox.catchAll, listener, true);
    return this;
  }

  offAny(listener?: AnyListener): this {
    this.#state.inbox.catchAll.remove(listener);
    return this;
  }

  listenersAny(): AnyListener[] {
    return this.#state.inbox.catchAll.list();
  }

  /** Hears every event that is sent to the client, broadcasts too. */
  onAnyOutgoing(listener: AnyListener): this {
    this.#addCatchAll(this.#state.outbox.catchAll, listener, false);
    return this;
  }

  prependAnyOutgoing(listener: AnyListener): this {
    this.#addCatchAll(this.#state.outbox.catchAll, listener, true);
    return this;
  }

  offAnyOutgoing(listener?: AnyListener): this {
    this.#state.outbox.catchAll.remove(listener);
    return this;
  }

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

  /** Flags hold for one event. */
  #takeFlags(): BroadcastFlags | undefined {
    const flags = this.#flags;
    this.#flags = undefined;
    return flags;
  }
}
