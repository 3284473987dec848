import type { Frame } from "../../codec/index.ts";
import type { SessionEvent } from "../../engine/effects.ts";
import { nextTickAt } from "../../engine/heartbeat.ts";
import type { Session } from "../../engine/session.ts";
import { fromStored, toStored } from "../../engine/state.ts";
import { transition } from "../../engine/transition.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import type { ObjectRuntime } from "../object-runtime.ts";
import { clearRecovery } from "../recovery/recovery-log.ts";
import type { SocketRole } from "../storage/session-store.ts";
import type { Carrier } from "./carrier.ts";
import type { Sleeper } from "./sleeper.ts";
import { pollTag } from "./socket-tags.ts";

/** How soon a tick is repeated in which something failed, ms. */
export const RETRY_MS = 5_000;
/** How soon a tick goes on that has left something to do, ms. */
const SOON_MS = 100;
/** So many sleeping sessions one tick ends at most: each is brought into memory, and the user's code told of it. */
const MOST_ENDED = 400;
/** What a tick may bring into memory for that, bytes, and about as much may it write anew. */
const MOST_BYTES = 8_000_000;

const IDLE = new Error("the client joined no namespace within connectTimeout");
/** Why the body of a POST is read no further. */
export const SILENT = new Error("data request timed out");

/**
 * What the alarm does: pings, finds the dead, closes those who joined nothing. Sessions that sleep are pinged from their
 * stored state; only one that ends is loaded.
 */
export class Heartbeat<Api> {
  readonly #runtime: ObjectRuntime<Api>;
  #hasSwept = false;
  #hasFailed = false;
  /** Something had to be left to the next tick, which comes soon. */
  #isUnfinished = false;
  /** Sleepers that ticks have ended, until the user's code has been told: as long they are in memory. */
  #ending: { carrier: Carrier; bytes: number }[] = [];
  /** What this tick and those that end have brought into memory, bytes. */
  #bytes = 0;

  constructor(runtime: ObjectRuntime<Api>) {
    this.#runtime = runtime;
  }

  tick(now: number, lateness: number): void {
    const { table, server } = this.#runtime;
    this.#hasFailed = false;
    this.#isUnfinished = false;
    this.#ending = this.#ending.filter(({ carrier }) => carrier.pending > 0);
    this.#bytes = this.#ending.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const sleeper of table.asleep()) this.#try(() => this.#tickAsleep(sleeper, now, lateness));
    for (const carrier of table.live()) this.#try(() => this.#tickAwake(carrier, now, lateness));
    this.#try(() => server.tick?.(now));
    this.#try(() => this.#sweep());
    this.#try(() => this.#forget(now));
  }

