import { CLOSE_TIMEOUT_MS } from "./constants.ts";
import { CLOSE, type Effect, NOOP, NOTHING, SAVE, type Transition } from "./effects.ts";
import { descriptionOf, type EndCode, reasonOf } from "./end-codes.ts";
import type { SessionState } from "./state.ts";

/**
 * Ends a session; nothing else does. A waiting poll is answered with `1`, or with `6` when the client has closed the
 * session. What is queued is discarded. As in engine.io, a description is an Error whose message adds to the reason.
 */
export function end(
  state: SessionState,
  code: EndCode,
  description: unknown = descriptionOf(code),
  reason = reasonOf(code),
): Effect[] {
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
  state.queue = [];
  state.queuedBytes = 0;
  state.unreadBytes = 0;
  effects.push({ type: "closed", code, reason, description: toError(description) });
  return effects;
}

function toError(description: unknown): unknown {
  if (description === undefined || description instanceof Error) return description;
  return Object.assign(new Error(String(description)), { type: "TransportError" });
}

/** The server ends a session, now that its client has what was queued. */
export function endClosing(state: SessionState): Effect[] {
  return end(state, state.closeCode, undefined, "forced close");
}

/**
 * The server closes the session: at once when nothing waits and a transport can tell the client, otherwise when the
 * client has taken what waits; a client that polls is told with the GET after that.
 */
export const onClose: Transition<"close"> = (state, { code, discard, now, description }, { pingTimeout }) => {
  if (state.phase === "closed") return NOTHING;
  const canTell = state.transport === "websocket" || state.poll !== null;
  if (discard || (state.phase === "open" && canTell && state.queue.length === 0)) {
    return end(state, code, description, "forced close");
  }
  if (state.phase === "closing") return NOTHING;
  state.phase = "closing";
  state.closeCode = code;
  state.closeBy = now + Math.min(CLOSE_TIMEOUT_MS, pingTimeout);
  return [SAVE];
};

export const onTransportGone: Transition<"transport-gone"> = (state, { code, description }) =>
  end(state, code, description);
