import type { Frame } from "../../codec/index.ts";
import type { SessionDirectory } from "../../engine/engine.ts";
import type { HandshakeRecord } from "../../engine/handshake.ts";
import { pingedBefore } from "../../engine/heartbeat.ts";
import type { ObjectServer } from "../../engine/object-server.ts";
import { Session } from "../../engine/session.ts";
import type { SessionHost } from "../../engine/session-ports.ts";
import {
  createState,
  fromStored,
  type StoredState,
  type TransportName,
  type WaitingPoll,
} from "../../engine/state.ts";
import { OVERDRAWN } from "../../shared/byte-budget.ts";
import { bytesOfText } from "../../shared/estimate-bytes.ts";
import type { SessionId } from "../../shared/ids.ts";
import type { SocketRole, StoredSession } from "../storage/session-store.ts";
import { Carrier, type CarrierHost } from "./carrier.ts";
import type { Sleeper } from "./sleeper.ts";
import { SleeperMail } from "./sleeper-mail.ts";
import { pollTag, socketTag } from "./socket-tags.ts";

/** What a session takes in memory at least: measured with one namespace, no rooms and no data. */
const SESSION_BYTES = 4_000;

/** What a handshake takes in memory, and each of its headers, besides their texts. */
const HANDSHAKE_BYTES = 300;
const HEADER_BYTES = 60;

/** What a session takes in memory from its start. */
export function baseBytes({ request, data = "" }: HandshakeRecord): number {
  let bytes = HANDSHAKE_BYTES + bytesOfText(request.url) + bytesOfText(data);
  for (const [name, value] of request.headers) bytes += HEADER_BYTES + name.length + bytesOfText(value);
  // Its request is kept as it is used and as it is written down.
  return Math.max(SESSION_BYTES, SESSION_BYTES / 2 + 2 * bytes);
}

/** The attempt at the user's setup function that sessions belong to. */
interface Current {
  readonly host: SessionHost<Session>;
  readonly server: ObjectServer<unknown>;
}

/** Where a session was found, and what is written down of it. */
interface Found {
  readonly session: StoredSession;
  readonly socket: WebSocket | undefined;
}

/** Shown what the layer above keeps of a session. False: it holds nothing of it, and the session is over. */
export type RecordVisitor = (sid: SessionId, record: unknown) => boolean;

/**
 * The sessions of one object: those in memory, and those that sleep in attachments and rows.
 *
 *   asleep ── an event or an emit concerns it: load ──► in memory ── ended ──► forgotten
 */
export class SessionTable implements SessionDirectory {
  readonly #host: CarrierHost;
  readonly #current: () => Current;
  readonly #mail: SleeperMail;
  readonly #live = new Map<string, Carrier>();
  readonly #bySocket = new WeakMap<WebSocket, Carrier>();
  /** Everybody else; undefined until something needs to know all of them. */
  #asleep: Map<string, Sleeper> | undefined;
  /** The object holds no more than this, sessions and waiting polls together. */
  #atMost = Number.POSITIVE_INFINITY;

  constructor(host: CarrierHost, current: () => Current) {
    this.#host = host;
    this.#current = current;
    this.#mail = new SleeperMail(host);
  }

