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

type Responses = (error: (Error & { responses?: unknown }) | null, responses?: Untyped) => void;

/** Whom a broadcast reaches, and how. Every call answers with a new operator: one may be kept and used again. */
export class BroadcastOperator<
  EmitEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes = Untyped,
> {
  readonly #adapter: Adapter;
  readonly #opts: Required<BroadcastOptions>;

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
   * Adds rooms; a socket in several of them is reached once.
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

  /** Leaves out who is in any of these rooms. */
  except(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#with({ except: withRooms(this.#opts.except, room) });
  }

  /** Accepted, without effect: the compatibility flag `no_web_socket_compression` decides for all WebSockets. */
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#flag({ compress });
  }

  /** Drops the packet for clients whose transport is not ready this moment. */
  get volatile(): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#flag({ volatile: true });
  }

  /** Reaches the sockets of this object only. */
  get local(): BroadcastOperator<EmitEvents, SocketData, Types> {
    return this.#flag({ local: true });
  }

  /** How long to wait for acknowledgements, ms. */
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData, Types> {
    return this.#flag({ timeout }) as BroadcastOperator<Untyped, SocketData, Types>;
  }

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
   * Emits, and waits for every client's answer. Rejects when the time is over; `responses` of the error then holds
   * the answers that came.
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

  /** Ids of the sockets that would be reached. @deprecated use {@link fetchSockets} */
  allSockets(): Promise<Set<SocketId>> {
    return this.#checked.sockets(this.#opts.rooms);
  }

  /** The sockets that would be reached: those of this object themselves, asleep or not. */
  async fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData, Types>[]> {
    const sockets: Awaited<ReturnType<Adapter["fetchSockets"]>> = await this.#checked.fetchSockets(
      this.#opts,
    );
    return sockets.map(
      (socket): RemoteSocket<EmitEvents, SocketData, Types> =>
        "client" in socket ? (socket as Untyped) : new RemoteSocket(this.#adapter, socket),
    );
  }

  socketsJoin(room: Room | Room[]): void {
    if (!this.#isMuted) this.#checked.addSockets(this.#opts, [room].flat());
  }

  socketsLeave(room: Room | Room[]): void {
    if (!this.#isMuted) this.#checked.delSockets(this.#opts, [room].flat());
  }

  /** Disconnects them from the namespace; with `close`, ends their connections. */
  disconnectSockets(close = false): void {
    this.#checked.disconnectSockets(this.#opts, close);
  }

  /** The adapter, for code that runs in its instance. @throws Error elsewhere */
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

/** What a callback of {@link Responses} is given, as a promise. */
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

/** A socket that lives in another object: what is known of it, and what can be done to it from here. */
export class RemoteSocket<EmitEvents extends EventsMap, SocketData, Types extends ServerTypes = Untyped> {
  readonly id: SocketId;
  readonly handshake: Handshake<HandshakeData<Types>>;
  readonly rooms: Set<Room>;
  readonly data: SocketData;
  readonly #operator: BroadcastOperator<EmitEvents, SocketData, Types>;

  constructor(adapter: Adapter, details: SocketDetails) {
    this.id = details.id;
    this.handshake = details.handshake;
    this.rooms = new Set(details.rooms);
    this.data = details.data;
    const flags = { expectSingleResponse: true };
    this.#operator = new BroadcastOperator(adapter, new Set([this.id]), new Set(), flags);
  }

  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData, Types> {
    return this.#operator.timeout(timeout);
  }

  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    return this.#operator.emit(ev, ...args);
  }

  join(room: Room | Room[]): void {
    this.#operator.socketsJoin(room);
  }

  leave(room: Room): void {
    this.#operator.socketsLeave(room);
  }

  disconnect(close = false): this {
    this.#operator.disconnectSockets(close);
    return this;
  }
}
