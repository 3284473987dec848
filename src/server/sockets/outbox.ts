import type { SocketPacket } from "../../codec/index.ts";
import { EVENT } from "../../codec/socket-packet.ts";
import type { BroadcastFlags } from "../api/socket-types.ts";
import { CatchAll } from "./catch-all.ts";
import { type AckCallback, PendingAcks } from "./pending-acks.ts";
import type { SocketScope } from "./socket-scope.ts";

/**
 * The way of an event from server code to the client of one socket, and of the client's acknowledgement back.
 *
 * emit --> catch-all listeners --> encoded, and logged for recovery --> the session
 */
export class Outbox {
  readonly catchAll = new CatchAll();
  readonly #scope: SocketScope;
  #acks: PendingAcks | undefined;

  constructor(scope: SocketScope) {
    this.#scope = scope;
  }

  /** `onGone` is called instead of `ack` when the client has left without an answer. */
  emit(data: unknown[], ack?: AckCallback, flags?: BroadcastFlags, onGone?: (error: Error) => void): void {
    const { context, nsp } = this.#scope;
    this.#scope.checkInstance();
    if (ack !== undefined) {
      this.#emitWithAck(data, ack, flags, onGone);
      return;
    }
    if (context.isMuted) return;
    const packet: SocketPacket = { type: EVENT, nsp: nsp.name, data };
    if (this.#scope.phase === "closed") {
      this.#emitToAbsent(packet, flags);
      return;
    }
    this.notify(data);
    const isLogged = this.#scope.phase === "connected" && !flags?.volatile;
    // It is logged even if it cannot be sent: the client of a connection that has broken unnoticed has missed it.
    const recovery = isLogged ? context.recovery : undefined;
    const frames = recovery?.encode(packet, [this.#scope.member.id]) ?? context.parser.encode(packet);
    this.#scope.connection.conn.sendFrames(frames, flags);
  }

  /** Runs the catch-all listeners for outgoing events. */
  notify(data: unknown[]): void {
    this.catchAll.notify(this.#scope.socket, data, this.#scope.context.diagnostics.onError);
  }

  /** An acknowledgement has arrived, of an event to this socket or of a broadcast. */
  onAck({ id, data }: SocketPacket): void {
    if (id === undefined) return;
    const args = Array.isArray(data) ? data : [];
    if (this.#acks?.answer(id, args)) return;
    this.#scope.nsp.acks.onAnswer(id, this.#scope.member.id, args[0]);
  }

  /** The socket is gone: no acknowledgement will arrive. */
  close(): void {
    this.#acks?.abandon();
  }

  #emitWithAck(
    data: unknown[],
    ack: AckCallback,
    flags?: BroadcastFlags,
    onGone?: (error: Error) => void,
  ): void {
    const { context, nsp, connection, phase } = this.#scope;
    if (phase === "closed" && flags?.timeout === undefined) {
      onGone?.(new Error("socket has been disconnected"));
      return;
    }
    const id = nsp.nextAckId();
    const frames = context.parser.encode({ type: EVENT, nsp: nsp.name, data, id });
    this.#acks ??= new PendingAcks(context, connection);
    this.#acks.add(id, ack, flags?.timeout, onGone);
    this.notify(data);
    if (this.#scope.phase !== "closed") connection.conn.sendFrames(frames, flags);
  }

  /** As on Node, a client that may come back has missed the event; one that has come back already gets it. */
  #emitToAbsent(packet: SocketPacket, flags?: BroadcastFlags): void {
    const { context, nsp, member } = this.#scope;
    if (flags?.volatile || !context.recovery?.isAwaited(member)) return;
    nsp.adapter.broadcast(packet, { rooms: new Set([member.id]), flags });
  }
}
