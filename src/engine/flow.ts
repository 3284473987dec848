import type { Frame } from "../codec/index.ts";
import { end, endClosing } from "./closing.ts";
import { AHEAD_BYTES, CROWDED_BYTES, CROWDED_PING_EACH_BYTES, UNASKED_BYTES_A_MS } from "./constants.ts";
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
 * The runtime accepts everything that is written to a WebSocket, does not tell how much of it was sent, and keeps it
 * even when the socket is closed. So little is written that is not known to be read, and the rest waits here, where it
 * can be counted and discarded.
 *
 *   send ──► written, up to twice pingEach() ──► more waits in the queue ── "drain", each 25 ms ──► written
 *              └► a ping behind each pingEach(): its pong proves that what came before it was read
 *   more than maxQueuedBytes wait, and the ping has no answer for READ_WITHIN_MS ──► closed
 *
 * A pong proves that because the runtime answers it: the runtime records the time of a pong only when its answer to the
 * one before has been sent, and that answer is queued after everything that was written. So the runtime answers pongs
 * in every mode. A client of Engine.IO v3 cannot be asked. It pings when pingInterval has passed since it read the last
 * pong, which proves the same, but too late to wait for: what waits for it is written at 4 MB/s, and its session is
 * closed when twice maxQueuedBytes wait or are not known to be read.
 */

/**
 * How many bytes are written to a WebSocket before a ping. At most twice as many are written that it may not have read.
 */
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

/** Some time has passed, so the client may have read what was written. */
export const onDrain: Transition<"drain"> = (state, { now, pongedAt, pingEach }, rules) => {
  if (state.phase === "closed" || state.transport === "polling" || state.queue.length === 0) return NOTHING;
  if (isExpired(state, now, pongedAt, rules)) return end(state, "PING_TIMEOUT");
  const effects = pump(state, now, pongedAt, rules, pingEach);
  if (state.phase === "closing" && state.queue.length === 0) effects.push(...endClosing(state));
  return effects;
};

/**
 * Writes the part of the queue that may be written. Called for each frame that is sent, so it has to be fast for a long
 * queue.
 */
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
  if (isUnread) return end(state, "TOO_MANY_BYTES_QUEUED");
  if (state.queue.length > 0) effects.push(DRAIN_LATER);
  return effects;
}

/** Writes to a client that cannot be asked: AHEAD_BYTES at once, then at a constant rate. */
function drip(state: SessionState, now: number, effects: Effect[]): void {
  const before = state.unreadBytes;
  const behindMs = Math.max(0, state.sentBy - now);
  write(state, before + AHEAD_BYTES - UNASKED_BYTES_A_MS * behindMs, effects);
  state.sentBy = now + behindMs + (state.unreadBytes - before) / UNASKED_BYTES_A_MS;
}

/** Writes from the queue until `limit` bytes are not known to be read. */
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

/** Handles the ping of a v3 client. A ping that comes too early proves nothing. */
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
