import type { Frame } from "../codec/index.ts";
import type { Effect } from "../engine/effects.ts";
import type { Engine } from "../engine/engine.ts";
import type { Session } from "../engine/session.ts";
import type { Change, PlatformEffect, SessionLink } from "../engine/session-ports.ts";
import { type SessionRules, toStored } from "../engine/state.ts";
import type { ByteBudget } from "../shared/byte-budget.ts";
import { estimateMemory } from "../shared/estimate-bytes.ts";
import { toPayload } from "../transports/polling.ts";
import { toBinaryFrame } from "../transports/websocket.ts";
import { answerChannel } from "./channel.ts";
import type { FixedPart, SessionStore, StoredSession } from "./session-store.ts";

/** What carriers share: the object they live in. */
export interface CarrierHost {
  readonly ctx: DurableObjectState;
  readonly rules: SessionRules;
  readonly engine: Engine;
  readonly budget: ByteBudget;
  readonly store: SessionStore;
  readonly persists: boolean;
  readonly needsHandshakeData: boolean;
  now(): number;
  isMuted(): boolean;
  turn(): number;
  touch(carrier: Carrier): void;
  resume(session: Session): void | Promise<void>;
  ended(carrier: Carrier): void;
  toBinary(bytes: Uint8Array): Uint8Array;
  keepAwake(promise: Promise<unknown>): void;
}

/** What became of a GET that was just asked. */
export type PollAnswer = Extract<Effect, { type: "reply" | "park" | "refuse" }>;

const RELEASE_MS = 100;
/** A queue of more than this (UTF-16 units or bytes) does not fit a row, and waits in memory. */
const LARGEST_WRITTEN_QUEUE = 900_000;
/** How long such a queue keeps the object awake, ms. */
const HOLD_MS = 60_000;

