import type { Member } from "./member.ts";

/** What the index of a namespace asks of the directory that it belongs to. */
interface Directory {
  readonly isComplete: boolean;
  complete(): void;
}

/**
 * Who is in a namespace and in its rooms. At first the index only knows the sockets that are in memory; it is completed
 * with those that sleep when somebody needs all of them.
 */
export class RoomIndex<SomeMember extends Member = Member> {
  /** Connected sockets; in the order of connection once the index is complete. */
  members = new Map<string, SomeMember>();
  /** Sockets that middlewares of the namespace look at: they may have rooms already, but receive nothing yet. */
  readonly pending = new Map<string, SomeMember>();
  /** Sockets by room, in the order in which they joined it. */
  readonly rooms = new Map<string, Set<string>>();
  /** Rooms by socket. */
  readonly sids = new Map<string, Set<string>>();
  readonly #directory: Directory;

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  get isComplete(): boolean {
    return this.#directory.isComplete;
  }

  /** The same index, with the sockets that sleep. */
  complete(): this {
    this.#directory.complete();
    return this;
  }

  find(id: string): SomeMember | undefined {
    return this.members.get(id) ?? this.pending.get(id);
  }

  /** Removes a socket whose session turned out to be gone. */
  drop(member: SomeMember): void {
    this.members.delete(member.id);
    this.sids.delete(member.id);
    for (const room of member.rooms) {
      const ids = this.rooms.get(room);
      if (ids?.delete(member.id) && ids.size === 0) this.rooms.delete(room);
    }
  }

  /** Builds the order of connection and the rooms from the members. */
  build(): void {
    const members = [...this.members.values()];
    // Sockets that sleep are read in this order, so the map is built again only if one of the others is out of it.
    if (members.some(({ at }, i) => i > 0 && at < members[i - 1]!.at)) {
      members.sort((a, b) => a.at - b.at);
      this.members = new Map(members.map((member) => [member.id, member]));
    }
    const latest = new Map<string, number>();
    const unsorted = new Set<string>();
    for (const member of members) this.#addRooms(member, latest, unsorted);
    for (const member of this.pending.values()) this.#addRooms(member, latest, unsorted);
    for (const room of unsorted) this.#sortRoom(room);
  }

  /** Enters a member into the index of rooms. `latest` says when the last member so far joined each room. */
  #addRooms({ id, at, rooms, joins }: SomeMember, latest: Map<string, number>, unsorted: Set<string>): void {
    if (rooms.size === 0) return;
    this.sids.set(id, rooms);
    let index = 0;
    for (const room of rooms) {
      const joined = joins[index++] ?? at;
      const ids = this.rooms.get(room);
      if (ids === undefined) this.rooms.set(room, new Set([id]));
      else {
        ids.add(id);
        if (joined < latest.get(room)!) unsorted.add(room);
      }
      latest.set(room, joined);
    }
  }

  /** Members of a room are in the order of joining, which need not be that of connection. */
  #sortRoom(room: string): void {
    const ids = this.rooms.get(room) ?? [];
    const stamps = Array.from(ids, (id) => [id, this.find(id)?.joinedAt(room) ?? 0] as const);
    this.rooms.set(room, new Set(stamps.sort((a, b) => a[1] - b[1]).map(([id]) => id)));
  }
}
