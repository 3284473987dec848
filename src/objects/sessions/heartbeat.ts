import type { Frame } from "../../codec/index.ts";
import type { SessionEvent } from "../../engine/effects.ts";
import { nextTickAt } from "../../engine/heartbeat.ts";
import type { ObjectServer } from "../../engine/object-server.ts";
import type { Session } from "../../engine/session.ts";
import { fromStored, toStored } from "../../engine/state.ts";
import { transition } from "../../engine/transition.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { MOST_ENDED, MOST_LOADED_BYTES, TICK_RETRY_MS, TICK_SOON_MS } from "../constants.ts";
import type { Platform } from "../platform.ts";
import { clearRecovery } from "../recovery/recovery-log.ts";
import type { SocketRole } from "../storage/session-store.ts";
import type { ActiveSession } from "./active-session.ts";
import type { HibernatingSession } from "./hibernating-session.ts";
import type { SessionTable } from "./session-table.ts";
import { pollTag } from "./socket-tags.ts";

/** Why the body of a POST is not read any further. */
export const SILENT = new Error("the client is silent");

/**
 * What the object's alarm does: it pings clients, and ends sessions whose client is gone or has joined no namespace.
 * Hibernating sessions are pinged from their stored state; only a session that ends is loaded.
 */
export class Heartbeat {
  readonly #platform: Platform;
  readonly #table: SessionTable;
  readonly #server: () => ObjectServer<unknown>;
  #hasSwept = false;
  #hasFailed = false;
  /** Something was left to the next tick, which comes soon. */
  #isUnfinished = false;
  /** The sessions that ticks have loaded to end them, as long as their listeners are at work. */
  #ending: { active: ActiveSession; bytes: number }[] = [];
  /** How many bytes this tick has loaded, together with what the sessions in `#ending` hold. */
  #bytes = 0;

  /** `server` returns the server of the current attempt at setup. */
  constructor(platform: Platform, table: SessionTable, server: () => ObjectServer<unknown>) {
    this.#platform = platform;
    this.#table = table;
    this.#server = server;
  }

  /** The alarm went off, `lateness` ms late. Returns whether the user's own schedule is due as well. */
  onAlarm(lateness: number): boolean {
    const { ticker, log, tally } = this.#platform;
    tally.counts.alarms++;
    const now = this.#platform.now();
    let isDue = false;
    try {
      ticker.ran();
      const { scheduledAt } = ticker;
      isDue = scheduledAt !== undefined && scheduledAt <= now;
      if (isDue) ticker.schedule(undefined);
      this.#tick(now, lateness);
    } catch (error) {
      log("error", "a tick of the heartbeat failed", error);
    }
    return isDue;
  }

  /** Sets the alarm again after a tick, if there is something to do later. */
  rearm(): void {
    const { ticker } = this.#platform;
    const now = this.#platform.now();
    const next = this.#tryNext(now);
    if (next !== Infinity) ticker.ensureBy(Math.max(next, now + 1));
  }

  /**
   * Sets an alarm that was lost: the platform gives up one that has thrown too often. Any event calls this.
   * @returns the time, which is asked once for each event
   */
  healAlarm(): number {
    const now = this.#platform.now();
    this.#platform.ticker.heal(now, this.#nextTick);
    return now;
  }

  /** Sees to it that the alarm comes in time for a session. */
  ensureTick(session: Session): void {
    this.#platform.ticker.ensureBy(this.#nextFor(session, this.#platform.now()));
  }

  readonly #nextTick = (): number => this.#next(this.#platform.now());

