import type { EnginePacket, Frame } from "../../codec/index.ts";
import { pingEach } from "../../engine/flow.ts";
import type { HandshakeRecord } from "../../engine/handshake.ts";
import type { Session } from "../../engine/session.ts";
import type { Change, PlatformEffect, SessionLink } from "../../engine/session-ports.ts";
import { toStored } from "../../engine/state.ts";
import { estimateMemory } from "../../shared/estimate-bytes.ts";
import type { SessionId } from "../../shared/ids.ts";
import { SETTLED } from "../../shared/settled.ts";
import type { Timer } from "../../shared/timers.ts";
import { toPayload, Upload } from "../../transports/polling.ts";
import { toBinaryFrame } from "../../transports/websocket.ts";
import { DRAIN_MS, LARGEST_PAYLOAD, LONGEST_UPGRADE_MS, RELEASE_MS } from "../constants.ts";
import type { Platform } from "../platform.ts";
import type { StoredSession } from "../storage/session-store.ts";
import type { Turns } from "../turns.ts";
import { answerChannel } from "./channel.ts";

/** Why the body of a POST is not read any further. */
const OVER = new Error("the session has ended");

/**
 * A session in memory, with what belongs to it on the platform: its sockets, its waiting poll, its place in storage.
 */
export class ActiveSession implements SessionLink {
  handshake: HandshakeRecord;
  session!: Session;
  socket: WebSocket | null = null;
  candidate: WebSocket | null = null;
  poll: WebSocket | null = null;
  /** The body of a POST, while it is being read. */
  upload: Upload | undefined;
  /** How many promises keep the object in memory for this session. */
  pending = 0;
  readonly #platform: Platform;
  readonly #turns: Turns;
  readonly #onEnd: (sid: SessionId) => void;
  #handshakeJson: string;
  /** What has changed since the session was last saved. */
  #unsaved: Change | undefined;
  #candidateB64 = false;
  #hasRow: boolean;
  #hasHalf: boolean;
  /** What the server's record takes in memory. */
  #recordBytes = 0;
  #uploadBytes = 0;
  #upgradeTimer: Timer | undefined;
  #drainTimer: Timer | undefined;

  /** `onEnd` is told when the session has ended. */
  constructor(
    platform: Platform,
    turns: Turns,
    onEnd: (sid: SessionId) => void,
    handshake: HandshakeRecord,
    stored?: StoredSession,
  ) {
    this.#platform = platform;
    this.#turns = turns;
    this.#onEnd = onEnd;
    this.handshake = handshake;
    this.#handshakeJson = stored?.fixed ?? JSON.stringify(handshake);
    this.#hasRow = stored?.state.transport === "polling";
    this.#hasHalf = stored?.half === true;
    this.#unsaved = stored === undefined ? "record" : undefined;
  }

  pongedAt(): number {
    if (this.socket === null) return 0;
    return this.#platform.ctx.getWebSocketAutoResponseTimestamp(this.socket)?.getTime() ?? 0;
  }

