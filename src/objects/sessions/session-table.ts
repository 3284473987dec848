import type { Frame } from "../../codec/index.ts";
import type { SessionDirectory } from "../../engine/engine.ts";
import type { HandshakeRecord } from "../../engine/handshake.ts";
import { pingedBefore } from "../../engine/heartbeat.ts";
import type { ObjectServer } from "../../engine/object-server.ts";
import { Session } from "../../engine/session.ts";
import type { SessionHost } from "../../engine/session-ports.ts";
import { createState, fromStored, type TransportName, type WaitingPoll } from "../../engine/state.ts";
import { OVERDRAWN } from "../../shared/byte-budget.ts";
import type { SessionId } from "../../shared/ids.ts";
import type { Timer } from "../../shared/timers.ts";
import { AWAKE_MS } from "../constants.ts";
import type { Platform } from "../platform.ts";
import type { SocketRole, StoredSession } from "../storage/session-store.ts";
import type { Turns } from "../turns.ts";
import { ActiveSession } from "./active-session.ts";
import { baseBytes } from "./base-bytes.ts";
import { type Found, findAllStored, findStored, type RecordVisitor } from "./find-stored.ts";
import type { HibernatingSession } from "./hibernating-session.ts";
import { Outbox } from "./outbox.ts";
import { pollTag } from "./socket-tags.ts";

/** The attempt at the user's setup function that sessions belong to. */
interface Current extends SessionHost<Session> {
  readonly server: ObjectServer<unknown>;
}

/**
 * The sessions of one object: those in memory, and those that hibernate in attachments and rows.
 *
 *   hibernating ── an event or an emit concerns it: load ──► in memory ── ended ──► forgotten
 */
export class SessionTable implements SessionDirectory {
  readonly #platform: Platform;
  readonly #turns: Turns;
  readonly #current: () => Current;
  readonly #outbox: Outbox;
  readonly #live = new Map<string, ActiveSession>();
  readonly #bySocket = new WeakMap<WebSocket, ActiveSession>();
  /** The sessions that are not in memory; undefined until something needs all of them. */
  #hibernating: Map<string, HibernatingSession> | undefined;
  /** An upper bound of the number of sessions and waiting polls together. */
  #atMost = Infinity;
  #awakeTimer: Timer | undefined;

  constructor(platform: Platform, turns: Turns, current: () => Current) {
    this.#platform = platform;
    this.#turns = turns;
    this.#current = current;
    this.#outbox = new Outbox(platform, turns);
  }