/** Carries one session: its sockets, its waiting poll, its place in storage. */
export class Carrier implements SessionLink {
  fixed: FixedPart;
  session!: Session;
  socket: WebSocket | null = null;
  candidate: WebSocket | null = null;
  poll: WebSocket | null = null;
  /** A POST is being read. */
  isPosting = false;
  pollAnswer: PollAnswer | undefined;
  readonly #host: CarrierHost;
  #fixedJson: string;
  /** What has changed since it was written down last. */
  #unsaved: Change | undefined;
  #candidateB64 = false;
  /** Frames in the row, so that emptying a queue that was never written costs nothing. */
  #writtenFrames = 0;
  #hasRow: boolean;
  /** What the layer above keeps takes so much. */
  #recordBytes = 0;
  #stopHolding: (() => void) | undefined;
  #upgradeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: CarrierHost, fixed: FixedPart, stored?: StoredSession) {
    this.#host = host;
    this.fixed = fixed;
    this.#fixedJson = stored?.fixed ?? JSON.stringify(fixed);
    this.#unsaved = stored === undefined ? "record" : undefined;
    this.#hasRow = stored?.state.transport === "polling";
    this.#writtenFrames = stored?.state.queue?.length ?? 0;
  }

  get rules(): SessionRules {
    return this.#host.rules;
  }

  get engine(): Engine {
    return this.#host.engine;
  }

  get budget(): ByteBudget {
    return this.#host.budget;
  }

  now(): number {
    return this.#host.now();
  }

  isMuted(): boolean {
    return this.#host.isMuted();
  }

  turn(): number {
    return this.#host.turn();
  }

  pongedAt(): number {
    if (this.socket === null || !this.#host.rules.sharesRhythm) return 0;
    return this.#host.ctx.getWebSocketAutoResponseTimestamp(this.socket)?.getTime() ?? 0;
  }

  touched(_session: Session, change: Change): void {
    if (change !== "queue" && this.#unsaved !== "record") this.#unsaved = change;
    this.#host.touch(this);
  }

  resume(session: Session): void | Promise<void> {
    return this.#host.resume(session);
  }

  toBinary(bytes: Uint8Array): Uint8Array {
    return this.#host.toBinary(bytes);
  }

  keepAwake(promise: Promise<unknown>): void {
    this.#host.keepAwake(promise);
  }

  carryOut(_session: Session, effect: PlatformEffect): void {
    switch (effect.type) {
      case "write":
        for (const frame of effect.frames) this.#send(this.socket, frame);
        return;
      case "answer":
        if (this.poll !== null) answerChannel(this.poll, toPayload(effect.frames, this.fixed));
        this.poll = null;
        return;
      case "reply":
      case "park":
      case "refuse":
        this.pollAnswer = effect;
        return;
      case "release-later":
        setTimeout(() => this.session.dispatch({ type: "release-poll" }), RELEASE_MS);
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
        this.socket?.close(effect.code);
        return;
      case "closed":
        this.#forget();
        this.#host.ended(this);
        return;
    }
  }

  /** A candidate has `upgradeTimeout` ms to become the transport. The timer keeps the object awake, as it should. */
  attachCandidate(socket: WebSocket, b64: boolean, timeoutMs: number): void {
    this.candidate = socket;
    this.#candidateB64 = b64;
    this.#upgradeTimer = setTimeout(() => {
      this.dropCandidate();
      this.session.dispatch({ type: "candidate-gone" });
    }, timeoutMs);
  }

  dropCandidate(): void {
    clearTimeout(this.#upgradeTimer);
    const socket = this.candidate;
    this.candidate = null;
    if (socket === null) return;
    socket.serializeAttachment(null);
    socket.close();
  }

  candidateGone(): void {
    clearTimeout(this.#upgradeTimer);
    this.candidate = null;
    this.session.dispatch({ type: "candidate-gone" });
  }

  /** Counts what the layer above keeps: the session may end for it. */
  countRecord(record: unknown): void {
    const before = this.#recordBytes;
    this.#recordBytes = estimateMemory(record);
    this.session.account.add(this.#recordBytes - before);
  }

  /** Writes the session down if that would change anything. @throws StateTooLarge */
  save(): void {
    const { state } = this.session;
    if (!this.#host.persists || state.phase === "closed") return;
    const isQueueWritten = state.queue.length === 0 && this.#writtenFrames === 0;
    const unsaved = this.#unsaved;
    if (unsaved === undefined && isQueueWritten) return;
    this.#unsaved = undefined;
    const stored = state.transport === "websocket" ? this.#saveSocket(unsaved) : this.#saveRow();
    if (unsaved === "record") this.countRecord(stored.record);
  }

  #saveSocket(unsaved: Change | undefined): StoredSession {
    const stored = this.#toStored();
    if (this.socket !== null) this.#host.store.writeSocket(this.socket, stored, unsaved === "state");
    return stored;
  }

  #saveRow(): StoredSession {
    const { state } = this.session;
    const isHeavy = state.queuedBytes > LARGEST_WRITTEN_QUEUE;
    if (isHeavy) this.#hold();
    else this.#stopHolding?.();
    const stored = this.#toStored(isHeavy);
    this.#host.store.writePolling(stored);
    this.#hasRow = true;
    this.#writtenFrames = state.queue.length;
    return stored;
  }

  /** What no row can hold keeps the object awake until a poll has taken it. */
  #hold(): void {
    if (this.#stopHolding !== undefined) return;
    const held = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, HOLD_MS);
      this.#stopHolding = () => {
        clearTimeout(timer);
        this.#stopHolding = undefined;
        resolve();
      };
    });
    this.keepAwake(held);
  }

  #toStored(isHeavy = false): StoredSession {
    const { session } = this;
    const state = toStored(session.state);
    const stored: StoredSession = {
      v: 1,
      k: "s",
      sid: session.id,
      fixed: this.#fixedJson,
      state: isHeavy ? { ...state, queue: undefined } : state,
      record: session.consumer === null ? session.stored : session.consumer.record(),
    };
    // Should the instance die now, the session ends with it: its client must not wait or miss packets in silence.
    // A WebSocket dies with the instance anyway.
    const isBusy = isHeavy || (state.transport === "polling" && session.consumer?.isBusy() === true);
    return isBusy ? { ...stored, busy: true } : stored;
  }

  #takeOver(): void {
    clearTimeout(this.#upgradeTimer);
    this.socket = this.candidate;
    this.candidate = null;
    // How binary travels is a matter of the transport, not of the session.
    if (this.fixed.b64 !== this.#candidateB64) {
      this.fixed = { ...this.fixed, b64: this.#candidateB64 };
      this.#fixedJson = JSON.stringify(this.fixed);
    }
    this.#unsaved = "record";
    this.#deleteRow();
  }

  #forget(): void {
    this.#deleteRow();
    if (this.socket !== null) this.#host.store.forgetSocket(this.socket, this.session.id);
  }

  #deleteRow(): void {
    this.#stopHolding?.();
    if (this.#hasRow) this.#host.store.deletePolling(this.session.id);
    this.#hasRow = false;
    this.#writtenFrames = 0;
  }

  #send(socket: WebSocket | null, frame: Frame): void {
    if (socket === null) return;
    try {
      if (typeof frame === "string") socket.send(frame);
      else socket.send(toBinaryFrame(frame, this.fixed));
    } catch (error) {
      // The peer is gone and its close event on the way, or it never comes: then this ends the session.
      const gone = Promise.resolve().then(() =>
        this.session.dispatch({ type: "transport-gone", reason: "transport error", description: error }),
      );
      this.keepAwake(gone);
    }
  }
}
