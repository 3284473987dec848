import { CLOSE, type Effect, NOOP, NOTHING, SAVE, type Transition } from "./effects.ts";
import type { CloseReason, SessionState } from "./state.ts";

/** How long a session that was closed waits for the GET that tells its client (engine.io's closeTimeout). */
export const CLOSE_TIMEOUT_MS = 30_000;

/**
 * The one way a session ends. A waiting poll is answered with `1`, or with `6` when the client itself closed.
 */
export function end(state: SessionState, reason: CloseReason, description?: unknown): Effect[] {
  if (state.phase === "closed") return NOTHING;
  const effects: Effect[] = [];
  if (state.candidate !== "none") effects.push({ type: "drop-candidate" });
  if (state.poll !== null) {
    effects.push({ type: "answer", frames: [reason === "transport close" ? NOOP : CLOSE] });
  }
  if (state.transport === "websocket") effects.push({ type: "close-socket" });
  state.phase = "closed";
  state.candidate = "none";
  state.poll = null;
  effects.push({ type: "closed", reason, description });
  return effects;
}

/**
 * The server closes: at once where a transport can tell the client, else (polling, nobody asking) with the next GET.
 */
export const onClose: Transition<"close"> = (state, { discard, now }) => {
  if (state.phase === "closed") return NOTHING;
  if (discard) {
    state.queue = [];
    state.queuedBytes = 0;
    return end(state, "forced close");
  }
  if (state.phase === "closing") return NOTHING;
  if (state.transport === "websocket" || (state.poll !== null && state.queue.length === 0)) {
    return end(state, "forced close");
  }
  state.phase = "closing";
  state.closeBy = now + CLOSE_TIMEOUT_MS;
  return [SAVE];
};

export const onTransportGone: Transition<"transport-gone"> = (state, { reason, description }) =>
  end(state, reason, description);
