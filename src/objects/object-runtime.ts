import type { EnginePacket } from "../codec/index.ts";
import type { Engine } from "../engine/engine.ts";
import { longestQuietMs } from "../engine/heartbeat.ts";
import type { ObjectServer } from "../engine/object-server.ts";
import { toRules } from "../engine/options.ts";
import type { Session } from "../engine/session.ts";
import type { SessionRules } from "../engine/state.ts";
import { ByteBudget } from "../shared/byte-budget.ts";
import type { SessionId } from "../shared/ids.ts";
import { type Timer, Timers } from "../shared/timers.ts";
import { decodeMessage, isTooLarge } from "../transports/websocket.ts";
import { findAsyncContext } from "./async-context.ts";
import type { ObjectDefinition } from "./definition.ts";
import { Identity } from "./identity.ts";
import { InstanceGuard } from "./instance-guard.ts";
import { fromInternalRequest, VERSION } from "./internal-request.ts";
import { isMain } from "./placement/object-name.ts";
import { RecoveryLog } from "./recovery/recovery-log.ts";
import { RequestHandler } from "./request-handler.ts";
import { answerClose } from "./sessions/answer-close.ts";
import type { Carrier, CarrierHost } from "./sessions/carrier.ts";
import { toCause } from "./sessions/channel.ts";
import { Heartbeat, RETRY_MS } from "./sessions/heartbeat.ts";
import { hexToBase64Url } from "./sessions/session-id.ts";
import { SessionTable } from "./sessions/session-table.ts";
import { Ticker } from "./sessions/ticker.ts";
import { MemoryRows } from "./storage/memory-rows.ts";
import { SessionStore, StateTooLarge } from "./storage/session-store.ts";
import { UserCode } from "./user-code.ts";

/** `hibernation: false` renews a timer of this length, ms: an object with a pending timer stays in memory. */
const AWAKE_MS = 5_000;

/** Of what may lie on disk, so much is left when there was too much. */
const ROOM_SHARE = 0.98;
/** So many sessions end for it in one turn at most. */
const MOST_SHED = 20;

/**
 * One object at work. Every event comes in here, and every turn that changed something ends in `#settle`:
 *
 *   event ─► session.dispatch ─► layer above ─► user code ─► emit ─► session.sendFrames
 *                                                               └─► touch ─► (end of turn) flush polls, save
 */
export class ObjectRuntime<Api> implements CarrierHost {
  readonly ctx: DurableObjectState;
  readonly rules: SessionRules;
  readonly persists: boolean;
  readonly needsHandshakeData: boolean;
  readonly store: SessionStore;
  readonly table: SessionTable;
  readonly budget: ByteBudget;
  readonly timers = new Timers(findAsyncContext()?.bind);
  readonly ticker: Ticker;
  readonly definition: ObjectDefinition<Api>;
  readonly guard: InstanceGuard;
  readonly identity: Identity;
  /** There once the layer above is, if that recovers anybody. */
  recovery: RecoveryLog | undefined;

  readonly #userCode: UserCode<Api>;
  readonly #requests: RequestHandler<Api>;
  readonly #heartbeat: Heartbeat<Api>;
  #touched = new Set<Carrier>();
  #turn = 0;
  #isTurnEnding = false;
  #awakeTimer: Timer | undefined;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env, definition: ObjectDefinition<Api>) {
    this.ctx = ctx;
    this.definition = definition;
    this.guard = new InstanceGuard(ctx.id);
    this.identity = new Identity(ctx);
    this.rules = toRules(definition.engine);
    this.persists = definition.engine.hibernation;
    this.needsHandshakeData = definition.needsHandshakeData;
    this.store = new SessionStore(ctx);
    const { maxHeldBytes: object, maxIsolateBytes: isolate } = definition.engine;
    const onOver = (why: string) => this.log("warn", `a session is closed: ${why}`);
    this.budget = new ByteBudget(ctx.id.toString(), { object, isolate }, onOver);
    this.table = new SessionTable(this, () => this.#userCode.attempt);
    const onAlarmError = (error: unknown) => this.log("error", "the alarm could not be set", error);
    this.ticker = new Ticker(ctx.storage, longestQuietMs(this.rules), onAlarmError);
    this.#userCode = new UserCode(this, env);
    this.#requests = new RequestHandler(this);
    this.#heartbeat = new Heartbeat(this);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("3", "6"));
  }

  get engine(): Engine {
    return this.#userCode.attempt.engine;
  }

  /** The server on the sessions. */
  get server(): ObjectServer<Api> {
    return this.#userCode.attempt.server;
  }

  /** Runs the user's setup function once an instance; undefined when it has run. @throws SetupFailed, or rejects with it */
  ready(): void | Promise<void> {
    this.healAlarm();
    return this.#userCode.ready();
  }