  create(
    sid: SessionId,
    handshake: HandshakeRecord,
    transport: TransportName,
    socket: WebSocket | null,
  ): Carrier {
    const carrier = new Carrier(this.#host, handshake);
    const state = createState(handshake.protocol, transport, handshake.openedAt);
    carrier.session = new Session(sid, handshake, state, this.#current().host, carrier);
    if (socket !== null) this.attach(carrier, socket);
    this.#live.set(sid, carrier);
    this.#atMost++;
    carrier.session.account.add(baseBytes(handshake));
    return carrier;
  }

  /** A session that is over and in no list: what is said to it goes nowhere. */
  endedSession(sid: SessionId, handshakeData: unknown): Session {
    const openedAt = this.#host.now();
    const request = { method: "GET", url: "https://ended.invalid/", headers: [] };
    const data = JSON.stringify(handshakeData);
    const handshake = {
      protocol: 4,
      b64: false,
      address: "",
      secure: true,
      openedAt,
      request,
      data,
    } as const;
    const carrier = new Carrier(this.#host, handshake);
    const state = createState(handshake.protocol, "websocket", openedAt);
    state.phase = "closed";
    carrier.session = new Session(sid, handshake, state, this.#current().host, carrier);
    carrier.session.account.close();
    return carrier.session;
  }

  /** Makes `socket` the transport of a session, or remembers it as such. */
  attach(carrier: Carrier, socket: WebSocket): void {
    carrier.socket = socket;
    this.#bySocket.set(socket, carrier);
  }

  /** Remembers whom a candidate or a channel concerns. */
  link(carrier: Carrier, socket: WebSocket): void {
    this.#bySocket.set(socket, carrier);
    this.#atMost++;
  }

  /** The session of an id, loaded if need be. */
  get(sid: string): Carrier | undefined {
    const live = this.#live.get(sid);
    if (live !== undefined) return live;
    if (this.#asleep === undefined) {
      const found = this.#find(sid);
      return found && this.#load(found);
    }
    const sleeper = this.#asleep.get(sid);
    return sleeper && this.#wake(sleeper);
  }

  /** The session that a socket concerns, loaded if need be. */
  of(socket: WebSocket): Carrier | undefined {
    const known = this.#bySocket.get(socket);
    if (known !== undefined) return known;
    const role = this.#host.store.roleOf(socket);
    if (role === null) return undefined;
    const carrier = this.#live.get(role.sid) ?? this.#loadOf(socket, role);
    // Whoever looks for a waiting poll skips a channel that is closing; but this is about its end.
    if (role.k === "p" && carrier?.poll === null) this.#takePoll(carrier, socket, role);
    return carrier;
  }

  #loadOf(socket: WebSocket, role: NonNullable<SocketRole>): Carrier | undefined {
    const session = this.#host.store.sessionOf(role);
    return session === undefined ? this.get(role.sid) : this.#load({ session, socket });
  }

  has(sid: string): boolean {
    return this.#live.has(sid) || (this.#asleep?.has(sid) ?? this.#find(sid) !== undefined);
  }

  forget(sid: string): void {
    this.#live.delete(sid);
    this.#asleep?.delete(sid);
  }

  count(): number {
    return this.#live.size + this.#sleepers().size;
  }

  *all(): Iterable<Session> {
    for (const sleeper of this.asleep()) this.#wake(sleeper);
    for (const carrier of [...this.#live.values()]) yield carrier.session;
  }

  live(): Iterable<Carrier> {
    return [...this.#live.values()];
  }

  /**
   * What was made for a setup function that failed may still hold the sessions in memory: those reach nobody from here
   * on, and others take their place. A session that waits for that setup is about to end, and stays as it is.
   */
  renew(): void {
    for (const carrier of this.live()) {
      const { session, handshake } = carrier;
      if (session.isHolding) continue;
      const { id, state, account } = session;
      const { bytes } = account;
      account.close();
      const kept = { record: session.stored };
      carrier.session = new Session(id, handshake, { ...state }, this.#current().host, carrier, kept);
      carrier.session.account.add(bytes);
      state.phase = "closed";
      this.#enter(carrier.session);
    }
  }

  /** The layer above could be made at last: it takes those in memory. */
  reload(): void {
    for (const { session } of this.live()) this.#enter(session);
  }

  /** One that the layer above cannot take ends, and costs nobody else anything. */
  #enter(session: Session): void {
    try {
      this.#current().server.load(session);
    } catch (error) {
      this.#host.log("error", "a session could not be loaded and is closed", error);
      session.abandon();
    }
  }

  /**
   * Sends frames to a session that sleeps, without bringing it into memory; they go out by the end of this turn. False:
   * it does not sleep, or has to be in memory for it.
   */
  sendAsleep(sid: string, frames: readonly Frame[], isVolatile: boolean): boolean {
    const sleeper = this.#asleep?.get(sid);
    return sleeper !== undefined && this.#mail.send(sleeper, frames, isVolatile, () => this.read(sleeper));
  }

  /** A turn is over: what was sent to sleepers goes out. */
  settle(): void {
    this.#mail.settle();
  }

  /** Those that are not in memory, without bringing them there. One that is loaded before its turn is left out. */
  *asleep(): Iterable<Sleeper> {
    const sleepers = this.#sleepers();
    for (const sleeper of [...sleepers.values()]) if (sleepers.has(sleeper.sid)) yield sleeper;
  }

  /** What is written down of a sleeper; undefined when that has been removed, and the sleeper with it. */
  read({ sid, socket }: Sleeper): StoredSession | undefined {
    const { store } = this.#host;
    const session = socket === undefined ? store.readPolling(sid) : store.sessionOf(store.roleOf(socket));
    if (session === undefined) this.#asleep?.delete(sid);
    return session;
  }

  /** Shows each sleeper without bringing any into memory. `visit` must not either. */
  visitRecords(visit: RecordVisitor): void {
    if (this.#asleep === undefined) {
      this.#asleep = this.#findAll(visit);
      return;
    }
    for (const sleeper of this.asleep()) sleeper.isOver = !visit(sleeper.sid, this.read(sleeper)?.record);
  }

  isEmpty(): boolean {
    return this.#live.size === 0 && this.#sleepers().size === 0;
  }

  /** Whether the object holds about `most`, waiting polls included. To list sockets takes long, so that is not done each time. */
  isFull(most: number): boolean {
    if (this.#atMost < most) return false;
    const { ctx, persists, store } = this.#host;
    const sockets = ctx.getWebSockets().length;
    // Who polls may have a waiting poll among the sockets or none. To tell takes longer, and is needed only near the bound.
    this.#atMost = sockets + this.#live.size + (persists ? store.countPolling() : 0);
    if (this.#atMost >= most) this.#atMost = Math.max(sockets, this.count());
    return this.#atMost >= most;
  }

  #sleepers(): Map<string, Sleeper> {
    this.#asleep ??= this.#findAll();
    return this.#asleep;
  }

  /** In the order in which they came. */
  #findAll(visit?: RecordVisitor): Map<string, Sleeper> {
    const { ctx, persists, store } = this.#host;
    const found = new Map<string, Sleeper>();
    if (!persists) return found;
    const add = (id: string, state: StoredState, hasJoined: boolean, socket: WebSocket | undefined) => {
      const sid = id as SessionId;
      const sleeper: Sleeper = { sid, socket, state, isIdle: !hasJoined && state.phase !== "closing" };
      if (state.queue !== undefined) {
        // Only here: a copy of each state takes time.
        sleeper.state = { ...state, queue: undefined };
        sleeper.isOld = true;
      }
      found.set(sid, sleeper);
      return sleeper;
    };
    const show = (session: StoredSession, socket: WebSocket | undefined) => {
      const { sid, state, record } = session;
      if (this.#live.has(sid)) return;
      const sleeper = add(sid, state, record !== undefined, socket);
      try {
        if (visit?.(sleeper.sid, record) === false) sleeper.isOver = true;
      } catch (error) {
        found.delete(sid);
        this.#discard({ session, socket }, error);
      }
    };
    // The runtime lists the newest first. Which of them are open is not asked, since that takes half as long as reading
    // them: one that has closed is a session until its close event, as it would be in memory.
    for (const socket of ctx.getWebSockets().reverse()) {
      const role = store.roleOf(socket);
      if (role?.k === "s") show(role, socket);
      else if (role?.k !== "o" || this.#live.has(role.sid)) continue;
      // A row is read only for what is in it.
      else if (visit === undefined) add(role.sid, role.state, role.idle !== true, socket);
      else {
        const session = store.sessionOf(role);
        if (session !== undefined) show(session, socket);
      }
    }
    for (const session of store.polling()) show(session, undefined);
    return found;
  }

  /** Looks for one session without knowing the others. */
  #find(sid: string): Found | undefined {
    const { ctx, persists, store } = this.#host;
    if (!persists) return undefined;
    for (const socket of ctx.getWebSockets(socketTag(sid))) {
      const session = store.sessionOf(store.roleOf(socket));
      if (session !== undefined) return { session, socket };
    }
    const session = store.readPolling(sid);
    return session && { session, socket: undefined };
  }

  #wake(sleeper: Sleeper): Carrier | undefined {
    const session = this.read(sleeper);
    return session && this.#load({ session, socket: sleeper.socket });
  }

  #load(found: Found): Carrier | undefined {
    const { server } = this.#current();
    try {
      return this.#bring(found, server);
    } catch (error) {
      this.#discard(found, error);
      return undefined;
    }
  }

  /** What is written down of a session cannot be used, and later instances could not either: its client starts again. */
  #discard({ session: { sid }, socket }: Found, error: unknown): void {
    this.#host.log("error", "a session could not be loaded and is removed", error);
    this.forget(sid);
    this.#host.store.deletePolling(sid);
    this.#host.store.rows.drop(sid);
    if (socket === undefined) return;
    this.#host.store.forgetSocket(socket, sid);
    socket.close();
  }

  #bring({ session: stored, socket }: Found, server: ObjectServer<unknown>): Carrier {
    const sid = stored.sid as SessionId;
    const handshake = JSON.parse(stored.fixed) as HandshakeRecord;
    const carrier = new Carrier(this.#host, handshake, stored);
    const isPolling = stored.state.transport === "polling";
    const state = fromStored(stored.state, isPolling ? this.#host.store.rows.bytes(sid, "queue") : 0);
    const kept = { record: stored.record };
    carrier.session = new Session(sid, handshake, state, this.#current().host, carrier, kept);
    if (socket !== undefined) this.attach(carrier, socket);
    else this.#loadPoll(carrier);
    const sleeper = this.#asleep?.get(sid);
    if (sleeper !== undefined) this.#mail.handOver(sleeper, state);
    if (state.queue.length > 0) this.#host.touch(carrier);
    this.#asleep?.delete(sid);
    this.#live.set(sid, carrier);
    this.#atMost++;
    server.load(carrier.session);
    carrier.session.account.add(baseBytes(handshake));
    carrier.countRecord(stored.record);
    if (sleeper?.isOver) carrier.session.account.end(OVERDRAWN);
    const isUnknown = this.#host.needsHandshakeData && handshake.data === undefined;
    if (stored.busy || isUnknown) {
      // What was under way died with the instance that had it, or nobody was asked about its client, since it came
      // before `handshakeData` was there: it has to start again.
      carrier.session.dispatch({
        type: "transport-gone",
        reason: "transport error",
        description: "the object was restarted while something was under way that cannot be stored",
      });
    }
    return carrier;
  }

  /** A GET that waits is known by its channel alone. */
  #loadPoll(carrier: Carrier): void {
    const { ctx, store } = this.#host;
    for (const socket of ctx.getWebSockets(pollTag(carrier.session.id))) {
      const role: SocketRole = store.roleOf(socket);
      if (role?.k === "p" && socket.readyState === WebSocket.OPEN) this.#takePoll(carrier, socket, role);
    }
  }

  #takePoll(carrier: Carrier, socket: WebSocket, { pingDueAt, limit, pongedAt }: WaitingPoll): void {
    const { state } = carrier.session;
    carrier.poll = socket;
    state.poll = { pingDueAt, limit };
    state.pongedAt = Math.max(state.pongedAt, pongedAt ?? 0);
    state.pingedAt = pingedBefore(pingDueAt, this.#host.rules);
    this.link(carrier, socket);
  }
}
