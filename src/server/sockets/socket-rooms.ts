import { estimateMemory } from "../../shared/estimate-bytes.ts";
import { isThenable } from "../../shared/event-emitter.ts";
import { ROOM_BYTES } from "../constants.ts";
import type { SocketScope } from "./socket-scope.ts";

/** @throws Error when a socket that is in the rooms `own` would be in more than `maxRooms` with `added` */
export function checkRooms(own: Set<string>, added: Set<string>, maxRooms: number): void {
  const mayBeMany = own.size + added.size > maxRooms;
  if (mayBeMany && new Set([...own, ...added]).size > Math.max(own.size, maxRooms)) {
    throw new Error(`a socket may be in ${maxRooms} rooms; let it leave some, or raise maxRooms`);
  }
}

/** The rooms of one socket, within `maxRooms`, and the memory that they take. */
export class SocketRooms {
  readonly #scope: SocketScope;
  /** What is counted for it. */
  #bytes = 0;
  /** Of its `auth`, which is in memory only where nothing is stored. */
  #authBytes: number | undefined;

  constructor(scope: SocketScope) {
    this.#scope = scope;
  }

  /** @throws Error when the socket would be in more than `maxRooms` rooms */
  join(rooms: Set<string>): Promise<void> | void {
    return this.change(() => {
      const { context, member, nsp } = this.#scope;
      checkRooms(member.rooms, rooms, context.limits.maxRooms);
      return nsp.adapter.addAll(member.id, rooms);
    });
  }

  /**
   * Runs a change of rooms, unless the socket is closed or the running code is muted.
   * @throws Error outside its instance
   */
  change(run: () => Promise<void> | void): Promise<void> | void {
    this.#scope.checkInstance();
    if (this.#scope.phase === "closed" || this.#scope.context.isMuted) return;
    const done = run();
    this.count();
    // An asynchronous adapter may change the rooms later.
    if (isThenable(done)) return Promise.resolve(done).then(() => this.#scope.markDirty());
  }

  /** Updates the memory that is counted for the connection, which may be closed for that. */
  count(): void {
    const { member, phase, context, connection } = this.#scope;
    const before = this.#bytes;
    this.#bytes = ROOM_BYTES * member.rooms.size;
    if (phase === "connected" && !context.host.hibernation) {
      this.#authBytes ??= estimateMemory(member.record?.auth);
      this.#bytes += this.#authBytes;
    }
    connection.conn.account.add(this.#bytes - before);
  }
}
