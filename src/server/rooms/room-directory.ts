import type { ByteBudget } from "../../shared/byte-budget.ts";
import type { SessionId } from "../../shared/ids.ts";
import { ROOM_BYTES } from "../constants.ts";
import { fromStored, type SocketRecord } from "../state/records.ts";
import type { LogicalClock } from "./logical-clock.ts";
import { Member, type MemberClient, type MemberState } from "./member.ts";
import { RoomIndex } from "./room-index.ts";

/** What a socket takes in memory of which only the rooms are known, its own room included. */
function bytesOf(rooms: readonly string[]): number {
  return rooms.reduce((sum, room) => sum + room.length + ROOM_BYTES, ROOM_BYTES);
}

/** What the directory needs of the object. */
interface DirectoryHost {
  readonly budget: ByteBudget;
  readonly hibernation: boolean;
  readonly isFirstRun: boolean;
  visitSleeping(visit: (sid: SessionId, stored: unknown) => boolean): void;
}

/** The room indexes of all namespaces. Sessions that sleep are read once, for all namespaces together. */
export class RoomDirectory<
  Client extends MemberClient = MemberClient,
  State extends MemberState = MemberState,
> {
  readonly #host: DirectoryHost;
  readonly #clock: LogicalClock;
  readonly #indexes = new Map<string, RoomIndex<Member<Client, State>>>();
  #isComplete = false;

  constructor(host: DirectoryHost, clock: LogicalClock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** The first instance of an object has seen everybody connect. */
  get isComplete(): boolean {
    this.#isComplete ||= this.#host.isFirstRun || !this.#host.hibernation;
    return this.#isComplete;
  }

  /** The index of a namespace, made if need be. */
  of(nsp: string): RoomIndex<Member<Client, State>> {
    let index = this.#indexes.get(nsp);
    if (index === undefined) {
      index = new RoomIndex(this);
      this.#indexes.set(nsp, index);
    }
    return index;
  }

  /** A namespace was removed. */
  forget(nsp: string): void {
    this.#indexes.delete(nsp);
    this.#clock.forget(nsp);
  }

  /** Reads the sessions that sleep, unless that was done. */
  complete(): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    this.#host.budget.keepNone();
    this.#host.visitSleeping((sid, stored) => {
      const sockets = fromStored(stored)?.sockets ?? [];
      const isHeld = this.#host.budget.keep(sockets.reduce((sum, { rooms }) => sum + bytesOf(rooms), 0));
      for (const record of isHeld ? sockets : []) {
        const { members } = this.of(record.nsp);
        if (!members.has(record.id)) members.set(record.id, new Member(sid, record));
        this.#advanceClock(record);
      }
      return isHeld;
    });
    for (const index of this.#indexes.values()) index.build();
  }

  /** One member of each namespace that has any. */
  *oneOfEach(): Iterable<Member<Client, State>> {
    this.complete();
    for (const nsp of this.#indexes.keys()) {
      const member = this.anyOf(nsp);
      if (member !== undefined) yield member;
    }
  }

  /** Some member of a namespace; undefined when it has none. */
  anyOf(nsp: string): Member<Client, State> | undefined {
    this.complete();
    return this.#indexes.get(nsp)?.members.values().next().value;
  }

  /** How many rooms there are in all namespaces, without those that each socket has of its own. */
  countRooms(): number {
    this.complete();
    let count = 0;
    for (const { rooms, members } of this.#indexes.values()) {
      for (const room of rooms.keys()) if (!members.has(room)) count++;
    }
    return count;
  }

  /** Enters the sockets of a session that is in memory from now on, and returns their members. */
  load(client: Client, sockets: readonly SocketRecord[]): Member<Client, State>[] {
    return sockets.map((record) => {
      const { members } = this.of(record.nsp);
      const member = members.get(record.id) ?? new Member<Client, State>(client.conn.id, record);
      members.set(record.id, member);
      member.client = client;
      member.record = record;
      member.hasSpoken = true;
      this.#advanceClock(record);
      return member;
    });
  }

  #advanceClock({ at, joins }: SocketRecord): void {
    this.#clock.advance(joins?.at(-1) ?? at);
  }
}
