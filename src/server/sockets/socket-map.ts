import type { AnySocket } from "../api/socket.ts";
import type { Core } from "../core.ts";
import type { RoomIndex } from "../rooms/room-index.ts";
import type { SocketMember } from "./socket-member.ts";

/**
 * The connected sockets of a namespace by id, in the order of connection. Sleeping ones are in it too: a socket is made
 * when it is looked at, and `size` and `has` make none.
 */
export class SocketMap extends Map<string, AnySocket> {
  readonly #core: Core;
  readonly #index: RoomIndex<SocketMember>;

  constructor(core: Core, index: RoomIndex<SocketMember>) {
    super();
    this.#core = core;
    this.#index = index;
  }

  override get size(): number {
    return this.#here.complete().members.size;
  }

  override has(id: string): boolean {
    return this.#find(id) !== undefined;
  }

  override get(id: string): AnySocket | undefined {
    const member = this.#find(id);
    return member && this.#core.socketOf(member);
  }

  override *entries(): MapIterator<[string, AnySocket]> {
    for (const [id, member] of this.#here.complete().members) {
      const socket = this.#core.socketOf(member);
      if (socket !== undefined) yield [id, socket];
    }
    return undefined;
  }

  override *keys(): MapIterator<string> {
    yield* this.#here.complete().members.keys();
    return undefined;
  }

  override *values(): MapIterator<AnySocket> {
    for (const [, socket] of this.entries()) yield socket;
    return undefined;
  }

  override [Symbol.iterator](): MapIterator<[string, AnySocket]> {
    return this.entries();
  }

  override forEach(
    visit: (socket: AnySocket, id: string, map: Map<string, AnySocket>) => void,
    self?: unknown,
  ): void {
    for (const [id, socket] of this.entries()) visit.call(self, socket, id, this);
  }

  #find(id: string): SocketMember | undefined {
    return this.#here.members.get(id) ?? this.#index.complete().members.get(id);
  }

  /** For code that runs in the instance of the namespace: a later one has members of its own. @throws Error elsewhere */
  get #here(): RoomIndex<SocketMember> {
    this.#core.host.checkInstance("io");
    return this.#index;
  }
}