  /** `io` or the engine for methods of the object's class. @throws Error unless the setup function has completed */
  liveApi(): Api {
    let why = "it is at work";
    try {
      if (this.ready() === undefined) return this.server.api;
    } catch (error) {
      why = (error as Error).message;
    }
    throw new Error(
      `the setup function has to complete first: write "await this.ready()" before you use this.io or this.engine (${why})`,
    );
  }

  async fetch(request: Request): Promise<Response> {
    const meta = fromInternalRequest(request);
    if (meta === undefined) return new Response("Not found", { status: 404 });
    // A Worker of an earlier deploy, which did not ask: its clients come again, and by then meet a new one.
    const isUnasked = this.needsHandshakeData && meta.sid === "" && meta.data === undefined;
    if (meta.v !== VERSION || isUnasked) return new Response(null, { status: 503 });
    if (meta.sid === "") this.identity.tell(meta);
    try {
      return await this.#requests.handle(meta, request);
    } finally {
      this.#settle();
    }
  }

  onMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    const now = this.now();
    this.ticker.heal(now, this.#nextTick);
    const carrier = this.table.of(socket);
    if (carrier === undefined) {
      // A candidate or session of which nothing is known any more: its client starts again.
      socket.close();
      return;
    }
    if (isTooLarge(data, this.definition.engine.maxHttpBufferSize)) {
      socket.close(1009);
      this.#socketGone(carrier, socket, "transport error", "Max payload size exceeded");
      return;
    }
    let packet: EnginePacket;
    try {
      packet = decodeMessage(data, carrier.handshake);
    } catch (error) {
      if (socket === carrier.socket) {
        carrier.session.dispatch({ type: "transport-gone", reason: "parse error", description: error });
      } else this.#dropCandidate(carrier, socket);
      return;
    }
    if (socket === carrier.socket) carrier.session.receive(packet, now);
    else if (socket === carrier.candidate) {
      // All that waits goes out on it, before anything else.
      if (packet.type === "upgrade") carrier.loadQueue(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
      carrier.session.receiveOnCandidate(packet);
      // Polls are pinged without a tick: the one that is set may be too late for a WebSocket.
      if (socket === carrier.socket) this.#ensureTick(carrier);
    } else this.#dropCandidate(carrier, socket);
  }

  onClose(socket: WebSocket, code: number, reason: string): void {
    this.healAlarm();
    const carrier = this.table.of(socket);
    answerClose(socket, code, reason);
    if (carrier === undefined) return;
    if (socket === carrier.poll) this.#pollGone(carrier, toCause(code));
    else this.#socketGone(carrier, socket, "transport close", undefined);
  }

  onError(socket: WebSocket, error: unknown): void {
    this.healAlarm();
    const carrier = this.table.of(socket);
    if (carrier === undefined) return;
    if (socket === carrier.poll) this.#pollGone(carrier, "lost");
    else this.#socketGone(carrier, socket, "transport error", error);
  }

  /** The heartbeat. Returns whether the user's own schedule is due as well. */
  onAlarm(lateness: number): boolean {
    const now = this.now();
    let isDue = false;
    try {
      this.ticker.ran();
      const { scheduledAt } = this.ticker;
      isDue = scheduledAt !== undefined && scheduledAt <= now;
      if (isDue) this.ticker.schedule(undefined);
      this.#heartbeat.tick(now, lateness);
    } catch (error) {
      this.log("error", "a tick of the heartbeat failed", error);
    } finally {
      this.#settle();
      this.#rearm(now);
    }
    return isDue;
  }

  /** A method of the user's class has settled. */
  onSettled(): void {
    this.healAlarm();
    if (this.#userCode.attempt.phase === "done") this.server.onSettled?.();
  }

  /** A session exists: it is written down, whatever its listeners did, and there has to be a tick for it. */
  opened(carrier: Carrier): void {
    this.touch(carrier);
    if (this.persists) this.identity.keep();
    this.#ensureTick(carrier);
    this.#stayAwake();
  }

  /** A session id names its object, unless that is the one named "main". */
  toSessionId(id: string): SessionId {
    const { address } = this.identity;
    const isPlain = address !== undefined && isMain(address);
    return (isPlain ? id : `${id}.${hexToBase64Url(this.ctx.id.toString())}`) as SessionId;
  }

  /** An alarm may be lost in production, or given up after it has thrown; whatever happens next notices. */
  healAlarm(): void {
    this.ticker.heal(this.now(), this.#nextTick);
  }

  // What carriers and the layers above ask of the object

  now(): number {
    return Date.now();
  }

  turn(): number {
    if (!this.#isTurnEnding) this.#endTurn();
    return this.#turn;
  }

  touch(carrier: Carrier): void {
    this.#touched.add(carrier);
    if (!this.#isTurnEnding) this.#endTurn();
  }

  resume(session: Session): void | Promise<void> {
    return this.#userCode.resume(session)?.catch(() => this.abandon(session));
  }

  abandon(session: Session): void {
    session.abandon();
    // Who had a socket on it may come back to it, and if not, `disconnect` runs once it can.
    this.recovery?.lookAgain();
  }

  ended(carrier: Carrier): void {
    this.table.forget(carrier.session.id);
    this.#touched.delete(carrier);
  }

  keepAwake(promise: Promise<unknown>): void {
    this.ctx.waitUntil(promise.catch((error: unknown) => this.log("error", "a task failed", error)));
  }

  log(level: "warn" | "error", message: string, error?: unknown): void {
    const text = `socket.io-edge: ${message}`;
    if (error === undefined) console[level](text);
    else console[level](text, error);
  }

  /** Storage for connection state recovery. What is written there goes out at the end of a turn. */
  openRecovery(windowMs: number, maxBytes: number): RecoveryLog {
    const host = {
      now: () => this.now(),
      hasSession: (sid: SessionId) => this.table.has(sid),
      isAnybodyKnown: () => !this.persists || this.identity.isKept,
      log: this.log,
      tickSoon: () => this.ticker.ensureBy(this.now()),
      endTurn: () => {
        if (!this.#isTurnEnding) this.#endTurn();
      },
    };
    const limits = { windowMs, maxBytes, quietMs: 2 * longestQuietMs(this.rules) };
    this.recovery ??= new RecoveryLog(this.persists ? this.ctx.storage.kv : new MemoryRows(), host, limits);
    return this.recovery;
  }

  #pollGone(carrier: Carrier, cause: ReturnType<typeof toCause>): void {
    carrier.poll = null;
    carrier.session.dispatch({ type: "poll-gone", cause, now: this.now() });
  }

  #socketGone(
    carrier: Carrier,
    socket: WebSocket,
    reason: "transport close" | "transport error",
    why: unknown,
  ) {
    if (socket === carrier.candidate) carrier.candidateGone();
    else if (socket === carrier.socket) {
      carrier.session.dispatch({ type: "transport-gone", reason, description: why });
    }
  }

  #dropCandidate(carrier: Carrier, socket: WebSocket): void {
    if (socket === carrier.candidate) {
      carrier.dropCandidate();
      carrier.candidateGone();
    } else socket.close();
  }

  /** One microtask a turn, whatever happens in it: flushes what polls can take, then writes what has changed. */
  #endTurn(): void {
    this.guard.check("io, a socket or a session");
    this.#isTurnEnding = true;
    Promise.resolve().then(() => this.#settle());
  }

  #settle(): void {
    this.#isTurnEnding = false;
    this.#turn++;
    this.recovery?.settle();
    this.table.settle();
    if (this.#touched.size === 0) return;
    const touched = this.#touched;
    this.#touched = new Set();
    const now = this.now();
    for (const carrier of touched) {
      if (carrier.session.state.poll !== null) carrier.session.dispatch({ type: "flush", now });
      this.#save(carrier);
      if (carrier.session.readyState === "closing") this.#ensureTick(carrier);
    }
    if (this.store.rows.isOver(this.definition.engine.maxStoredBytes)) this.#shed();
  }

  /** Ends those that take most on disk, until there is some room again: not each row that follows shall bring this about. */
  #shed(): void {
    const { rows } = this.store;
    const goal = ROOM_SHARE * this.definition.engine.maxStoredBytes;
    const description =
      "the object stores more than maxStoredBytes for its clients, and most of it for this one";
    this.log("warn", `sessions are closed: ${description}`);
    for (const { owner } of rows.largest(MOST_SHED)) {
      if (rows.total() <= goal) return;
      const session = this.table.get(owner)?.session;
      if (session === undefined) rows.drop(owner);
      else session.dispatch({ type: "transport-gone", reason: "transport error", description });
    }
  }

  #save(carrier: Carrier): void {
    try {
      carrier.save();
    } catch (error) {
      const isTooLarge = error instanceof StateTooLarge;
      const text = isTooLarge ? "holds more than a row can (2 MB)" : "could not be saved";
      this.log("error", `a session ${text} and is closed`, isTooLarge ? undefined : error);
      carrier.session.dispatch({ type: "transport-gone", reason: "transport error", description: text });
    }
  }

  #ensureTick({ session }: Carrier): void {
    this.ticker.ensureBy(this.#heartbeat.nextFor(session, this.now()));
  }

  readonly #nextTick = (): number => this.#heartbeat.next(this.now());

  #rearm(now: number): void {
    const next = this.#tryNext(now);
    if (next !== Number.POSITIVE_INFINITY) this.ticker.ensureBy(Math.max(next, now + 1));
  }

  /** An alarm that throws is tried again by the platform a few times, and then given up. */
  #tryNext(now: number): number {
    try {
      return this.#heartbeat.next(now);
    } catch (error) {
      this.log("error", "the next tick could not be found", error);
      return now + RETRY_MS;
    }
  }

  #stayAwake(): void {
    if (this.persists || this.#awakeTimer !== undefined) return;
    const renew = () => {
      this.#awakeTimer = this.table.isEmpty() ? undefined : this.timers.set(renew, AWAKE_MS);
    };
    renew();
  }
}
