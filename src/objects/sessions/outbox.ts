import type { Frame } from "../../codec/index.ts";
import { byteLength, fromStored, type SessionState } from "../../engine/state.ts";
import { transition } from "../../engine/transition.ts";
import { toPayload } from "../../transports/polling.ts";
import type { Platform } from "../platform.ts";
import type { SocketRole, StoredSession } from "../storage/session-store.ts";
import type { Turns } from "../turns.ts";
import { answerChannel } from "./channel.ts";
import { type HibernatingSession, toFormat, writeTo } from "./hibernating-session.ts";
import { pollTag } from "./socket-tags.ts";

/** What is sent in this turn to a hibernating session that polls, and the channel of its waiting poll. */
interface Pending {
  readonly state: SessionState;
  readonly channel: WebSocket | undefined;
}

/**
 * Sends to hibernating sessions without loading them: after a broadcast to thousands they would all stay in memory.
 *
 *   WebSocket ──► written to; what is not known to be read is counted
 *   polling   ──► end of the turn ── a poll waits ──► its channel is answered
 *                                └── none waits ──► rows
 *   anything that needs more (its end, a listener) ──► `false`: the sender has to load the session first
 */
export class Outbox {
  readonly #platform: Platform;
  readonly #turns: Turns;
  readonly #pending = new Map<HibernatingSession, Pending>();

  constructor(platform: Platform, turns: Turns) {
    this.#platform = platform;
    this.#turns = turns;
  }

  /** `read` reads what is stored of the session. */
  send(
    session: HibernatingSession,
    frames: readonly Frame[],
    isVolatile: boolean,
    read: () => StoredSession | undefined,
  ): boolean {
    const { needsHandshakeData } = this.#platform;
    if (session.socket !== undefined) return writeTo(session, frames, needsHandshakeData, read);
    if (session.state.phase === "closing") return true;
    if (session.state.protocol === 3) return false;
    // What was queued before goes first.
    if (session.isOld) read();
    session.isOld = false;
    if (needsHandshakeData) session.format ??= toFormat(read(), needsHandshakeData);
    if (needsHandshakeData && session.format === undefined) return false;
    return this.#enqueue(session, frames, isVolatile);
  }

  /** Moves what this turn has for a session to its state, because the session is loaded. */
  moveTo(state: SessionState, session: HibernatingSession): void {
    state.unreadBytes = session.unread ?? 0;
    state.bytesAfterPing = state.unreadBytes;
    const pending = this.#pending.get(session);
    if (pending === undefined) return;
    this.#pending.delete(session);
    state.queue.push(...pending.state.queue);
    state.queuedBytes += byteLength(pending.state.queue);
  }

  /** Sends what has come up in the turn that ends. */
  flush(): void {
    if (this.#pending.size === 0) return;
    const now = this.#platform.now();
    for (const [{ sid }, { state, channel }] of this.#pending) {
      for (const effect of transition(state, { type: "flush", now }, this.#platform.rules)) {
        if (effect.type !== "answer" || channel === undefined) continue;
        answerChannel(channel, toPayload(effect.frames, { protocol: 4, b64: false }));
      }
      this.#platform.store.rows.append(sid, "queue", state.queue);
    }
    this.#pending.clear();
  }

  #enqueue(session: HibernatingSession, frames: readonly Frame[], isVolatile: boolean): boolean {
    const { state } = this.#pending.get(session) ?? this.#open(session);
    if (isVolatile && (state.poll === null || state.queue.length > 0)) {
      this.#platform.observe?.({ type: "drop", code: "VOLATILE" });
      return true;
    }
    const bytes = byteLength(frames);
    const isOverfull = state.queuedBytes + bytes > this.#platform.rules.maxQueuedBytes;
    if (state.overfullSince !== 0 || isOverfull) return false;
    for (const frame of frames) state.queue.push(frame);
    state.queuedBytes += bytes;
    if (state.poll !== null && state.queue.length >= state.poll.limit) this.#turns.willWrite();
    return true;
  }

  #open(session: HibernatingSession): Pending {
    const { ctx, store } = this.#platform;
    const { sid } = session;
    const channel = ctx.getWebSockets(pollTag(sid)).find(({ readyState }) => readyState === WebSocket.OPEN);
    const state = fromStored(session.state, store.rows.bytes(sid, "queue"));
    const role: SocketRole = channel === undefined ? null : store.roleOf(channel);
    if (role?.k === "p") state.poll = { pingDueAt: role.pingDueAt, limit: role.limit };
    const pending = { state, channel };
    this.#pending.set(session, pending);
    if (state.poll === null) this.#turns.willWrite();
    else this.#turns.endLater();
    return pending;
  }
}
