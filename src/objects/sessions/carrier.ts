import type { Frame } from "../../codec/index.ts";
import type { Effect } from "../../engine/effects.ts";
import type { Engine } from "../../engine/engine.ts";
import { pingEach } from "../../engine/flow.ts";
import type { HandshakeRecord } from "../../engine/handshake.ts";
import type { Session } from "../../engine/session.ts";
import type { Change, PlatformEffect, SessionLink } from "../../engine/session-ports.ts";
import { type SessionRules, toStored } from "../../engine/state.ts";
import type { ByteBudget } from "../../shared/byte-budget.ts";
import { estimateMemory } from "../../shared/estimate-bytes.ts";
import type { Timer, Timers } from "../../shared/timers.ts";
import { toPayload, Upload } from "../../transports/polling.ts";
import { toBinaryFrame } from "../../transports/websocket.ts";
import type { SessionStore, StoredSession } from "../storage/session-store.ts";
import { answerChannel } from "./channel.ts";

/** What carriers share: the object they live in. */
export interface CarrierHost {
  readonly rules: SessionRules;
  readonly engine: Engine;
  readonly budget: ByteBudget;
  readonly ctx: DurableObjectState;
  readonly timers: Timers;
  readonly store: SessionStore;
  readonly persists: boolean;
  readonly needsHandshakeData: boolean;
  now(): number;
  turn(): number;
  touch(carrier: Carrier): void;
  ended(carrier: Carrier): void;
  keepAwake(promise: Promise<unknown>): void;
  log(level: "warn" | "error", message: string, error?: unknown): void;
}

/** What became of a GET that was just asked. */
export type PollAnswer = Extract<Effect, { type: "reply" | "park" | "refuse" }>;

const RELEASE_MS = 100;
/** How often it is looked whether a WebSocket for which something waits may be written to, ms. A client may be near. */
const DRAIN_MS = 25;
/** Why the body of a POST is read no further. */
const OVER = new Error("its session is over");
/** One answer to a poll takes about so much out of rows, UTF-16 units, so that no long queue is in memory as a whole. */
const LARGEST_PAYLOAD = 1_000_000;

/** Carries one session: its sockets, its waiting poll, its place in storage. */
export class Carrier implements SessionLink {
  readonly host: CarrierHost;
  handshake: HandshakeRecord;
  session!: Session;
  socket: WebSocket | null = null;
  candidate: WebSocket | null = null;
  poll: WebSocket | null = null;
  /** The body of a POST, while it is being read. */
  upload: Upload | undefined;
  pollAnswer: PollAnswer | undefined;
  /** How many promises keep the object awake for it. */
  pending = 0;
  #handshakeJson: string;
  /** What has changed since it was written down last. */
  #unsaved: Change | undefined;
  #candidateB64 = false;
  #hasRow: boolean;
  #hasHalf: boolean;
  /** What the layer above keeps takes so much. */
  #recordBytes = 0;
  #uploadBytes = 0;
  #upgradeTimer: Timer | undefined;
  #drainTimer: Timer | undefined;

  constructor(host: CarrierHost, handshake: HandshakeRecord, stored?: StoredSession) {
    this.host = host;
    this.handshake = handshake;
    this.#handshakeJson = stored?.fixed ?? JSON.stringify(handshake);
    this.#hasRow = stored?.state.transport === "polling";
    this.#hasHalf = stored?.half === true;
    this.#unsaved = stored === undefined ? "record" : undefined;
  }

  pongedAt(): number {
    if (this.socket === null) return 0;
    return this.host.ctx.getWebSocketAutoResponseTimestamp(this.socket)?.getTime() ?? 0;
  }

  saveLater(change: Change): void {
    if (change !== "queue" && this.#unsaved !== "record") this.#unsaved = change;
    this.host.touch(this);
  }

  keepAwake(promise: Promise<unknown>): void {
    this.pending++;
    this.host.keepAwake(promise.finally(() => this.pending--));
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
      case "reply":
      case "park":
      case "refuse":
        this.pollAnswer = effect;
        return;
      case "release-later":
        this.host.timers.set(() => this.session.dispatch({ type: "release-poll" }), RELEASE_MS);
        return;
      case "drain-later":
        this.#drainTimer ??= this.host.timers.set(() => this.#drain(), DRAIN_MS);
        return;
      case "write-candidate":
        this.#send(this.candidate, effect.frame);
        return;
      case "drop-candidate":
        this.dropCandidate();
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
        this.host.ended(this);
        return;
    }
  }

  beginUpload(): Upload {
    this.upload = new Upload(
      () => this.host.now(),
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

  /** A candidate has `upgradeTimeout` ms to become the transport. The timer keeps the object awake, as it should. */
  attachCandidate(socket: WebSocket, b64: boolean, timeoutMs: number): void {
    this.candidate = socket;
    this.#candidateB64 = b64;
    this.#upgradeTimer = this.host.timers.set(() => {
      this.dropCandidate();
      this.session.dispatch({ type: "candidate-gone" });
    }, timeoutMs);
  }

