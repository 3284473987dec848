import type { SocketPacket } from "../../codec/index.ts";
import { EVENT } from "../../codec/socket-packet.ts";
import type { Untyped } from "../../shared/untyped.ts";
import type { Adapter, BroadcastOptions, SocketDetails } from "../rooms/adapter.ts";
import type { Handshake } from "../sockets/handshake.ts";
import type {
  AllButLast,
  DecorateAcknowledgements,
  EventNames,
  EventNamesWithError,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
} from "./events.ts";
import { assertFree } from "./reserved.ts";
import type { BroadcastFlags, HandshakeData, Room, ServerTypes, SocketId } from "./socket-types.ts";

/** Gets the answers of all clients, or what has arrived of them and an error. They are what clients sent, unchecked. */
type Responses = (error: (Error & { responses?: unknown }) | null, responses?: Untyped) => void;

/**
 * Whom a broadcast reaches, and how. Each method that narrows it returns a new operator, so that one can be kept and
 * used again.
 * @example
 * const others = io.except(socket.id);
 * others.to("room1").emit("news", "hello");
 */
export class BroadcastOperator<
  EmitEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes = Untyped,
> {
  readonly #adapter: Adapter;
  readonly #opts: Required<BroadcastOptions>;

  /** `io.to()` and similar methods create operators. @internal */
  constructor(
    adapter: Adapter,
    rooms: Set<Room> = new Set(),
    except: Set<Room> = new Set(),
    flags: BroadcastFlags = {},
  ) {
    this.#adapter = adapter;
    this.#opts = { rooms, except, flags };
  }

  /**
   * Reaches the sockets in these rooms as well. A socket in several of them is reached once.
   * @example
   * io.to("room1").to(["room2", "room3"]).emit("news", "hello");
   */
  to(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#with({ rooms: withRooms(this.#opts.rooms, room) });
  }

  /** The same as {@link to}. */
  in(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.to(room);
  }

  /**
   * Leaves out the sockets in these rooms.
   * @example
   * io.to("room1").except("muted").emit("news", "hello");
   */
  except(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#with({ except: withRooms(this.#opts.except, room) });
  }

  /** Accepted, without effect: the compatibility flag `no_web_socket_compression` decides for all WebSockets. */
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#flag({ compress });
  }

  /**
   * Drops the event for clients to which it cannot be sent at once. It is not logged for recovery.
   * @example
   * io.to("room1").volatile.emit("position", x, y);
   */
  get volatile(): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#flag({ volatile: true });
  }

  /** Reaches the sockets of this object only, whatever the adapter. */
  get local(): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#flag({ local: true });
  }

  /**
   * Sets how long clients may take to acknowledge the next event, in milliseconds. An acknowledgement needs it:
   * without, the time is over at once.
   * @example
   * io.to("room1").timeout(1_000).emit("question", (error, answers) => {});
   */
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData, Types> {
    // The same operator, whose acknowledgements have another type: no relation that the compiler could see.
    return this.#flag({ timeout }) as BroadcastOperator<Untyped, SocketData, Types>;
  }

  /**
   * Sends an event to the selected sockets. A function at the end of the arguments gets `(error, answers)` when all
   * clients have acknowledged the event or have left, or when the time of {@link timeout} is over: then with the error,
   * and with the answers that have arrived.
   *
   * While `connection` listeners run again after a sleep, an event without acknowledgement is not sent a second time.
   * @returns true
   * @throws Error for a reserved name (`connect`, `disconnect` ...), for data that cannot be encoded, and when it is
   * used outside its instance of the object
   * @example
   * io.to("room1").emit("news", "hello");
   * io.timeout(1_000).emit("question", (error, answers) => console.log(error, answers));
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    assertFree(ev);
    const adapter = this.#checked;
    const data: unknown[] = [ev, ...args];
    const packet: SocketPacket = { type: EVENT, nsp: adapter.nsp.name, data };
    if (typeof data.at(-1) === "function") this.#emitWithResponses(packet, data.pop() as Responses);
    else if (!this.#isMuted) adapter.broadcast(packet, this.#opts);
    return true;
  }

  /**
   * Sends an event, and resolves with the answers of all clients that did not leave first. It rejects when the time of
   * {@link timeout} is over; `responses` of the error then holds the answers that have arrived.
   * @throws Error as {@link emit} does (as a rejection)
   * @example
   * const answers = await io.timeout(1_000).emitWithAck("question");
   */
  emitWithAck<Ev extends EventNamesWithError<EmitEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>> {
    return awaitResponses((callback) => {
      this.emit(ev, ...([...args, callback] as EventParams<EmitEvents, Ev>));
    });
  }

  /** The ids of the selected sockets. @deprecated use {@link fetchSockets} */
  allSockets(): Promise<Set<SocketId>> {
    return this.#checked.sockets(this.#opts.rooms);
  }

  /**
   * The selected sockets. Those of this object are the sockets themselves, loaded if they sleep; those of other objects
   * are snapshots.
   * @throws Error when it is used outside its instance of the object (as a rejection)
   * @example
   * for (const socket of await io.in("room1").fetchSockets()) console.log(socket.id, socket.rooms, socket.data);
   */
  async fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData, Types>[]> {
    const sockets: Awaited<ReturnType<Adapter["fetchSockets"]>> = await this.#checked.fetchSockets(
      this.#opts,
    );
    return sockets.map(
      (socket): RemoteSocket<EmitEvents, SocketData, Types> =>
        // A socket of this object has all members of a remote one, with acknowledgements of other types.
        "client" in socket ? (socket as Untyped) : new RemoteSocket(this.#adapter, socket),
    );
  }

  /**
   * Has the selected sockets join rooms.
   * @example
   * io.in("room1").socketsJoin(["room2", "room3"]);
   */
  socketsJoin(room: Room | Room[]): void {
    if (!this.#isMuted) this.#checked.addSockets(this.#opts, [room].flat());
  }

  /**
   * Has the selected sockets leave rooms.
   * @example
   * io.in("room1").socketsLeave("room1");
   */
  socketsLeave(room: Room | Room[]): void {
    if (!this.#isMuted) this.#checked.delSockets(this.#opts, [room].flat());
  }

  /**
   * Disconnects the selected sockets from the namespace.
   * @param close ends their whole connections. @default false
   * @example
   * io.in("room1").disconnectSockets(true);
   */
  disconnectSockets(close = false): void {
    this.#checked.disconnectSockets(this.#opts, close);
  }

  /** The adapter, for code that runs in its own instance. @throws Error elsewhere */
  get #checked(): Adapter {
    const { nsp } = this.#adapter;
    nsp._internals.context.host.checkInstance("io", nsp.name);
    return this.#adapter;
  }

  get #isMuted(): boolean {
    return this.#adapter.nsp._internals.context.isMuted;
  }

  #with(change: Partial<BroadcastOptions>): BroadcastOperator<EmitEvents, SocketData, Types> {
    const { rooms, except, flags } = { ...this.#opts, ...change };
    return new BroadcastOperator(this.#adapter, rooms, except, flags);
  }

  #flag(flag: BroadcastFlags): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#with({ flags: { ...this.#opts.flags, ...flag } });
  }

  #emitWithResponses(packet: SocketPacket, callback: Responses): void {
    const { timeout, expectSingleResponse } = this.#opts.flags;
    const collector = this.#adapter.nsp._internals.acks.collect(timeout, (error, responses) => {
      const single = error === null ? responses[0] : null;
      callback(error, expectSingleResponse ? single : responses);
    });
    this.#adapter.broadcastWithAck(
      packet,
      this.#opts,
      (clientCount) => collector.onSent(clientCount),
      (response) => collector.onAnswer(response),
      () => collector.onGone(),
    );
    this.#adapter.serverCount().then((count) => collector.expectServers(count));
  }
}

