import type { SocketPacket } from "../../codec/index.ts";
import { ACK, BINARY_ACK, CONNECT, CONNECT_ERROR, DISCONNECT } from "../../codec/socket-packet.ts";
import type { EndCode } from "../../engine/end-codes.ts";
import type { Session } from "../../engine/session.ts";
import { SETTLED } from "../../shared/settled.ts";
import type { ServerContext } from "../context.ts";
import { readOldName, toFault } from "../namespaces/lookup.ts";
import { HeldPackets } from "./held-packets.ts";
import type { SocketMember } from "./socket-member.ts";

/** The connection that packets are dispatched for. */
interface Target {
  readonly conn: Session;
  /** Its sockets by namespace. */
  readonly members: ReadonlyMap<string, SocketMember>;
  readonly isClosed: boolean;
  /** The client asks for a namespace. */
  connect(nsp: string, auth: unknown): void;
  /** The client leaves a namespace: it may not come back to that socket. */
  letGo(member: SocketMember): void;
  close(code: EndCode, why: Error): void;
}

/**
 * Hands the packets of one connection to its sockets, in order of arrival.
 *
 * packet --> queue --> (after the current code)   --> an acknowledgement: to its socket, at once
 *                                                 --> any other: to its socket, as soon as its listeners are registered
 *                                                 --> for a namespace that was not joined: the connection is closed
 */
export class PacketDispatcher {
  readonly #target: Target;
  readonly #context: ServerContext;
  readonly #held: HeldPackets;
  readonly #drain = () => this.#dispatchAll();
  /** What has arrived, while it waits or is being dispatched. */
  #queue: SocketPacket[] | undefined;
  /** Namespaces that were left just now: packets for them that have already arrived are dropped, as on Node. */
  #left: Set<string> | undefined;

  constructor(target: Target, context: ServerContext) {
    this.#target = target;
    this.#context = context;
    this.#held = new HeldPackets(target.conn.account);
  }

  enqueue(packet: SocketPacket): void {
    if (this.#queue !== undefined) {
      this.#queue.push(packet);
      return;
    }
    this.#queue = [packet];
    SETTLED.then(this.#drain);
  }

  /** Drops the data of all packets that wait for listeners. */
  drop(): void {
    this.#held.drop();
  }

  onLeft(nsp: string): void {
    this.#left ??= new Set();
    this.#left.add(nsp);
  }

  #dispatchAll(): void {
    if (this.#held.isEmpty) this.#left = undefined;
    for (const packet of this.#queue ?? []) {
      try {
        if (this.#target.isClosed) continue;
        const leaving = packet.type === DISCONNECT ? this.#target.members.get(packet.nsp) : undefined;
        if (leaving !== undefined) this.#target.letGo(leaving);
        this.#dispatch(packet);
      } catch (error) {
        this.#context.diagnostics.onError(error, "packet");
      }
    }
    this.#queue = undefined;
  }

  /** While listeners of one of the connection's sockets are being registered again, packets for all of them wait. */
  #findWaiting(): (() => void)[] | undefined {
    for (const { held } of this.#target.members.values()) if (held !== undefined) return held;
    return undefined;
  }

  #dispatch(packet: SocketPacket): void {
    const waiting = isAnswer(packet) ? undefined : this.#findWaiting();
    if (waiting !== undefined) {
      this.#held.hold(
        packet,
        (run) => waiting.push(run),
        // Meanwhile another socket of the connection may have begun to wait.
        (it) => this.#dispatch(it),
      );
      return;
    }
    const { conn, members, isClosed } = this.#target;
    const { nsp, auth } =
      conn.protocol === 3 ? readOldName(packet.nsp) : { nsp: packet.nsp, auth: packet.data };
    const member = members.get(nsp);
    const isConnect = packet.type === CONNECT;
    // A client that gives up its first attempt before the answer arrives does not say so: it sends CONNECT again.
    if (isConnect && !member?.hasSpoken) {
      if (!isClosed) this.#target.connect(nsp, auth);
      return;
    }
    if (member === undefined || isConnect || packet.type === CONNECT_ERROR) {
      if (!this.#left?.has(nsp))
        this.#target.close("PACKET_MISPLACED", toFault(packet, member !== undefined));
      return;
    }
    member.hasSpoken = true;
    const { state } = member;
    if (state?.isResumed) state.inbox.receive(packet);
    else if (isAnswer(packet)) this.#context.loader.loadState(member)?.onAck(packet);
    else
      this.#held.hold(
        packet,
        (run) => this.#context.loader.whenResumed(member, run),
        (it) => member.state?.inbox.receive(it),
      );
  }
}

function isAnswer({ type }: SocketPacket): boolean {
  return type === ACK || type === BINARY_ACK;
}
