import { EVENT } from "../codec/socket-packet.ts";
import type { EmitterQueues } from "../objects/cluster/emitter-queue.ts";
import type { DefaultEventsMap, EventNames, EventParams, EventsMap } from "../server/api/events.ts";
import { assertFree, RESERVED_SERVER_SIDE } from "../server/api/reserved.ts";
import type { HandshakeData, ServerTypes } from "../server/api/socket-types.ts";
import type { ClusterMessage, Operation, Target } from "../server/cluster/messages.ts";
import { copyBytes, toTravel } from "../server/cluster/travel.ts";
import type { Handshake } from "../server/sockets/handshake.ts";
import type { Parser } from "../server/sockets/parser.ts";
import type { Untyped } from "../shared/untyped.ts";

/** A socket as somebody outside its object sees it: a snapshot. */
export interface RemoteDetails<SocketData = Untyped, Types extends ServerTypes = Untyped> {
  readonly id: string;
  readonly handshake: Handshake<HandshakeData<Types>>;
  readonly rooms: readonly string[];
  readonly data: SocketData;
}

/** How an emitter reaches its object. */
interface Connection {
  readonly queues: EmitterQueues;
  readonly parser: Parser;
}

/** The namespace, and the sockets in it. */
interface Whom {
  readonly nsp: string;
  readonly to: Target;
}

/**
 * Emits to the sockets of a server from anywhere in the Worker: a route, a cron trigger, a queue consumer. What one
 * emitter is told in one request arrives in that order, and shares calls of the object where it can; nothing has to be
 * awaited for that. A promise settles when the object has carried the operation out. It rejects when the object cannot
 * be reached, when its setup function fails, or when more than 16 MB wait to be sent; a rejection is ignored where
 * nobody awaits the promise. What can never be sent throws at once.
 *
 * An emitter may be kept in a variable of the module. Type parameters that are not given are `Untyped`, as with the
 * official server.
 * @example
 * await chat.emitter(env).to("news").emit("headline", text);
 */
export class Emitter<
  EmitEvents extends EventsMap = DefaultEventsMap,
  SocketData = Untyped,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  Types extends ServerTypes = Untyped,
> {
  readonly #connection: Connection;
  readonly #whom: Whom;

  /** `server.emitter(env)` creates emitters. @internal */
  constructor(connection: Connection, whom: Whom = { nsp: "/", to: { rooms: [], except: [] } }) {
    this.#connection = connection;
    this.#whom = whom;
  }

  /**
   * Selects another namespace; the leading slash may be left out.
   * @example await chat.emitter(env).of("/admin").emit("alert", text);
   */
  of(nsp: string): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#select({}, nsp.startsWith("/") ? nsp : `/${nsp}`);
  }

  /**
   * Limits the next operation to sockets in these rooms, in addition to rooms given before. A socket in several of them
   * is reached once.
   */
  to(room: string | string[]): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#select({ rooms: [...this.#whom.to.rooms, ...[room].flat()] });
  }

  /** The same as {@link to}. */
  in(room: string | string[]): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.to(room);
  }

  /** Leaves out sockets that are in any of these rooms. */
  except(room: string | string[]): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#select({ except: [...this.#whom.to.except, ...[room].flat()] });
  }

  /** Drops the packet for clients whose transport cannot take it at that moment; it is not kept for recovery either. */
  get volatile(): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this.#select({ volatile: true });
  }

  /** Accepted, without effect: the compatibility flag `no_web_socket_compression` decides for all WebSockets. */
  compress(_compress: boolean): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return this;
  }

  /**
   * Emits an event to the selected sockets. The promise settles when the object that is called has sent it; what goes
   * to other objects of the server is on its way then. There are no acknowledgements: for those, call a method of your
   * own class.
   * @throws Error for a reserved event name, a function among the arguments, or data that cannot be encoded
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): Promise<void> {
    assertFree(ev);
    const data = withoutAck(ev, args);
    const frames = this.#connection.parser.encode({ type: EVENT, nsp: this.#whom.nsp, data });
    return this.#perform<void>({ type: "broadcast", frames: copyBytes(frames) });
  }

  /**
   * Emits an event to listeners on the server itself, in all of its objects: those of `io.on(ev, ...)`, or of the
   * namespace.
   * @throws Error for a reserved event name, a function among the arguments, or data that cannot be cloned
   */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<ServerSideEvents, Ev>
  ): Promise<void> {
    assertFree(ev, RESERVED_SERVER_SIDE);
    return this.#perform<void>({ type: "emit", args: toTravel(withoutAck(ev, args)) });
  }

  /** Makes the selected sockets join rooms. */
  socketsJoin(room: string | string[]): Promise<void> {
    return this.#perform<void>({ type: "join", rooms: [room].flat() });
  }

  /** Makes the selected sockets leave rooms. */
  socketsLeave(room: string | string[]): Promise<void> {
    return this.#perform<void>({ type: "leave", rooms: [room].flat() });
  }

  /** Disconnects the selected sockets from the namespace; with `close`, ends their connections. @default false */
  disconnectSockets(close = false): Promise<void> {
    return this.#perform<void>({ type: "disconnect", close });
  }

  /**
   * Returns the selected sockets of all objects, with their id, handshake, rooms and data as they are now. It rejects
   * when an object has not answered within 5 s.
   */
  fetchSockets(): Promise<RemoteDetails<SocketData, Types>[]> {
    return this.#perform({ type: "fetch" });
  }

  #select(
    change: Partial<Target>,
    nsp = this.#whom.nsp,
  ): Emitter<EmitEvents, SocketData, ServerSideEvents, Types> {
    return new Emitter(this.#connection, { nsp, to: { ...this.#whom.to, ...change } });
  }

  /** What the object answers is what the operation promises. */
  #perform<Answer>(operation: Operation): Promise<Answer> {
    return this.#connection.queues.send({ ...operation, ...this.#whom } as ClusterMessage) as Promise<Answer>;
  }
}

function withoutAck(ev: unknown, args: readonly unknown[]): unknown[] {
  if (!args.some((arg) => typeof arg === "function")) return [String(ev), ...args];
  throw new Error("an emitter takes no acknowledgement; call a method of the object's class");
}