  dropCandidate(): void {
    this.host.timers.clear(this.#upgradeTimer);
    const socket = this.candidate;
    this.candidate = null;
    if (socket === null) return;
    socket.serializeAttachment(null);
    socket.close();
  }

  candidateGone(): void {
    this.host.timers.clear(this.#upgradeTimer);
    this.candidate = null;
    this.session.dispatch({ type: "candidate-gone" });
  }

  /** Counts what the layer above keeps: the session may end for it. */
  countRecord(record: unknown): void {
    const before = this.#recordBytes;
    this.#recordBytes = estimateMemory(record);
    this.session.account.add(this.#recordBytes - before);
  }

  /**
   * Gives the session the oldest frames out of rows: what one poll takes, or all for a WebSocket. Nothing that has come
   * since may go before those that stay there.
   */
  loadQueue(mostFrames: number, maxBytes = LARGEST_PAYLOAD): void {
    if (this.session.state.storedBytes === 0) return;
    this.#storeQueue();
    // One less than it takes, since a ping may be due.
    const taken = this.host.store.rows.take(this.session.id, "queue", mostFrames - 1, maxBytes);
    this.session.dispatch({ type: "queue-loaded", ...taken });
  }

  #storeQueue(): void {
    const { queue } = this.session.state;
    if (queue.length === 0) return;
    const bytes = this.host.store.rows.append(this.session.id, "queue", queue);
    this.session.dispatch({ type: "queue-stored", bytes });
  }

  keepHalf(messages: readonly Frame[]): void {
    if (!this.host.persists) return;
    this.host.store.rows.append(this.session.id, "half", messages);
    this.saveLater(this.#hasHalf ? "queue" : "record");
    this.#hasHalf = true;
  }

  readHalf(): readonly Frame[] {
    return this.#hasHalf ? this.host.store.rows.read(this.session.id, "half") : [];
  }

  dropHalf(): void {
    if (!this.#hasHalf) return;
    this.#hasHalf = false;
    this.host.store.rows.drop(this.session.id, "half");
    this.saveLater("record");
  }

  /** Writes down what has changed since. @throws StateTooLarge */
  save(): void {
    const { state } = this.session;
    if (!this.host.persists || state.phase === "closed") return;
    if (state.transport === "polling") this.#storeQueue();
    const unsaved = this.#unsaved;
    if (unsaved === undefined) return;
    this.#unsaved = undefined;
    if (state.transport === "websocket") this.#saveSocket(unsaved);
    else this.#saveRow(unsaved);
  }

  #saveSocket(unsaved: Change): void {
    const stored = this.#toStored();
    if (this.socket !== null) this.host.store.writeSocket(this.socket, stored, unsaved === "state");
    if (unsaved === "record") this.countRecord(stored.record);
  }

  #saveRow(unsaved: Change): void {
    const stored = this.#toStored();
    this.host.store.writePolling(stored);
    this.#hasRow = true;
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
    // Should the instance die now, the session ends with it: its client must not wait or miss packets in silence.
    // A WebSocket dies with the instance anyway.
    if (isPolling && session.consumer?.isBusy() === true) stored.busy = true;
    if (this.#hasHalf) stored.half = true;
    return stored;
  }

  #takeOver(): void {
    this.host.timers.clear(this.#upgradeTimer);
    this.socket = this.candidate;
    this.candidate = null;
    // How binary travels is a matter of the transport, not of the session.
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
    if (this.socket !== null) this.host.store.forgetSocket(this.socket, id);
    if (this.#hasHalf || this.session.state.storedBytes > 0) this.host.store.rows.drop(id);
  }

  #deleteRow(): void {
    if (this.#hasRow) this.host.store.deletePolling(this.session.id);
    this.#hasRow = false;
  }

  #drain(): void {
    this.#drainTimer = undefined;
    const { host } = this;
    const each = pingEach(host.budget.unread);
    this.session.dispatch({ type: "drain", now: host.now(), pongedAt: this.pongedAt(), pingEach: each });
  }

  #send(socket: WebSocket | null, frame: Frame): void {
    if (socket === null) return;
    try {
      if (typeof frame === "string") socket.send(frame);
      else socket.send(toBinaryFrame(frame, this.handshake));
    } catch (error) {
      // The peer is gone and its close event on the way, or it never comes: then this ends the session.
      const gone = Promise.resolve().then(() =>
        this.session.dispatch({ type: "transport-gone", reason: "transport error", description: error }),
      );
      this.keepAwake(gone);
    }
  }
}
