import { estimateMemory } from "../../shared/estimate-bytes.ts";
import type { Awake, Hold } from "./awake.ts";
import type { Client } from "./client.ts";
import type { SocketMember } from "./socket-member.ts";

/** What a socket takes besides its record: measured. The first of a connection is counted with that. */
const SOCKET_BYTES = 3_000;

/** What somebody who asks for a namespace holds meanwhile. */
interface Attempt {
  readonly hold: Hold;
  /** The socket, once middlewares look at it. */
  member: SocketMember | undefined;
}

/**
 * Namespaces of one connection that are being looked for, or whose middlewares are at work. Counts what its sockets take,
 * these and those that are connected.
 */
export class Connecting {
  readonly #awake: Awake;
  readonly #client: Client;
  readonly #members: ReadonlyMap<string, SocketMember>;
  readonly #attempts = new Map<string, Attempt>();
  #bytes = 0;

  constructor(awake: Awake, client: Client, members: ReadonlyMap<string, SocketMember>) {
    this.#awake = awake;
    this.#client = client;
    this.#members = members;
  }

  get size(): number {
    return this.#attempts.size;
  }

  has(name: string): boolean {
    return this.#attempts.has(name);
  }

  begin(name: string, auth: unknown): void {
    const hold = this.#awake.hold(this.#client, true, estimateMemory(auth));
    this.#attempts.set(name, { hold, member: undefined });
    this.count();
  }

  enter(member: SocketMember): void {
    const attempt = this.#attempts.get(member.nsp);
    if (attempt !== undefined) attempt.member = member;
  }

  end(name: string): void {
    this.#awake.release(this.#attempts.get(name)?.hold);
    this.#attempts.delete(name);
    this.count();
  }

  /** Another socket is connected, or one has left. The connection may end for it. */
  count(): void {
    const before = this.#bytes;
    this.#bytes = SOCKET_BYTES * Math.max(0, this.#members.size + this.#attempts.size - 1);
    this.#client.conn.account.add(this.#bytes - before);
  }

  /** A middleware that never answers must not keep the object awake, or memory, for somebody who has left. */
  close(): void {
    for (const { hold, member } of this.#attempts.values()) {
      this.#awake.release(hold);
      if (member?.state?.phase === "connecting") member.state.cleanUp();
    }
  }
}
