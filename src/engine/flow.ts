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
 * The runtime takes all that is written to a WebSocket, tells nobody what has left it, and never gives it back, not
 * even when the socket is closed. So only a little is written that is not known to be read, and the rest waits here,
 * where it can be counted and dropped.
 *
 *   send ──► written, up to twice pingEach() ──► more waits in the queue ── "drain", each 25 ms ──► written
 *              └► a ping behind each pingEach(): its pong proves that what came before it was read
 *   more than maxQueuedBytes wait, and the ping has no answer for READ_WITHIN_MS ──► closed
 *
 * Pongs prove it because the runtime answers them: it notes the time of a pong only when its own answer to the one
 * before has left, and that lies behind all that was written. So it answers them in every mode. A client of Engine.IO
 * v3 is asked nothing. It pings when pingInterval has passed since it read the last pong, which proves as much, too
 * late to wait for it: what waits for it is written at 4 MB/s, and it is closed when twice maxQueuedBytes wait or are
 * not known to be read.
 */

/**
 * A ping goes out behind so many bytes while all of the object together may have more before them than they have read.
 */
const CROWDED_PING_EACH_BYTES = 64_000;
const CROWDED_BYTES = 32_000_000;
/** So much is written each ms to a client that is never asked, and so much ahead, where it is sent much. */
const UNASKED_BYTES_A_MS = 4_000;
const AHEAD_BYTES = 2_000_000;

/** A WebSocket gets a ping behind so many bytes, and twice as many that it may not have read. */
export function pingEach(unreadByAll: number): number {
  return unreadByAll < CROWDED_BYTES ? PING_EACH_BYTES : CROWDED_PING_EACH_BYTES;
}

export const onSend: Transition<"send"> = (state, { frames, now, pongedAt, pingEach }, rules) => {
  if (state.phase !== "open") return NOTHING;
  if (state.transport === "polling") return enqueue(state, frames, now, rules);
  const bytes = byteLength(frames);
  if (state.queue.length === 0 && state.unreadBytes + bytes < pingEach) {
    count(state, bytes);
    return [{ type: "write", frames }];
  }
  for (const frame of frames) state.queue.push(frame);
  state.queuedBytes += bytes;
  return pump(state, now, pongedAt, rules, pingEach);
};

/** Some time has passed: the client may have read what was written. */
export const onDrain: Transition<"drain"> = (state, { now, pongedAt, pingEach }, rules) => {
  if (state.phase === "closed" || state.transport === "polling" || state.queue.length === 0) return NOTHING;
  if (isExpired(state, now, pongedAt, rules)) return end(state, "ping timeout");
  const effects = pump(state, now, pongedAt, rules, pingEach);
  if (state.phase === "closing" && state.queue.length === 0) effects.push(...end(state, "forced close"));
  return effects;
};

/** Writes what may be written of the queue. It is called for each frame that is sent, however long the queue is. */
function pump(
  state: SessionState,
  now: number,
  pongedAt: number,
  { maxQueuedBytes }: SessionRules,
  pingEach: number,
): Effect[] {
  const effects: Effect[] = [];
  let isUnread: boolean;
  if (state.protocol === 3) {
    isUnread = state.unreadBytes + state.queuedBytes > 2 * maxQueuedBytes;
    if (!isUnread) drip(state, now, effects);
  } else {
    let isAsked = isPingOutstanding(state, pongedAt);
    if (!isAsked) {
      state.unreadBytes = state.bytesAfterPing;
      write(state, pingEach, effects);
      isAsked = state.unreadBytes >= pingEach;
      if (isAsked) effects.push(...ping(state, now, state.queue.length > 0));
    }
    if (isAsked) write(state, 2 * pingEach, effects);
    isUnread = state.queuedBytes > maxQueuedBytes && now - state.pingedAt >= READ_WITHIN_MS;
  }
  if (isUnread) return end(state, "transport error", TOO_MANY_BYTES);
  if (state.queue.length > 0) effects.push(DRAIN_LATER);
  return effects;
}

/** Writes at a rate, and AHEAD_BYTES ahead of it, to a client that is not asked. */
function drip(state: SessionState, now: number, effects: Effect[]): void {
  const before = state.unreadBytes;
  const behindMs = Math.max(0, state.sentBy - now);
  write(state, before + AHEAD_BYTES - UNASKED_BYTES_A_MS * behindMs, effects);
  state.sentBy = now + behindMs + (state.unreadBytes - before) / UNASKED_BYTES_A_MS;
}

/** Takes off the queue what may be written before so many bytes are not known to be read. */
function write(state: SessionState, limit: number, effects: Effect[]): void {
  let written = 0;
  while (written < state.queue.length && state.unreadBytes < limit) {
    const { length } = state.queue[written++] as Frame;
    count(state, length);
    state.queuedBytes -= length;
  }
  if (written === 0) return;
  const frames = state.queue.slice(0, written);
  state.queue = state.queue.slice(written);
  effects.push({ type: "write", frames, hasMore: state.queue.length > 0 });
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
