import type { ServerContext } from "../context.ts";
import type { RoomIndex } from "../rooms/room-index.ts";
import type { SocketMember } from "../sockets/socket-member.ts";

/**
 * The connected sockets of a namespace by id, in the order of connection: a `Map` that can only be read. Sleeping
 * sockets are in it, too. One of these is loaded when it is looked at, without running any of your code; `size`, `has`
 * and `keys` load none. All of it throws when it is used outside the instance of the object that it belongs to.
 * @example
 * for (const [id, socket] of io.sockets.sockets) console.log(id, socket.rooms);
 */
export class SocketMap<Socket> implements ReadonlyMap<string, Socket> {
  readonly #context: ServerContext;
  readonly #index: RoomIndex<SocketMember>;

  /** @internal */
  constructor(context: ServerContext, index: RoomIndex<SocketMember>) {
    this.#context = context;
    this.#index = index;
  }

  /** How many sockets are connected. */
  get size(): number {
    return this.#checked.complete().members.size;
  }

  /** Whether a socket with this id is connected. */
  has(id: string): boolean {
    return this.#find(id) !== undefined;
  }

  /** The connected socket with this id. */
  get(id: string): Socket | undefined {
    const member = this.#find(id);
    return member && this.#load(member);
  }

  /** The sockets with their ids. */
  *entries(): MapIterator<[string, Socket]> {
    for (const [id, member] of this.#checked.complete().members) {
      const socket = this.#load(member);
      if (socket !== undefined) yield [id, socket];
    }
    return undefined;
  }

  /** The ids of the sockets. */
  *keys(): MapIterator<string> {
    yield* this.#checked.complete().members.keys();
    return undefined;
  }

  /** The sockets. */
  *values(): MapIterator<Socket> {
    for (const [, socket] of this.entries()) yield socket;
    return undefined;
  }

  /** The same as {@link entries}. */
  [Symbol.iterator](): MapIterator<[string, Socket]> {
    return this.entries();
  }

  /** Calls a function with each socket and its id. */
  forEach(visit: (socket: Socket, id: string, map: this) => void, self?: unknown): void {
    for (const [id, socket] of this.entries()) visit.call(self, socket, id, this);
  }

  #find(id: string): SocketMember | undefined {
    return this.#checked.members.get(id) ?? this.#index.complete().members.get(id);
  }

  /** Every socket of the namespace was made by it, and so is one of its type. */
  #load(member: SocketMember): Socket | undefined {
    return this.#context.loader.loadSocket(member) as Socket | undefined;
  }

  /** For code that runs in the namespace's instance; a later one has members of its own. @throws Error elsewhere */
  get #checked(): RoomIndex<SocketMember> {
    this.#context.host.checkInstance("io");
    return this.#index;
  }
}
