import { decodeFrame, type EnginePacket, encodeFrame, type Frame } from "../codec/index.ts";
import { type Account, OVERDRAWN } from "../shared/byte-budget.ts";
import { estimateMemory } from "../shared/estimate-bytes.ts";
import { EventEmitter } from "../shared/event-emitter.ts";
import type { SessionId } from "../shared/ids.ts";
import { SETTLED } from "../shared/settled.ts";
import type { Untyped } from "../shared/untyped.ts";
import { ActionLine } from "./action-line.ts";
import { HELD_BYTES, POLICY_VIOLATION, TRY_AGAIN_LATER } from "./constants.ts";
import type { PollAnswer, SessionEnd, SessionEvent } from "./effects.ts";
import type { CloseReason, EndCode } from "./end-codes.ts";
import { pingEach } from "./flow.ts";
import type { HandshakeRecord } from "./handshake.ts";
import { toEndFact } from "./observed.ts";
import { type EngineRequest, toRequest } from "./request.ts";
import { type Sendable, toData } from "./sendable.ts";
import type {
  HalfPacket,
  SessionConsumer,
  SessionHost,
  SessionLink,
  SessionServer,
} from "./session-ports.ts";
import type { SendFlags, SessionEvents } from "./session-types.ts";
import { byteLength, type SessionState } from "./state.ts";
import { tellCreated, tellFlush } from "./tell-packets.ts";
import { transition } from "./transition.ts";
import { TransportView } from "./transport-view.ts";

type SendCallback = (transport: TransportView) => void;

/**
 * One Engine.IO connection: `socket.conn`, and what listeners of the engine's `connection` receive. An error that a
 * listener throws is logged, and the other listeners run.
 * @example
 * engine.on("connection", (session) => session.on("message", (data) => session.send(data)));
 */
export class Session extends EventEmitter<SessionEvents> {
  /** The session's id. It is a secret: whoever knows it can read and send in the client's place. */
  readonly id: SessionId;
  /** The version of Engine.IO that the client speaks: 3 is that of Socket.IO v2. */
  readonly protocol: 3 | 4;
  /** The first request as it came; user code may change or remove what `request` returns. @internal */
  readonly firstRequest: EngineRequest;
  /** The client's address as Cloudflare saw it (`cf-connecting-ip`). */
  readonly remoteAddress: string;
  /** Whether the first request came over https. */
  readonly secure: boolean;
  /** When the session was opened, ms since 1970. */
  readonly openedAt: number;
  /** Whether this instance of the object has loaded the session from storage, rather than opened it. */
  readonly recovered: boolean;
  /**
   * What the option `handshakeData` returned for the client; nothing that a client sends gets here. `Untyped`, because
   * the type of the option is a type parameter of `Socket`, which this class does not know.
   */
  readonly handshakeData: Untyped;
  /** The transport that carries the session now. */
  readonly transport: TransportView;
  /** Counts what the session makes the object hold. @internal */
  readonly account: Account;
  /** Receives the messages. @internal */
  consumer: SessionConsumer | null = null;
  /** @internal */
  readonly half: HalfPacket;
  /** What `consumer.record()` returned when the session was last saved. @internal */
  stored: unknown;
  /** @internal */
  readonly state: SessionState;

  readonly #link: SessionLink;
  readonly #host: SessionHost<Session>;
  #request: EngineRequest | null | undefined;
  readonly #line: ActionLine;
  #wroteInTurn = -1;
  #heardAt = 0;
  #unread = 0;
  #callbacks: SendCallback[] = [];
  /** A listener has closed the session: messages after the one that it received are discarded, waiting ones are not. */
  #isLetGo = false;

