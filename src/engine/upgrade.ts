import { endClosing } from "./closing.ts";
import {
  CLOSE,
  DRAIN_LATER,
  type Effect,
  NOOP,
  NOTHING,
  PROBE_ANSWER,
  SAVE,
  type Transition,
} from "./effects.ts";
import { PING_EACH_BYTES, type SessionState } from "./state.ts";

/*
 *   client                         server
 *   WebSocket with sid ──────────► candidate (a second one is closed at once)
 *   "2probe" ────────────────────► "3probe"; the waiting poll is answered "6", later ones after 100 ms
 *   "5" (some never probe) ──────► the candidate takes over, what was queued goes out on it
 *   anything else ───────────────► the candidate is closed, the session goes on polling
 */
export const onCandidate: Transition<"candidate"> = (state) => {
  if (state.phase === "closed" || state.transport !== "polling" || state.candidate !== "none") {
    return [{ type: "refuse" }];
  }
  state.candidate = "attached";
  return NOTHING;
};

export const onCandidateGone: Transition<"candidate-gone"> = (state) => {
  state.candidate = "none";
  return NOTHING;
};

export const onCandidatePacket: Transition<"candidate-packet"> = (state, { packet }) => {
  if (state.phase === "closed" || state.candidate === "none") return NOTHING;
  if (packet.type === "ping" && packet.data === "probe") return answerProbe(state);
  if (packet.type === "upgrade") return takeOver(state);
  state.candidate = "none";
  return [{ type: "drop-candidate" }];
};

function answerProbe(state: SessionState): Effect[] {
  const effects: Effect[] = [{ type: "write-candidate", frame: PROBE_ANSWER }];
  if (state.candidate !== "probing") effects.push({ type: "report", event: "upgrading" });
  state.candidate = "probing";
  if (state.poll !== null) {
    state.poll = null;
    effects.push({ type: "answer", frames: [NOOP] });
  }
  return effects;
}

function takeOver(state: SessionState): Effect[] {
  const effects: Effect[] = [];
  if (state.poll !== null) effects.push({ type: "answer", frames: [CLOSE] });
  const frames = state.queue;
  state.poll = null;
  state.candidate = "none";
  state.transport = "websocket";
  state.overfullSince = 0;
  // Polls were pinged and the Worker answered for them: nothing is outstanding on the new transport.
  if (state.protocol === 4) state.pongedAt = state.pingedAt;
  effects.push({ type: "take-over" });
  if (state.queuedBytes >= PING_EACH_BYTES) effects.push(DRAIN_LATER);
  else if (frames.length > 0) {
    state.unreadBytes = state.queuedBytes;
    state.bytesAfterPing = state.queuedBytes;
    state.queue = [];
    state.queuedBytes = 0;
    effects.push({ type: "write", frames });
  }
  effects.push({ type: "report", event: "upgrade" }, SAVE);
  if (state.phase === "closing" && state.queue.length === 0) effects.push(...endClosing(state));
  return effects;
}
