import type { Frame } from "../codec/index.ts";
import { end, endClosing } from "./closing.ts";
import { LONGEST_HOLD_MS } from "./constants.ts";
import { CLOSE, type Effect, NOOP, NOTHING, PING, QUEUED, SAVE, type Transition } from "./effects.ts";
import { forgetFuture, pingDueAt, seen } from "./heartbeat.ts";
import {
  byteLength,
  READ_WITHIN_MS,
  type SessionRules,
  type SessionState,
  type WaitingPoll,
} from "./state.ts";

/*
 *   GET ──► packets wait, or a ping is due ──► "reply" with them
 *      └──► nothing to say ──► "park": it waits in the Worker
 *                                ├─ packets ──────────► "answer"
 *                                ├─ ping due ─────────► the Worker hands the poll back ("poll-gone: pinged"), answers "2"
 *                                └─ client went away ─► "poll-gone: aborted"
 */

export const onPoll: Transition<"poll"> = (state, { now, limit }, rules) => {
  if (state.phase === "closed" || state.transport !== "polling") return [{ type: "refuse" }];
  if (state.poll !== null) {
    return [{ type: "refuse" }, ...end(state, "OVERLAP_FROM_CLIENT")];
  }
  forgetFuture(state, now);
  const effects = [...seen(state, now)];
  if (state.phase === "closing" && state.queue.length === 0) {
    effects.push({ type: "reply", frames: [NOOP, CLOSE] }, ...endClosing(state));
    return effects;
  }
  let poll: WaitingPoll = { pingDueAt: pingDueAt(state, rules), limit };
  if (state.protocol === 3) {
    state.pongedAt ||= now;
    poll = { ...poll, pongedAt: state.pongedAt };
  }
  const isDue = now >= poll.pingDueAt;
  if (state.queue.length > 0 || isDue) {
    if (state.queue.length > 0) effects.push(QUEUED);
    effects.push({ type: "reply", frames: takeFrames(state, poll, now) }, ...drained(state));
    return effects;
  }
  state.poll = poll;
  effects.push({ type: "park", poll, pingInMs: Math.min(poll.pingDueAt - now, LONGEST_HOLD_MS) });
  if (state.candidate === "probing") effects.push({ type: "release-later" });
  return effects;
};

/** At the end of a turn, everything that was sent in it answers the waiting poll, in one payload. */
export const onFlush: Transition<"flush"> = (state, { now }) => {
  const { poll } = state;
  if (poll === null || state.queue.length === 0) return NOTHING;
  const frames = takeFrames(state, poll, now);
  state.seenAt = now;
  state.poll = null;
  // As on Node, a session that closes tells its client with the next GET. In one payload with a DISCONNECT, clients
  // would see the transport close first, since they handle Socket.IO packets a turn later.
  return [{ type: "answer", frames }, ...drained(state)];
};

/*
 *   end of a turn ── nobody asks ──► "queue-stored": it lies in rows
 *   GET, or a WebSocket takes over ──► "queue-loaded": as much as that can take
 */
export const onQueueStored: Transition<"queue-stored"> = (state, { bytes }) => {
  state.queue = [];
  state.storedBytes += bytes;
  state.queuedBytes = state.storedBytes;
  return NOTHING;
};

export const onQueueLoaded: Transition<"queue-loaded"> = (state, { frames, left }) => {
  state.queue.unshift(...frames);
  state.storedBytes = left;
  state.queuedBytes = left + byteLength(state.queue);
  return NOTHING;
};

/** Ends the poll during an upgrade: some clients wait for that after the probe (Swift sends "5" only then). */
export const onReleasePoll: Transition<"release-poll"> = (state) => {
  if (state.poll === null || state.candidate !== "probing") return NOTHING;
  state.poll = null;
  return [{ type: "answer", frames: [NOOP] }];
};

export const onPollGone: Transition<"poll-gone"> = (state, { cause, now }) => {
  if (state.poll === null) return NOTHING;
  state.poll = null;
  if (cause === "aborted") return end(state, "POLL_CONNECTION_CLOSED_PREMATURELY");
  if (cause === "pinged") state.pingedAt = now;
  state.seenAt = now;
  return NOTHING;
};

/** Takes as many frames off the queue as one payload may hold, after a ping if one is due. */
function takeFrames(state: SessionState, poll: WaitingPoll, now: number): Frame[] {
  const frames: Frame[] = [];
  if (now >= poll.pingDueAt) {
    frames.push(PING);
    state.pingedAt = now;
  }
  const taken = state.queue.splice(0, poll.limit - frames.length);
  state.queuedBytes -= byteLength(taken);
  frames.push(...taken);
  return frames;
}

/** Reports that everything was sent, unless some of it did not fit into the payload. */
function drained(state: SessionState): Effect[] {
  const isDrained = state.queue.length === 0 && state.storedBytes === 0;
  return isDrained ? [{ type: "report", event: "drain" }] : NOTHING;
}

/** Adds frames to the queue of a session that polls, or ends the session when too much has waited for too long. */
export function enqueue(
  state: SessionState,
  frames: readonly Frame[],
  now: number,
  { maxQueuedBytes }: SessionRules,
): Effect[] {
  if (state.queuedBytes <= maxQueuedBytes) state.overfullSince = 0;
  else if (now - state.overfullSince >= READ_WITHIN_MS) return end(state, "TOO_MANY_BYTES_QUEUED");
  for (const frame of frames) state.queue.push(frame);
  state.queuedBytes += byteLength(frames);
  if (state.queuedBytes <= maxQueuedBytes || state.overfullSince !== 0) return [QUEUED];
  state.overfullSince = now;
  return [QUEUED, SAVE];
}