  /** `bytes`: what the session takes in memory from its start. */
  create(
    sid: SessionId,
    handshake: HandshakeRecord,
    transport: TransportName,
    socket: WebSocket | null,
    bytes: number,
  ): ActiveSession {
    const active = this.#createActive(handshake);
    const state = createState(handshake.protocol, transport, handshake.openedAt);
    active.session = new Session(sid, handshake, state, this.#current(), active);
    if (socket !== null) this.attach(active, socket);
    this.#live.set(sid, active);
    this.#atMost++;
    active.session.account.add(bytes);
    if (!this.#platform.persists) this.#stayAwake();
    return active;
  }

  /** Without hibernation, keeps the object in memory while there are sessions: an object with a timer stays there. */
  #stayAwake(): void {
    if (this.#awakeTimer !== undefined) return;
    const renew = () => {
      this.#awakeTimer = this.isEmpty() ? undefined : this.#platform.timers.set(renew, AWAKE_MS);
    };
    renew();
  }

  #createActive(handshake: HandshakeRecord, stored?: StoredSession): ActiveSession {
    return new ActiveSession(this.#platform, this.#turns, this.#forget, handshake, stored);
  }

  /** A session that has ended and is in no list: what is sent to it is discarded. */
  endedSession(sid: SessionId, handshakeData: unknown): Session {
    const openedAt = this.#platform.now();
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
    const active = this.#createActive(handshake);
    const state = createState(handshake.protocol, "websocket", openedAt);
    state.phase = "closed";
    active.session = new Session(sid, handshake, state, this.#current(), active);
    active.session.account.close();
    return active.session;
  }

  /** Makes `socket` the transport of a session, or remembers it as such. */
  attach(active: ActiveSession, socket: WebSocket): void {
    active.socket = socket;
    this.#bySocket.set(socket, active);
  }

  /** Remembers which session a candidate or a channel belongs to. */
  link(active: ActiveSession, socket: WebSocket): void {
    this.#bySocket.set(socket, active);
    this.#atMost++;
  }

  /** The session of an id, loaded if necessary. */
  get(sid: string): ActiveSession | undefined {
    const live = this.#live.get(sid);
    if (live !== undefined) return live;
    if (this.#hibernating === undefined) {
      const found = findStored(this.#platform, sid);
      return found && this.#load(found);
    }
    const hibernating = this.#hibernating.get(sid);
    return hibernating && this.#loadHibernating(hibernating);
  }

  /** The session that a socket belongs to, loaded if necessary. */
  of(socket: WebSocket): ActiveSession | undefined {
    const known = this.#bySocket.get(socket);
    if (known !== undefined) return known;
    const role = this.#platform.store.roleOf(socket);
    if (role === null) return undefined;
    const active = this.#live.get(role.sid) ?? this.#loadOf(socket, role);
    // A channel that is closing was not taken for a waiting poll when the session was loaded; but this is its end.
    if (role.k === "p" && active?.poll === null) this.#takePoll(active, socket, role);
    return active;
  }

  #loadOf(socket: WebSocket, role: NonNullable<SocketRole>): ActiveSession | undefined {
    const session = this.#platform.store.sessionOf(role);
    return session === undefined ? this.get(role.sid) : this.#load({ session, socket });
  }

  has(sid: string): boolean {
    return (
      this.#live.has(sid) || (this.#hibernating?.has(sid) ?? findStored(this.#platform, sid) !== undefined)
    );
  }

  readonly #forget = (sid: string): void => {
    this.#live.delete(sid);
    this.#hibernating?.delete(sid);
  };

  count(): number {
    return this.#live.size + this.#allHibernating().size;
  }

  *all(): Iterable<Session> {
    for (const session of this.hibernating()) this.#loadHibernating(session);
    for (const active of [...this.#live.values()]) yield active.session;
  }

  live(): Iterable<ActiveSession> {
    return [...this.#live.values()];
  }

  /**
   * Replaces the sessions in memory after the setup function has failed: what was created for it may still hold them,
   * and must not reach a client any more. A session that waits for that setup is about to end, and stays as it is.
   */
  renew(): void {
    for (const active of this.live()) {
      const { session, handshake } = active;
      if (session.isHolding) continue;
      const { id, state, account } = session;
      const { bytes } = account;
      account.close();
      const kept = { record: session.consumer?.record() ?? session.stored };
      active.session = new Session(id, handshake, { ...state }, this.#current(), active, kept);
      active.session.account.add(bytes);
      state.phase = "closed";
      this.#enter(active.session);
    }
  }

  /** The server could be created at last: gives it the sessions in memory. */
  reload(): void {
    for (const { session } of this.live()) this.#enter(session);
  }

  /** Gives the server a session in memory. When it throws, that session ends, and the others go on. */
  #enter(session: Session): void {
    try {
      this.#current().server.load(session);
    } catch (error) {
      this.#platform.log("error", "a session could not be loaded and is closed", error);
      session.abandon("LOAD_FAILED");
    }
  }

  /**
   * Sends frames to a hibernating session without loading it, at the latest at the end of this turn.
   * @returns false when it does not hibernate, or has to be loaded for that
   */
  sendAsleep(sid: string, frames: readonly Frame[], isVolatile: boolean): boolean {
    const session = this.#hibernating?.get(sid);
    if (session === undefined) return false;
    const { engine } = this.#current();
    // Listeners of the engine are given the session.
    if (engine.listenerCount("flush") + engine.listenerCount("drain") > 0) return false;
    return this.#outbox.send(session, frames, isVolatile, () => this.read(session));
  }

  /** Sends what {@link sendAsleep} has kept for the end of the turn. */
  flush(): void {
    this.#outbox.flush();
  }

  /** The sessions that are not in memory. None is loaded; one that is loaded before its turn is left out. */
  *hibernating(): Iterable<HibernatingSession> {
    const all = this.#allHibernating();
    for (const session of [...all.values()]) if (all.has(session.sid)) yield session;
  }

  /** Reads what is stored of a hibernating session; undefined when that was removed, and the session with it. */
  read({ sid, socket }: HibernatingSession): StoredSession | undefined {
    const { store } = this.#platform;
    const session = socket === undefined ? store.readPolling(sid) : store.sessionOf(store.roleOf(socket));
    if (session === undefined) this.#hibernating?.delete(sid);
    return session;
  }

  /** Shows what is stored of each hibernating session without loading it; `visit` must load none either. */
  visitRecords(visit: RecordVisitor): void {
    if (this.#hibernating === undefined) {
      this.#hibernating = this.#findAll(visit);
      return;
    }
    for (const session of this.hibernating()) {
      session.isOver = !visit(session.sid, this.read(session)?.record);
    }
  }

  isEmpty(): boolean {
    return this.#live.size === 0 && this.#allHibernating().size === 0;
  }

  /**
   * Whether there are about `most` sessions and waiting polls. Sockets are listed only near that bound: it takes long.
   */
  isFull(most: number): boolean {
    if (this.#atMost < most) return false;
    const { ctx, persists, store, identity } = this.#platform;
    // Where nothing is stored, all sessions there are were opened by this instance.
    if (persists && identity.isEmpty()) {
      this.#atMost = this.#live.size;
      return this.#atMost >= most;
    }
    const sockets = ctx.getWebSockets().length;
    // A session that polls may have a waiting poll among the sockets or none. To tell takes longer, and is needed only
    // near the bound.
    this.#atMost = sockets + this.#live.size + (persists ? store.countPolling() : 0);
    if (this.#atMost >= most) this.#atMost = Math.max(sockets, this.count());
    return this.#atMost >= most;
  }

  #allHibernating(): Map<string, HibernatingSession> {
    this.#hibernating ??= this.#findAll();
    return this.#hibernating;
  }

  #findAll(visit?: RecordVisitor): Map<string, HibernatingSession> {
    return findAllStored(this.#platform, {
      isLive: (sid) => this.#live.has(sid),
      visit,
      discard: (found, error) => this.#discard(found, error),
    });
  }

  #loadHibernating(hibernating: HibernatingSession): ActiveSession | undefined {
    const session = this.read(hibernating);
    return session && this.#load({ session, socket: hibernating.socket });
  }

  #load(found: Found): ActiveSession | undefined {
    const { server } = this.#current();
    try {
      return this.#bring(found, server);
    } catch (error) {
      this.#discard(found, error);
      return undefined;
    }
  }

  /** Removes a session whose stored state cannot be used, now or later. Its client starts again. */
  #discard({ session: { sid }, socket }: Found, error: unknown): void {
    this.#platform.log("error", "a session could not be loaded and is removed", error);
    this.#forget(sid);
    this.#platform.store.deletePolling(sid);
    this.#platform.store.rows.drop(sid);
    if (socket === undefined) return;
    this.#platform.store.forgetSocket(socket, sid);
    socket.close();
  }

  #bring({ session: stored, socket }: Found, server: ObjectServer<unknown>): ActiveSession {
    const sid = stored.sid as SessionId;
    const handshake = JSON.parse(stored.fixed) as HandshakeRecord;
    const active = this.#createActive(handshake, stored);
    const isPolling = stored.state.transport === "polling";
    const state = fromStored(stored.state, isPolling ? this.#platform.store.rows.bytes(sid, "queue") : 0);
    const kept = { record: stored.record };
    active.session = new Session(sid, handshake, state, this.#current(), active, kept);
    if (socket !== undefined) this.attach(active, socket);
    else this.#loadPoll(active);
    const hibernating = this.#hibernating?.get(sid);
    if (hibernating !== undefined) this.#outbox.moveTo(state, hibernating);
    if (state.queue.length > 0) this.#turns.saveLater(active);
    this.#hibernating?.delete(sid);
    this.#live.set(sid, active);
    this.#atMost++;
    server.load(active.session);
    active.session.account.add(baseBytes(handshake));
    active.countRecord(stored.record);
    if (hibernating?.isOver) {
      if (this.#platform.cluster.isRetired)
        active.session.dispatch({ type: "transport-gone", code: "SHARD_RETIRED" });
      else active.session.account.end(OVERDRAWN);
    }
    const isUnknown = this.#platform.needsHandshakeData && handshake.data === undefined;
    if (stored.busy || isUnknown) {
      // What was under way died with its instance, or the session is older than the option `handshakeData`, so that its
      // client is unknown: the client has to start again.
      active.session.dispatch({
        type: "transport-gone",
        code: isUnknown ? "CLIENT_UNKNOWN" : "RESTARTED",
      });
    }
    return active;
  }

  /** Finds the waiting poll by its channel, which is the only place where it is stored. */
  #loadPoll(active: ActiveSession): void {
    const { ctx, store } = this.#platform;
    for (const socket of ctx.getWebSockets(pollTag(active.session.id))) {
      const role: SocketRole = store.roleOf(socket);
      if (role?.k === "p" && socket.readyState === WebSocket.OPEN) this.#takePoll(active, socket, role);
    }
  }

  #takePoll(active: ActiveSession, socket: WebSocket, { pingDueAt, limit, pongedAt }: WaitingPoll): void {
    const { state } = active.session;
    active.poll = socket;
    state.poll = { pingDueAt, limit };
    state.pongedAt = Math.max(state.pongedAt, pongedAt ?? 0);
    state.pingedAt = pingedBefore(pingDueAt, this.#platform.rules);
    this.link(active, socket);
  }
}