  constructor(
    id: SessionId,
    handshake: HandshakeRecord,
    state: SessionState,
    host: SessionHost<Session>,
    link: SessionLink,
    stored?: { record: unknown },
  ) {
    super();
    this.id = id;
    this.protocol = handshake.protocol;
    this.firstRequest = toRequest(handshake.request);
    this.remoteAddress = handshake.address;
    this.secure = handshake.secure;
    this.openedAt = handshake.openedAt;
    this.handshakeData = handshake.data ? JSON.parse(handshake.data) : undefined;
    this.state = state;
    this.recovered = stored !== undefined;
    this.stored = stored?.record;
    this.#link = link;
    this.#host = host;
    this.#line = new ActionLine(
      !this.recovered,
      () => host.resume(this),
      (promise) => link.keepAwake(promise),
    );
    this.account = host.budget.open((why) => this.#overdrawn(why));
    this.half = link;
    this.transport = new TransportView(state, () => this.#isWritable(), host.engine.onListenerError);
  }

  /** The first request of the connection, also after an upgrade. */
  get request(): EngineRequest {
    if (this.#request === undefined && this.consumer !== null) {
      this.#request = this.consumer.keepRequest?.(this.firstRequest);
    }
    return this.#request === undefined ? this.firstRequest : (this.#request as EngineRequest);
  }

  /** As on Node, null frees the memory of the request. */
  set request(request: EngineRequest | null) {
    this.#request = request;
  }

  /** The Engine.IO server that the session belongs to. */
  get server(): SessionServer<Session> {
    return this.#host.engine;
  }

  /** `closing` while the client has yet to take what was sent before `close`. */
  get readyState(): "open" | "closing" | "closed" {
    return this.state.phase;
  }

  /**
   * Sends one message. As on Node, a message to a session that has ended is discarded.
   * @param options `compress` is passed on to listeners of `packetCreate`; it has no other effect
   * @param callback runs when the transport has taken the message; never, if the session ends before
   * @throws Error outside the object's instance that the session belongs to
   */
  send(data: Sendable, options?: unknown, callback?: SendCallback): this {
    this.#host.checkInstance("a session");
    if (this.#host.mute.active || this.state.phase !== "open") return this;
    const then = typeof options === "function" ? (options as SendCallback) : callback;
    if (then !== undefined) this.#callbacks.push(then);
    const compress = (options as SendFlags | undefined)?.compress;
    this.sendFrames([encodeFrame({ type: "message", data: toData(data) })], { compress });
    return this;
  }

  /** The same as {@link send}. */
  write(data: Sendable, options?: unknown, callback?: SendCallback): this {
    return this.send(data, options, callback);
  }

  /**
   * Closes the session, with the reason `forced close`, once the client has taken what is queued.
   * @param discard discards what is queued, and closes at once
   * @param why the description that listeners of `close` receive
   * @throws Error outside the object's instance that the session belongs to
   */
  close(discard = false, why?: Error): this {
    this.finish("SERVER_CLOSED", why, discard);
    return this;
  }

  /** Closes the session for a reason of the library's own. @internal */
  finish(code: EndCode, description?: Error, discard = false): void {
    this.#host.checkInstance("a session");
    this.#isLetGo = !this.#line.isHolding;
    this.dispatch({ type: "close", code, discard, now: this.#host.now(), description });
    this.#link.saveLater("queue");
  }

  /** What `consumer.record()` or `isBusy()` returns has changed: it is saved at the end of this turn. @internal */
  changed(): void {
    if (this.state.phase !== "closed") this.#link.saveLater("record");
  }

  /**
   * Sends encoded frames, all or none of them.
   * @returns false when they were discarded: the session has ended, or they are volatile and the transport cannot take
   * them at this moment
   * @internal
   */
  sendFrames(frames: readonly Frame[], flags?: SendFlags): boolean {
    const { state } = this;
    if (state.phase !== "open") return false;
    if (flags?.volatile && !this.#isWritable()) {
      this.#host.observe?.({ type: "drop", code: "VOLATILE" });
      return false;
    }
    if (this.listenerCount("packetCreate") > 0) {
      for (const frame of frames) tellCreated(this, decodeFrame(frame), flags?.compress);
    }
    const each = pingEach(this.#host.budget.unread);
    const isMuch = state.queue.length > 0 || state.unreadBytes + byteLength(frames) >= each;
    // A WebSocket that takes everything at once needs neither time, and broadcasts would ask for each receiver.
    const pongedAt = isMuch ? this.#link.pongedAt() : 0;
    const now = isMuch || state.transport === "polling" ? this.#host.now() : 0;
    this.dispatch({ type: "send", frames, now, pongedAt, pingEach: each });
    return true;
  }

  /** Sends the first frames on a WebSocket; over polling they answer the handshake. @internal */
  sendHandshake(frames: readonly Frame[]): void {
    this.#link.carryOut({ type: "write", frames });
  }

  /** Answers a GET of the client, or lets it wait for packets. `limit`: how many packets it takes. @internal */
  poll(limit: number): PollAnswer {
    return this.dispatch({ type: "poll", now: this.#host.now(), limit }) ?? { type: "refuse" };
  }

  /** Whether a WebSocket may try to take over: that of one upgrade at a time, while the session polls. @internal */
  admitCandidate(): boolean {
    return this.dispatch({ type: "candidate" })?.type !== "refuse";
  }

  /** Whether messages wait for the user's code. @internal */
  get isHolding(): boolean {
    return this.#line.isHolding;
  }

  /**
   * Ends the session because setup has failed, or what it needs is not there. As at a restart, only the client notices:
   * it takes its transport for lost, and comes back by itself. @internal
   */
  abandon(code: EndCode = "SETUP_FAILED"): void {
    this.#line.giveUp();
    this.consumer = null;
    this.removeAllListeners();
    this.account.close();
    if (this.state.phase === "closed") return;
    this.#link.carryOut({ type: "close-socket", code: TRY_AGAIN_LATER });
    this.dispatch({ type: "transport-gone", code });
  }

  /** Emits `heartbeat` for a pong that the runtime has answered and a tick has found. @internal */
  heard(pongedAt: number): void {
    if (pongedAt <= this.#heardAt) return;
    this.#heardAt = pongedAt;
    this.emit("heartbeat");
  }

  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return this._emitSafely(event, args, this.#host.engine.onListenerError);
  }

  /**
   * Lets something happen to the session and carries out what follows from it. Returns the answer to the request that
   * the event tells of, if it is to be answered. @internal
   */
  dispatch(event: SessionEvent): PollAnswer | undefined {
    if (event.type === "packet") this.#tellReceived(event.packet);
    let answer: PollAnswer | undefined;
    const effects = transition(this.state, event, this.#host.rules);
    const unread = this.state.unreadBytes - this.#unread;
    this.#unread += unread;
    this.#host.budget.unread += unread;
    for (const effect of effects) {
      switch (effect.type) {
        case "message":
          if (this.#line.isFree) this.#deliver(effect.data);
          else this.#deliverLater(effect.data);
          break;
        case "save":
        case "queued":
          this.#link.saveLater(effect.type === "save" ? "state" : "queue");
          break;
        case "reply":
          tellFlush(this, this.#host.engine, effect.frames);
          answer = effect;
          break;
        case "park":
        case "refuse":
          answer = effect;
          break;
        case "report":
          this.#report(effect.event);
          break;
        case "answer":
          tellFlush(this, this.#host.engine, effect.frames);
          this.#link.carryOut(effect);
          break;
        case "write":
          this.#wroteInTurn = this.#host.turn();
          tellFlush(this, this.#host.engine, effect.frames);
          this.#link.carryOut(effect);
          if (!effect.hasMore && this.state.queue.length === 0) this.#drained();
          break;
        case "closed":
          this.#link.carryOut(effect);
          this.#host.observe?.(toEndFact(this, effect, this.#host.now()));
          this.#endInLine(effect);
          break;
        default:
          this.#link.carryOut(effect);
      }
    }
    this.#countQueue(event, unread);
    return answer;
  }

  #tellReceived(packet: EnginePacket): void {
    if (this.listenerCount("packet") > 0 && this.state.phase === "open") this.emit("packet", packet);
  }

  /** `unread`: how many more bytes were written that the client is not known to have read. */
  #countQueue(event: SessionEvent, unread: number): void {
    // Only its own pings prove that a v3 client reads, so much may be on its way, and is counted.
    if (this.protocol === 3) this.account.add(unread);
    const { queue } = this.state;
    if (queue.length > 0 || this.account.hasQueue) {
      this.account.setQueue(queue, event.type === "send" ? event.frames : undefined);
    }
  }

  /** Passes a message on when its listeners have been registered again. */
  #deliverLater(data: string | Uint8Array): void {
    const bytes = HELD_BYTES + estimateMemory(data);
    this.account.add(bytes);
    if (this.state.phase === "closed") return;
    this.#line.run(() => {
      this.account.add(-bytes);
      this.#deliver(data);
    });
  }

  #deliver(data: string | Uint8Array): void {
    if (this.#isLetGo) return;
    const message = typeof data === "string" ? data : this.#host.toBinary(data);
    if (this.listenerCount("data") > 0) this.emit("data", message);
    if (this.listenerCount("message") > 0) this.emit("message", message);
    this.consumer?.message(message);
  }

  /** Ends after the messages that wait: each of them is passed on in a turn of its own. */
  #endInLine({ reason, description }: SessionEnd): void {
    this.#callbacks = [];
    const end = () => this.#end(reason, description);
    this.#line.run(this.#line.isHolding ? () => SETTLED.then(end) : end);
  }

  #end(reason: CloseReason, description: unknown): void | Promise<void> {
    const done = this.consumer?.closed(reason, description);
    this.emit("close", reason, description);
    this.transport.emit("close");
    if (done === undefined) this.account.close();
    return done?.finally(() => this.account.close());
  }

  /** Ends the session because it holds too much. What waits is discarded. A client on a WebSocket is told why. */
  #overdrawn(why: string): void {
    // In a session that has ended, the last action that waits is its end.
    this.#line.drop(this.state.phase === "closed" ? 1 : 0);
    this.consumer?.drop?.();
    if (this.state.phase !== "closed" && this.state.transport === "websocket") {
      this.#link.carryOut({ type: "close-socket", code: POLICY_VIOLATION, reason: why });
    }
    const code = why === OVERDRAWN ? "HELD_BYTES" : "CLIENT_LIMIT";
    this.dispatch({ type: "transport-gone", code, description: why });
  }

  #report(event: "heartbeat" | "upgrading" | "upgrade" | "drain"): void {
    if (event === "drain") this.#drained();
    else if (event === "heartbeat") {
      // A v3 client has pinged, and gets a pong.
      if (this.listenerCount("packetCreate") > 0) tellCreated(this, { type: "pong" });
      this.emit("heartbeat");
    } else this.emit(event, { name: "websocket" });
  }

  #drained(): void {
    if (this.listenerCount("drain") > 0) this.emit("drain");
    if (this.#host.engine.listenerCount("drain") > 0) this.#host.engine.emit("drain", this);
    if (this.#callbacks.length === 0) return;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    // Each in a promise of its own, so that an error in one does not keep the next from running.
    for (const callback of callbacks) this.#link.keepAwake(SETTLED.then(() => callback(this.transport)));
  }

  #isWritable(): boolean {
    const { state } = this;
    if (state.phase !== "open") return false;
    if (state.transport === "polling") return state.poll !== null && state.queue.length === 0;
    return state.queue.length === 0 && this.#wroteInTurn !== this.#host.turn();
  }
}