  /** What fails for one session must not cost the others their ping. */
  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#hasFailed = true;
      this.#runtime.log("error", "a tick of the heartbeat failed", error);
    }
  }

  /** When the next tick has something to do, ms; infinite when there is nobody. */
  next(now: number): number {
    const { table, rules, ticker, server, identity } = this.#runtime;
    let next = server.nextTickAt?.(now) ?? Number.POSITIVE_INFINITY;
    for (const { state } of table.asleep()) {
      next = Math.min(next, nextTickAt(fromStored(state), now, rules));
    }
    for (const { session } of table.live()) next = Math.min(next, this.nextFor(session, now));
    // What has failed is due still: at once again, it would fail without end.
    if (this.#hasFailed) next = Math.max(next, now + RETRY_MS);
    if (this.#isUnfinished) next = Math.min(next, now + SOON_MS);
    next = Math.min(next, ticker.scheduledAt ?? Number.POSITIVE_INFINITY);
    // The last one has left since the tick: what is kept of the object goes as well.
    return next === Number.POSITIVE_INFINITY && identity.isLeftOver() ? now + RETRY_MS : next;
  }

  /** When a tick has something to do for this session, ms. */
  nextFor(session: Session, now: number): number {
    const { rules, server } = this.#runtime;
    const next = Math.max(nextTickAt(session.state, now, rules), now + 1);
    const { connectTimeout } = server;
    if (connectTimeout === undefined || connectTimeout >= rules.pingInterval) return next;
    return session.consumer?.isIdle?.() ? Math.min(next, session.openedAt + connectTimeout) : next;
  }

  #tickAwake(carrier: Carrier, now: number, lateness: number): void {
    const { session, upload } = carrier;
    if (upload !== undefined && now - lateness - upload.heardAt >= this.#runtime.rules.pingTimeout) {
      upload.giveUp(SILENT);
    }
    const isIdle = session.readyState === "open" && (session.consumer?.isIdle?.() ?? false);
    if (this.#isIdleTooLong(session.openedAt, isIdle, now)) session.close(false, IDLE);
    else {
      const pongedAt = carrier.pongedAt();
      session.heard(pongedAt);
      session.dispatch({ type: "tick", now, pongedAt, lateness });
    }
  }

  #tickAsleep(sleeper: Sleeper, now: number, lateness: number): void {
    const { table, store, rules, ctx } = this.#runtime;
    const { socket } = sleeper;
    if (sleeper.isOver) {
      this.#end(sleeper, { type: "transport-gone", reason: "transport error" });
      return;
    }
    const state = fromStored(sleeper.state);
    const isOver = this.#isIdleTooLong(state.openedAt, sleeper.isIdle, now);
    const role = this.#roleOfPoll(sleeper);
    if (role?.k === "p") {
      state.poll = role;
      // Who pings by itself is judged by that, also while its poll waits.
      state.pongedAt = role.pongedAt ?? 0;
    }
    const pongedAt =
      socket === undefined ? 0 : (ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
    const event: SessionEvent = isOver
      ? { type: "close", discard: false, now, description: IDLE }
      : { type: "tick", now, pongedAt, lateness };
    const effects = transition(state, event, rules);
    if (effects.length === 0) return;
    if (state.poll !== null || effects.some((effect) => effect.type !== "write" && effect.type !== "save")) {
      this.#end(sleeper, event);
      return;
    }
    const changed = toStored(state);
    if (socket !== undefined) {
      for (const effect of effects) if (effect.type === "write") sendAll(socket, effect.frames);
      store.writeState(socket, changed);
      sleeper.unread = 0;
    } else {
      if (!this.#hasRoom()) return;
      const session = table.read(sleeper);
      if (session === undefined) return;
      this.#bytes += estimateBytes(session);
      store.writePolling({ ...session, state: changed });
    }
    sleeper.state = changed;
    sleeper.isIdle &&= !isOver;
  }

  /** The channel of a poll that waits, as it is written down. */
  #roleOfPoll({ sid, socket }: Sleeper): SocketRole {
    if (socket !== undefined) return null;
    const { store, ctx } = this.#runtime;
    const poll = ctx.getWebSockets(pollTag(sid)).find(({ readyState }) => readyState === WebSocket.OPEN);
    return poll === undefined ? null : store.roleOf(poll);
  }

  /** A sleeper ends: that concerns the user's code, so it is brought into memory and told there. */
  #end({ sid }: Sleeper, event: SessionEvent): void {
    if (!this.#hasRoom()) return;
    const carrier = this.#runtime.table.get(sid);
    if (carrier === undefined) return;
    const bytes = estimateBytes(carrier.session.stored);
    carrier.session.dispatch(event);
    this.#bytes += bytes;
    this.#ending.push({ carrier, bytes });
  }

  /** Whether this tick may go on with what takes memory. */
  #hasRoom(): boolean {
    const hasRoom = this.#ending.length < MOST_ENDED && this.#bytes < MOST_BYTES;
    if (!hasRoom) this.#isUnfinished = true;
    return hasRoom;
  }

  #isIdleTooLong(openedAt: number, isIdle: boolean, now: number): boolean {
    const { connectTimeout } = this.#runtime.server;
    return isIdle && connectTimeout !== undefined && now - openedAt >= connectTimeout;
  }

  /** Once an instance: rows that earlier ones left behind. */
  #sweep(): void {
    if (this.#hasSwept) return;
    const { store, table, ctx, persists, recovery } = this.#runtime;
    const isSwept = persists ? store.sweep((sid) => table.has(sid)) : store.clear();
    const isCleared = (persists && recovery !== undefined) || clearRecovery(ctx.storage.kv);
    this.#hasSwept = isSwept && isCleared;
    if (!this.#hasSwept) this.#isUnfinished = true;
  }

  /** Nobody is there, and nobody may come back: no row of the library stays. A server may have been needed once only. */
  #forget(now: number): void {
    const { table, recovery, ticker, identity, ctx, store } = this.#runtime;
    if (!this.#hasSwept || !table.isEmpty() || !identity.isKept) return;
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
    // The peer is gone; its close event is on the way, and if not, the unanswered ping ends the session.
  }
}
