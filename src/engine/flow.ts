import type { Frame } from "../codec/index.ts";
import { end, TOO_MANY_BYTES } from "./closing.ts";
import { DRAIN_LATER, type Effect, NOTHING, type Transition } from "./effects.ts";
import { isExpired, isPingOutstanding, ping } from "./heartbeat.ts";
import { enqueue } from "./polling.ts";
import {
  byteLength,
  PING_EACH_BYTES,
  READ_WITHIN_MS,
  type SessionRules,
  type SessionState,
} from "./state.ts";

/*
 * The runtime takes all that is written to a WebSocket, tells nobody what has left it, and never gives it back, not even
 * when the socket is closed. So only a little is written that is not known to be read, and the rest waits here, where it
 * can be counted and dropped.
 *
 *   send ──► written, up to WINDOW_BYTES ──► more waits in the queue ── "drain", each 25 ms ──► written
 *              └► a ping behind each PING_EACH_BYTES: its pong proves that what came before it was read
 *   more than maxQueuedBytes wait, and the ping has no answer for READ_WITHIN_MS ──► closed
 *
 * Pongs prove it because the runtime answers them: it notes the time of a pong only when its own answer to the one before
 * has left, and that lies behind all that was written. So it answers them in every mode. A client of Engine.IO v3 is
 * asked nothing. It pings when pingInterval has passed since it read the last pong, which proves as much, too late to
 * wait for it: it is closed when twice maxQueuedBytes are written that are not known to be read.
 */

/** This much is written to a WebSocket without proof that what was written before is read. */
const WINDOW_BYTES = 2_000_000;

export const onSend: Transition<"send"> = (state, { frames, now, pongedAt }, rules) => {
  if (state.phase !== "open") return NOTHING;
  if (state.transport === "polling") return enqueue(state, frames, now, rules);
  if (state.protocol === 3) return writeUnasked(state, frames, rules);
  const bytes = byteLength(frames);
  if (state.queue.length === 0 && state.unreadBytes + bytes < PING_EACH_BYTES) {
    count(state, bytes);
    return [{ type: "write", frames }];
  }
  for (const frame of frames) state.queue.push(frame);
  state.queuedBytes += bytes;
  return pump(state, now, pongedAt, rules);
};

/** Some time has passed: the client may have read what was written. */
export const onDrain: Transition<"drain"> = (state, { now, pongedAt }, rules) => {
  if (state.phase === "closed" || state.transport === "polling" || state.queue.length === 0) return NOTHING;
  if (isExpired(state, now, pongedAt, rules)) return end(state, "ping timeout");
  const effects = pump(state, now, pongedAt, rules);
  if (state.phase === "closing" && state.queue.length === 0) effects.push(...end(state, "forced close"));
  return effects;
};

/** Writes what may be written of the queue. It is called for each frame that is sent, however long the queue is. */
function pump(state: SessionState, now: number, pongedAt: number, rules: SessionRules): Effect[] {
  const effects: Effect[] = [];
  let isAsked = isPingOutstanding(state, pongedAt);
  if (!isAsked) state.unreadBytes = state.bytesAfterPing;
  let written = 0;
  for (;;) {
    const from = written;
    const limit = isAsked ? WINDOW_BYTES : PING_EACH_BYTES;
    while (written < state.queue.length && state.unreadBytes < limit) {
      const { length } = state.queue[written++] as Frame;
      count(state, length);
      state.queuedBytes -= length;
    }
    const hasMore = written < state.queue.length;
    if (written > from) effects.push({ type: "write", frames: state.queue.slice(from, written), hasMore });
    if (isAsked || state.unreadBytes < PING_EACH_BYTES) break;
    isAsked = true;
    effects.push(...ping(state, now, hasMore));
  }
  if (written > 0) state.queue = state.queue.slice(written);
  if (state.queue.length === 0) return effects;
  const isUnread = state.queuedBytes > rules.maxQueuedBytes && now - state.pingedAt >= READ_WITHIN_MS;
  return isUnread ? end(state, "transport error", TOO_MANY_BYTES) : [...effects, DRAIN_LATER];
}

/** A client that is never asked whether it reads. */
function writeUnasked(state: SessionState, frames: readonly Frame[], rules: SessionRules): Effect[] {
  count(state, byteLength(frames));
  if (state.unreadBytes > 2 * rules.maxQueuedBytes) return end(state, "transport error", TOO_MANY_BYTES);
  return [{ type: "write", frames }];
}

/** A ping of a client that asks by itself. One that comes too early proves nothing. */
export function asked(state: SessionState, now: number, rules: SessionRules): void {
  if (now - state.pingedAt < rules.pingInterval / 2) return;
  state.pingedAt = now;
  state.unreadBytes = state.bytesAfterPing;
  state.bytesAfterPing = 0;
}

function count(state: SessionState, bytes: number): void {
  state.unreadBytes += bytes;
  state.bytesAfterPing += bytes;
}