/** What a callback gets, as a promise. The answers that have arrived become a property of the error. */
export function awaitResponses<T>(ask: (callback: Responses) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((error, responses) => {
      if (error === null) return resolve(responses);
      error.responses = responses;
      reject(error);
    });
  });
}

function withRooms(rooms: Set<Room>, added: Room | Room[]): Set<Room> {
  const all = new Set(rooms);
  if (Array.isArray(added)) for (const room of added) all.add(room);
  else all.add(added);
  return all;
}

/**
 * A socket that lives in another object: a snapshot of it, and what can be done to it from here.
 * @example
 * const [socket] = await io.in(userId).fetchSockets();
 * socket?.disconnect(true);
 */
export class RemoteSocket<EmitEvents extends EventsMap, SocketData, Types extends ServerTypes = Untyped> {
  /** See `Socket.id`. */
  readonly id: SocketId;
  /** See `Socket.handshake`. */
  readonly handshake: Handshake<HandshakeData<Types>>;
  /** The rooms that the socket was in. */
  readonly rooms: Set<Room>;
  /** What `socket.data` was. A change here does not reach the socket. */
  readonly data: SocketData;
  readonly #operator: BroadcastOperator<EmitEvents, SocketData, Types>;

  /** `fetchSockets()` creates these. @internal */
  constructor(adapter: Adapter, details: SocketDetails) {
    this.id = details.id;
    this.handshake = details.handshake;
    this.rooms = new Set(details.rooms);
    this.data = details.data;
    const flags = { expectSingleResponse: true };
    this.#operator = new BroadcastOperator(adapter, new Set([this.id]), new Set(), flags);
  }

  /**
   * Sets how long the client may take to acknowledge the next event, in milliseconds.
   * @example
   * socket.timeout(1_000).emit("question", (error, answer) => {});
   */
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData, Types> {
    return this.#operator.timeout(timeout);
  }

  /**
   * Sends an event to the socket.
   * @throws Error as `BroadcastOperator.emit` does
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    return this.#operator.emit(ev, ...args);
  }

  /** Has the socket join rooms. */
  join(room: Room | Room[]): void {
    this.#operator.socketsJoin(room);
  }

  /** Has the socket leave a room. */
  leave(room: Room): void {
    this.#operator.socketsLeave(room);
  }

  /**
   * Disconnects the socket from its namespace.
   * @param close ends the whole connection. @default false
   */
  disconnect(close = false): this {
    this.#operator.disconnectSockets(close);
    return this;
  }
}