  /** An alarm that throws is tried again by the platform a few times, and then given up. */
  #tryNext(now: number): number {
    try {
      return this.#next(now);
    } catch (error) {
      this.#platform.log("error", "the next tick could not be found", error);
      return now + TICK_RETRY_MS;
    }
  }

  #tick(now: number, lateness: number): void {
    const table = this.#table;
    this.#hasFailed = false;
    this.#isUnfinished = false;
    this.#ending = this.#ending.filter(({ active }) => active.pending > 0);
    this.#bytes = this.#ending.reduce((sum, { bytes }) => sum + bytes, 0);
    if (this.#platform.cluster.isRetired) this.#retire();
    for (const session of table.hibernating()) this.#try(() => this.#tickHibernating(session, now, lateness));
    for (const active of table.live()) this.#try(() => this.#tickActive(active, now, lateness));
    this.#try(() => this.#platform.cluster.onAlarm());
    this.#try(() => this.#server().tick?.(now));
    this.#try(() => this.#sweep());
    this.#try(() => this.#forget(now));
    this.#try(() => this.#count());
  }

  #count(): void {
    const { identity, persists, tally } = this.#platform;
    const sessions = this.#table.count();
    tally.counts.checks += sessions;
    if (persists && identity.isKept) tally.save(sessions);
  }

  /** The object is no longer one of the server's: its clients come back, and find another. */
  #retire(): void {
    for (const session of this.#table.hibernating()) session.isOver = true;
    for (const { session } of this.#table.live()) {
      this.#try(() => session.dispatch({ type: "transport-gone", code: "SHARD_RETIRED" }));
    }
  }

  /** A failure for one session must not cost the others their ping. */
  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#hasFailed = true;
      this.#platform.log("error", "a tick of the heartbeat failed", error);
    }
  }

  /** When the next tick has something to do, ms; infinite when there is nobody. */
  #next(now: number): number {
    const { ticker, identity, persists } = this.#platform;
    // Where nothing is stored there are neither hibernating sessions nor a schedule to look for.
    const isNew = persists && identity.isEmpty();
    let next = Math.min(this.#server().nextTickAt?.(now) ?? Infinity, this.#nextOfSessions(now, isNew));
    // What has failed is still due: repeated at once, it would fail without end.
    if (this.#hasFailed) next = Math.max(next, now + TICK_RETRY_MS);
    if (this.#isUnfinished) next = Math.min(next, now + TICK_SOON_MS);
    if (!isNew) next = Math.min(next, ticker.scheduledAt ?? Infinity);
    // The last session has ended since the tick: what is stored of the object has to go as well.
    return next === Infinity && identity.isLeftOver() ? now + TICK_RETRY_MS : next;
  }

  /** `isNew`: none hibernates, which is known without looking for them. */
  #nextOfSessions(now: number, isNew: boolean): number {
    const { rules } = this.#platform;
    let next = Infinity;
    for (const { state } of isNew ? [] : this.#table.hibernating()) {
      next = Math.min(next, nextTickAt(fromStored(state), now, rules));
    }
    for (const { session } of this.#table.live()) next = Math.min(next, this.#nextFor(session, now));
    return next;
  }

  /** When a tick has something to do for this session, ms. */
  #nextFor(session: Session, now: number): number {
    const { rules } = this.#platform;
    const next = Math.max(nextTickAt(session.state, now, rules), now + 1);
    const { connectTimeout } = this.#server();
    if (connectTimeout === undefined || connectTimeout >= rules.pingInterval) return next;
    return session.consumer?.isIdle?.() ? Math.min(next, session.openedAt + connectTimeout) : next;
  }

  #tickActive(active: ActiveSession, now: number, lateness: number): void {
    const { session, upload } = active;
    if (upload !== undefined && now - lateness - upload.heardAt >= this.#platform.rules.pingTimeout) {
      upload.giveUp(SILENT);
    }
    const isIdle = session.readyState === "open" && (session.consumer?.isIdle?.() ?? false);
    if (this.#isIdleTooLong(session.openedAt, isIdle, now)) session.finish("NO_NAMESPACE_JOINED");
    else {
      const pongedAt = active.pongedAt();
      session.heard(pongedAt);
      session.dispatch({ type: "tick", now, pongedAt, lateness });
    }
  }

  #tickHibernating(hibernating: HibernatingSession, now: number, lateness: number): void {
    const { store, rules, ctx } = this.#platform;
    const { socket } = hibernating;
    if (hibernating.isOver) {
      this.#end(hibernating, { type: "transport-gone", code: "HELD_BYTES" });
      return;
    }
    const state = fromStored(hibernating.state);
    const isOver = this.#isIdleTooLong(state.openedAt, hibernating.isIdle, now);
    const role = this.#roleOfPoll(hibernating);
    if (role?.k === "p") {
      state.poll = role;
      // A client that pings by itself is judged by its pings, also while its poll waits.
      state.pongedAt = role.pongedAt ?? 0;
    }
    const pongedAt =
      socket === undefined ? 0 : (ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
    const event: SessionEvent = isOver
      ? { type: "close", code: "NO_NAMESPACE_JOINED", discard: false, now }
      : { type: "tick", now, pongedAt, lateness };
    const effects = transition(state, event, rules);
    if (effects.length === 0) return;
    if (state.poll !== null || effects.some((effect) => effect.type !== "write" && effect.type !== "save")) {
      this.#end(hibernating, event);
      return;
    }
    const changed = toStored(state);
    if (socket !== undefined) {
      for (const effect of effects) if (effect.type === "write") sendAll(socket, effect.frames);
      store.writeState(socket, changed);
      hibernating.unread = 0;
    } else {
      if (!this.#hasRoom()) return;
      const session = this.#table.read(hibernating);
      if (session === undefined) return;
      this.#bytes += estimateBytes(session);
      store.writePolling({ ...session, state: changed });
    }
    hibernating.state = changed;
    hibernating.isIdle &&= !isOver;
  }

  /** The stored role of the channel of a waiting poll. */
  #roleOfPoll({ sid, socket }: HibernatingSession): SocketRole {
    if (socket !== undefined) return null;
    const { store, ctx } = this.#platform;
    const poll = ctx.getWebSockets(pollTag(sid)).find(({ readyState }) => readyState === WebSocket.OPEN);
    return poll === undefined ? null : store.roleOf(poll);
  }

  /** Ends a hibernating session. It is loaded, since its listeners have to be called. */
  #end({ sid }: HibernatingSession, event: SessionEvent): void {
    if (!this.#hasRoom()) return;
    const active = this.#table.get(sid);
    if (active === undefined) return;
    const bytes = estimateBytes(active.session.stored);
    active.session.dispatch(event);
    this.#bytes += bytes;
    this.#ending.push({ active, bytes });
  }

  /** Whether this tick may load more. */
  #hasRoom(): boolean {
    const hasRoom = this.#ending.length < MOST_ENDED && this.#bytes < MOST_LOADED_BYTES;
    if (!hasRoom) this.#isUnfinished = true;
    return hasRoom;
  }

  #isIdleTooLong(openedAt: number, isIdle: boolean, now: number): boolean {
    const { connectTimeout } = this.#server();
    return isIdle && connectTimeout !== undefined && now - openedAt >= connectTimeout;
  }

  /** Removes, once an instance, the rows that earlier instances left behind. */
  #sweep(): void {
    if (this.#hasSwept) return;
    const { store, ctx, persists, recovery } = this.#platform;
    const isSwept = persists ? store.sweep((sid) => this.#table.has(sid)) : store.clear();
    const isCleared = (persists && recovery !== undefined) || clearRecovery(ctx.storage.kv);
    this.#hasSwept = isSwept && isCleared;
    if (!this.#hasSwept) this.#isUnfinished = true;
  }

  /**
   * Removes every row of the library once nobody is there and nobody may come back: the server may never be used again.
   */
  #forget(now: number): void {
    const { recovery, ticker, identity, ctx, store } = this.#platform;
    if (!this.#hasSwept || !this.#table.isEmpty() || !identity.isKept) return;
    if (ticker.scheduledAt !== undefined || Number.isFinite(recovery?.nextPruneAt(now))) return;
    identity.forget();
    clearRecovery(ctx.storage.kv);
    store.rows.clear();
  }
}

function sendAll(socket: WebSocket, frames: readonly Frame[]): void {
  try {
    for (const frame of frames) socket.send(frame);
  } catch {
    // The peer is gone. If its close event never comes, the unanswered ping ends the session.
  }
}
