import type { Frame } from "../../codec/index.ts";
import { byteLength, fromStored, type SessionState } from "../../engine/state.ts";
import { transition } from "../../engine/transition.ts";
import { toPayload } from "../../transports/polling.ts";
import type { SocketRole, StoredSession } from "../storage/session-store.ts";
import type { CarrierHost } from "./carrier.ts";
import { answerChannel } from "./channel.ts";
import { type Sleeper, toFormat, writeTo } from "./sleeper.ts";
import { pollTag } from "./socket-tags.ts";

/** What this turn has for a sleeper that polls, and the channel of its waiting poll. */
interface Letters {
  readonly state: SessionState;
  readonly channel: WebSocket | undefined;
}

/**
 * Sends to sessions that sleep without bringing them into memory: a broadcast to thousands would leave them all there.
 *
 *   WebSocket ──► written to; what is not known to be read is counted
 *   polling   ──► end of the turn ── a poll waits ──► its channel is answered
 *                                └── nobody asks ──► rows
 *   anything that needs more (its end, a listener) ──► `false`: who sends has it brought into memory first
 */
export class SleeperMail {
  readonly #host: CarrierHost;
  readonly #letters = new Map<Sleeper, Letters>();

  constructor(host: CarrierHost) {
    this.#host = host;
  }

  /** `read` gives what is written down of it. */
  send(
    sleeper: Sleeper,
    frames: readonly Frame[],
    isVolatile: boolean,
    read: () => StoredSession | undefined,
  ): boolean {
    const { engine, needsHandshakeData } = this.#host;
    if (sleeper.socket !== undefined) return writeTo(sleeper, frames, this.#host, read);
    if (sleeper.state.phase === "closing") return true;
    const isHeard = engine.listenerCount("flush") + engine.listenerCount("drain") > 0;
    if (isHeard || sleeper.state.protocol === 3) return false;
    // What was queued before goes first.
    if (sleeper.isOld) read();
    sleeper.isOld = false;
    if (needsHandshakeData) sleeper.format ??= toFormat(read(), needsHandshakeData);
    if (needsHandshakeData && sleeper.format === undefined) return false;
    return this.#post(sleeper, frames, isVolatile);
  }

  /** A sleeper is brought into memory: what this turn had for it goes on there. */
  handOver(sleeper: Sleeper, state: SessionState): void {
    state.unreadBytes = sleeper.unread ?? 0;
    state.bytesAfterPing = state.unreadBytes;
    const letters = this.#letters.get(sleeper);
    if (letters === undefined) return;
    this.#letters.delete(sleeper);
    state.queue.push(...letters.state.queue);
    state.queuedBytes += byteLength(letters.state.queue);
  }

  /** The turn is over. */
  settle(): void {
    if (this.#letters.size === 0) return;
    const now = this.#host.now();
    for (const [{ sid }, { state, channel }] of this.#letters) {
      for (const effect of transition(state, { type: "flush", now }, this.#host.rules)) {
        if (effect.type !== "answer" || channel === undefined) continue;
        answerChannel(channel, toPayload(effect.frames, { protocol: 4, b64: false }));
      }
      this.#host.store.rows.append(sid, "queue", state.queue);
    }
    this.#letters.clear();
  }

  #post(sleeper: Sleeper, frames: readonly Frame[], isVolatile: boolean): boolean {
    const { state } = this.#letters.get(sleeper) ?? this.#open(sleeper);
    if (isVolatile && (state.poll === null || state.queue.length > 0)) return true;
    const bytes = byteLength(frames);
    if (state.overfullSince !== 0 || state.queuedBytes + bytes > this.#host.rules.maxQueuedBytes)
      return false;
    for (const frame of frames) state.queue.push(frame);
    state.queuedBytes += bytes;
    return true;
  }

  #open(sleeper: Sleeper): Letters {
    const { ctx, store } = this.#host;
    const { sid } = sleeper;
    const channel = ctx.getWebSockets(pollTag(sid)).find(({ readyState }) => readyState === WebSocket.OPEN);
    const state = fromStored(sleeper.state, store.rows.bytes(sid, "queue"));
    const role: SocketRole = channel === undefined ? null : store.roleOf(channel);
    if (role?.k === "p") state.poll = { pingDueAt: role.pingDueAt, limit: role.limit };
    const letters = { state, channel };
    this.#letters.set(sleeper, letters);
    // Has the turn come to an end.
    this.#host.turn();
    return letters;
  }
}
