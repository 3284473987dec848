import type { EnginePacket } from "../../codec/index.ts";
import type { EndCode } from "../../engine/end-codes.ts";
import { decodeMessage, isTooLarge } from "../../transports/websocket.ts";
import { NO_CLOSE_FRAME } from "../constants.ts";
import type { Platform } from "../platform.ts";
import type { ActiveSession } from "./active-session.ts";
import { answerClose } from "./answer-close.ts";
import { toCause } from "./channel.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { SessionTable } from "./session-table.ts";

/**
 * What the runtime tells an object about its WebSockets. One of these belongs to a session as its transport, as the
 * candidate of an upgrade, or as the channel of a waiting poll.
 */
export class SocketEvents {
  readonly #platform: Platform;
  readonly #table: SessionTable;
  readonly #heartbeat: Heartbeat;

  constructor(platform: Platform, table: SessionTable, heartbeat: Heartbeat) {
    this.#platform = platform;
    this.#table = table;
    this.#heartbeat = heartbeat;
  }

  onMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    this.#platform.tally.counts.messages++;
    const now = this.#heartbeat.healAlarm();
    const active = this.#table.of(socket);
    const isTransport = socket === active?.socket;
    if (active === undefined || (!isTransport && socket !== active.candidate)) {
      // Nothing is known any more of what the socket belonged to: its client starts again.
      socket.close();
      return;
    }
    const { session } = active;
    if (isTooLarge(data, this.#platform.options.maxHttpBufferSize)) {
      socket.close(1009);
      this.#onGone(active, socket, "TOO_LARGE");
      return;
    }
    let packet: EnginePacket;
    try {
      packet = decodeMessage(data, active.handshake);
    } catch (error) {
      this.#onGone(active, socket, "PARSE_ERROR", error);
      return;
    }
    if (isTransport) session.dispatch({ type: "packet", packet, now });
    else {
      active.receiveOnCandidate(packet);
      // Polls are pinged without a tick: the one that is set may be too late for a WebSocket.
      if (socket === active.socket) this.#heartbeat.ensureTick(session);
    }
  }

  onClose(socket: WebSocket, code: number, reason: string): void {
    this.#heartbeat.healAlarm();
    const active = this.#table.of(socket);
    answerClose(socket, code, reason);
    if (active === undefined) return;
    if (socket === active.poll) this.#onPollGone(active, toCause(code));
    else this.#onGone(active, socket, code === NO_CLOSE_FRAME ? "TRANSPORT_LOST" : "CLIENT_CLOSED");
  }

  onError(socket: WebSocket, error: unknown): void {
    this.#heartbeat.healAlarm();
    const active = this.#table.of(socket);
    if (active === undefined) return;
    if (socket === active.poll) this.#onPollGone(active, "lost");
    else this.#onGone(active, socket, "TRANSPORT_ERROR", error);
  }

  #onPollGone(active: ActiveSession, cause: ReturnType<typeof toCause>): void {
    active.poll = null;
    active.session.dispatch({ type: "poll-gone", cause, now: this.#platform.now() });
  }

  #onGone(active: ActiveSession, socket: WebSocket, code: EndCode, description?: unknown): void {
    if (socket === active.candidate) active.endCandidate();
    else if (socket === active.socket) {
      active.session.dispatch({ type: "transport-gone", code, description });
    }
  }
}
