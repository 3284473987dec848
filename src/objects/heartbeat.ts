import type { Frame } from "../codec/index.ts";
import { nextTickAt } from "../engine/heartbeat.ts";
import type { Session } from "../engine/session.ts";
import { fromStored, toStored } from "../engine/state.ts";
import { transition } from "../engine/transition.ts";
import type { Carrier } from "./carrier.ts";
import type { ObjectRuntime } from "./object-runtime.ts";
import { clearRecovery } from "./recovery-log.ts";
import type { Sleeper } from "./session-table.ts";

/** How soon a tick is repeated in which something failed, ms. */
export const RETRY_MS = 5_000;

/**
 * What the alarm does: pings, finds the dead, closes those who joined nothing. Sessions that sleep are pinged from their
 * stored state; only one that ends is loaded.
 */
export class Heartbeat<Api> {
  readonly #runtime: ObjectRuntime<Api>;
  #hasSwept = false;
  #hasFailed = false;

  constructor(runtime: ObjectRuntime<Api>) {
    this.#runtime = runtime;
  }

  tick(now: number, lateness: number): void {
    const { table, layer } = this.#runtime;
    this.#hasFailed = false;
    for (const sleeper of table.asleep()) this.#try(() => this.#tickAsleep(sleeper, now, lateness));
    for (const carrier of table.live()) this.#try(() => this.#tickAwake(carrier, now, lateness));
    this.#try(() => layer.tick?.(now));
    this.#try(() => this.#sweep());
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
    const { table, rules, ticker, layer } = this.#runtime;
    let next = layer.nextTickAt?.(now) ?? Number.POSITIVE_INFINITY;
    for (const { state } of table.asleep()) {
      next = Math.min(next, nextTickAt(fromStored(state), now, rules));
    }
    for (const { session } of table.live()) next = Math.min(next, this.nextFor(session, now));
    // What has failed is due still: at once again, it would fail without end.
    if (this.#hasFailed) next = Math.max(next, now + RETRY_MS);
    return Math.min(next, ticker.scheduledAt ?? Number.POSITIVE_INFINITY);
  }

  /** When a tick has something to do for this session, ms. */
  nextFor(session: Session, now: number): number {
    const { rules, layer } = this.#runtime;
    const next = Math.max(nextTickAt(session.state, now, rules), now + 1);
    const { connectTimeout } = layer;
    if (connectTimeout === undefined || connectTimeout >= rules.pingInterval) return next;
    return session.consumer?.isIdle?.() ? Math.min(next, session.openedAt + connectTimeout) : next;
  }

  #tickAwake(carrier: Carrier, now: number, lateness: number): void {
    const { session } = carrier;
    const isIdle = session.readyState === "open" && (session.consumer?.isIdle?.() ?? false);
    if (this.#isIdleTooLong(session.openedAt, isIdle, now)) session.close();
    else session.dispatch({ type: "tick", now, pongedAt: carrier.pongedAt(), lateness });
  }

  #tickAsleep(sleeper: Sleeper, now: number, lateness: number): void {
    const { table, store, rules, ctx } = this.#runtime;
    const { sid, socket } = sleeper;
    const state = fromStored(sleeper.state);
    if (this.#isIdleTooLong(state.openedAt, sleeper.isIdle, now)) {
      table.get(sid)?.session.close();
      return;
    }
    if (
      socket === undefined &&
      ctx.getWebSockets(`p:${sid}`).some((poll) => poll.readyState === WebSocket.OPEN)
    ) {
      return;
    }
    const pongedAt =
      socket === undefined ? 0 : (ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
    const effects = transition(state, { type: "tick", now, pongedAt, lateness }, rules);
    if (effects.length === 0) return;
    if (effects.some((effect) => effect.type !== "write" && effect.type !== "save")) {
      // It ends: that concerns the user's code, so it is brought into memory and told there.
      table.get(sid)?.session.dispatch({ type: "tick", now, pongedAt, lateness });
      return;
    }
    const changed = toStored(state);
    if (socket !== undefined) {
      for (const effect of effects) if (effect.type === "write") sendAll(socket, effect.frames);
      store.writeState(socket, changed);
    } else {
      const session = table.read(sleeper);
      if (session === undefined) return;
      if (session.v === 1) {
        // Its row holds a queue, which gets rows of its own when it is loaded.
        table.get(sid)?.session.dispatch({ type: "tick", now, pongedAt, lateness });
        return;
      }
      store.writePolling({ ...session, state: changed });
    }
    sleeper.state = changed;
  }

  #isIdleTooLong(openedAt: number, isIdle: boolean, now: number): boolean {
    const { connectTimeout } = this.#runtime.layer;
    return isIdle && connectTimeout !== undefined && now - openedAt >= connectTimeout;
  }

  /** Once an instance: rows that earlier ones left behind. */
  #sweep(): void {
    if (this.#hasSwept) return;
    this.#hasSwept = true;
    const { store, ctx, persists, recovery } = this.#runtime;
    if (persists) store.sweep((sid) => ctx.getWebSockets(`s:${sid}`).length > 0);
    else store.clear();
    if (!persists || recovery === undefined) clearRecovery(ctx.storage.kv);
  }
}

function sendAll(socket: WebSocket, frames: readonly Frame[]): void {
  try {
    for (const frame of frames) socket.send(frame);
  } catch {
    // The peer is gone; its close event is on the way, and if not, the unanswered ping ends the session.
  }
}