  saveLater(change: Change): void {
    if (change !== "queue" && this.#unsaved !== "record") this.#unsaved = change;
    // A WebSocket ends with the instance, and what its session stores goes to its attachment. What is queued while no
    // poll waits goes to rows.
    const { poll, queue } = this.session.state;
    const isLeft = poll === null || queue.length >= poll.limit;
    const isStored = this.socket === null && (change === "record" || (change === "queue" && isLeft));
    if (isStored && this.#platform.persists) this.#turns.willWrite();
    this.#turns.saveLater(this);
  }

  keepAwake(promise: Promise<unknown>): void {
    this.pending++;
    this.#platform.keepAwake(promise.finally(() => this.pending--));
  }

  carryOut(effect: PlatformEffect): void {
    switch (effect.type) {
      case "write":
        for (const frame of effect.frames) this.#send(this.socket, frame);
        return;
      case "answer":
        if (this.poll !== null) answerChannel(this.poll, toPayload(effect.frames, this.handshake));
        this.poll = null;
        return;
      case "release-later":
        this.#platform.timers.set(() => this.session.dispatch({ type: "release-poll" }), RELEASE_MS);
        return;
      case "drain-later":
        this.#drainTimer ??= this.#platform.timers.set(() => this.#drain(), DRAIN_MS);
        return;
      case "write-candidate":
        this.#send(this.candidate, effect.frame);
        return;
      case "drop-candidate":
        this.#closeCandidate();
        return;
      case "take-over":
        this.#takeOver();
        return;
      case "close-socket":
        this.socket?.close(effect.code, effect.reason);
        return;
      case "closed":
        this.upload?.giveUp(OVER);
        this.#forget();
        this.#turns.forget(this);
        this.#onEnd(this.session.id);
        return;
    }
  }

  beginUpload(): Upload {
    this.upload = new Upload(
      () => this.#platform.now(),
      (bytes) => this.#countUpload(bytes),
    );
    return this.upload;
  }

  endUpload(): void {
    this.upload = undefined;
    this.#countUpload(0);
  }

  #countUpload(bytes: number): void {
    const more = bytes - this.#uploadBytes;
    this.#uploadBytes = bytes;
    this.session.account.add(more);
  }

  /**
   * Takes the candidate of an upgrade, which has `upgradeTimeout` ms to become the transport. The timer keeps the
   * object in memory, as it should.
   */
  attachCandidate(socket: WebSocket, b64: boolean): void {
    this.candidate = socket;
    this.#candidateB64 = b64;
    const timeoutMs = Math.min(this.#platform.options.upgradeTimeout, LONGEST_UPGRADE_MS);
    this.#upgradeTimer = this.#platform.timers.set(() => this.endCandidate(), timeoutMs);
  }

  receiveOnCandidate(packet: EnginePacket): void {
    // Everything that waits goes out on the new transport, before anything else.
    if (packet.type === "upgrade") this.loadQueue(Infinity, Infinity);
    this.session.dispatch({ type: "candidate-packet", packet });
  }

  /** The candidate does not become the transport: it is late, has sent what it may not, or is gone. */
  endCandidate(): void {
    this.#closeCandidate();
    this.session.dispatch({ type: "candidate-gone" });
  }

  #closeCandidate(): void {
    this.#platform.timers.clear(this.#upgradeTimer);
    const socket = this.candidate;
    this.candidate = null;
    if (socket === null) return;
    this.#platform.observe?.({ type: "upgrade", outcome: "failed" });
    socket.serializeAttachment(null);
    if (socket.readyState === WebSocket.OPEN) socket.close();
  }

  /** Counts the memory that the server's record of this session takes; the session may end for it. */
  countRecord(record: unknown): void {
    const before = this.#recordBytes;
    this.#recordBytes = estimateMemory(record);
    this.session.account.add(this.#recordBytes - before);
  }

  /**
   * Gives the session the oldest frames out of rows: what one poll takes, or all for a WebSocket. Newer frames are
   * appended to the rows first, since they may not overtake those that stay there.
   */
  loadQueue(mostFrames: number, maxBytes = LARGEST_PAYLOAD): void {
    if (this.session.state.storedBytes === 0) return;
    this.#storeQueue();
    // One less than the poll takes, since a ping may be due.
    const taken = this.#platform.store.rows.take(this.session.id, "queue", mostFrames - 1, maxBytes);
    this.session.dispatch({ type: "queue-loaded", ...taken });
  }

  #storeQueue(): void {
    const { queue } = this.session.state;
    if (queue.length === 0) return;
    const bytes = this.#platform.store.rows.append(this.session.id, "queue", queue);
    this.session.dispatch({ type: "queue-stored", bytes });
  }

  keepHalf(messages: readonly Frame[]): void {
    if (!this.#platform.persists) return;
    this.#platform.store.rows.append(this.session.id, "half", messages);
    this.saveLater(this.#hasHalf ? "queue" : "record");
    this.#hasHalf = true;
  }

  readHalf(): readonly Frame[] {
    return this.#hasHalf ? this.#platform.store.rows.read(this.session.id, "half") : [];
  }

  dropHalf(): void {
    if (!this.#hasHalf) return;
    this.#hasHalf = false;
    this.#platform.store.rows.drop(this.session.id, "half");
    this.saveLater("record");
  }

  /** Writes what has changed since the last save. @throws StateTooLarge */
  save(): void {
    const { state } = this.session;
    if (!this.#platform.persists || state.phase === "closed") return;
    if (state.transport === "polling") this.#storeQueue();
    const unsaved = this.#unsaved;
    if (unsaved === undefined) return;
    this.#unsaved = undefined;
    const stored = this.#toStored();
    const { store } = this.#platform;
    if (state.transport === "polling") {
      store.writePolling(stored);
      this.#hasRow = true;
    } else if (this.socket !== null) store.writeSocket(this.socket, stored, unsaved === "state");
    if (unsaved === "record") this.countRecord(stored.record);
  }

  #toStored(): StoredSession {
    const { session } = this;
    const { transport } = session.state;
    const isPolling = transport === "polling";
    const stored: { -readonly [Key in keyof StoredSession]: StoredSession[Key] } = {
      v: isPolling ? 2 : 1,
      k: "s",
      sid: session.id,
      fixed: this.#handshakeJson,
      state: toStored(session.state),
      record: session.consumer === null ? session.stored : session.consumer.record(),
    };
    // If the instance dies now, the session has to end: its client must not wait for an answer that is lost. A
    // WebSocket dies with the instance anyway.
    if (isPolling && session.consumer?.isBusy() === true) stored.busy = true;
    if (this.#hasHalf) stored.half = true;
    return stored;
  }

  #takeOver(): void {
    this.#platform.observe?.({ type: "upgrade", outcome: "done" });
    this.#platform.timers.clear(this.#upgradeTimer);
    this.socket = this.candidate;
    this.candidate = null;
    // How binary is encoded depends on the transport, not on the session.
    if (this.handshake.b64 !== this.#candidateB64) {
      this.handshake = { ...this.handshake, b64: this.#candidateB64 };
      this.#handshakeJson = JSON.stringify(this.handshake);
    }
    this.#unsaved = "record";
    this.#deleteRow();
  }

  #forget(): void {
    const { id } = this.session;
    this.#deleteRow();
    if (this.socket !== null) this.#platform.store.forgetSocket(this.socket, id);
    if (this.#hasHalf || this.session.state.storedBytes > 0) this.#platform.store.rows.drop(id);
  }

  #deleteRow(): void {
    if (this.#hasRow) this.#platform.store.deletePolling(this.session.id);
    this.#hasRow = false;
  }

  #drain(): void {
    this.#drainTimer = undefined;
    const { budget } = this.#platform;
    const now = this.#platform.now();
    this.session.dispatch({
      type: "drain",
      now,
      pongedAt: this.pongedAt(),
      pingEach: pingEach(budget.unread),
    });
  }

  #send(socket: WebSocket | null, frame: Frame): void {
    if (socket === null) return;
    try {
      if (typeof frame === "string") socket.send(frame);
      else socket.send(toBinaryFrame(frame, this.handshake));
    } catch (error) {
      // The peer is gone. Its close event may never come, so the session is ended here.
      const gone = SETTLED.then(() =>
        this.session.dispatch({ type: "transport-gone", code: "TRANSPORT_ERROR", description: error }),
      );
      this.keepAwake(gone);
    }
  }
}
