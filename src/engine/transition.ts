import type { EnginePacket, Frame } from "../codec/index.ts";
import { end, onClose, onTransportGone } from "./closing.ts";
import { type Effect, NOTHING, SAVE, type SessionEvent, type Transition } from "./effects.ts";
import { asked, onDrain, onSend } from "./flow.ts";
import { onTick, seen } from "./heartbeat.ts";
import {
  enqueue,
  onFlush,
  onPoll,
  onPollGone,
  onQueueLoaded,
  onQueueStored,
  onReleasePoll,
} from "./polling.ts";
import type { SessionRules, SessionState } from "./state.ts";
import { onCandidate, onCandidateGone, onCandidatePacket } from "./upgrade.ts";

const TRANSITIONS: { readonly [E in SessionEvent["type"]]: Transition<E> } = {
  packet: onPacket,
  send: onSend,
  drain: onDrain,
  "candidate-packet": onCandidatePacket,
  flush: onFlush,
  "queue-stored": onQueueStored,
  "queue-loaded": onQueueLoaded,
  poll: onPoll,
  "poll-gone": onPollGone,
  "release-poll": onReleasePoll,
  candidate: onCandidate,
  "candidate-gone": onCandidateGone,
  "transport-gone": onTransportGone,
  close: onClose,
  tick: onTick,
};

/** Applies an event to the state. A session changes nowhere else. */
export function transition(state: SessionState, event: SessionEvent, rules: SessionRules): Effect[] {
  const on = TRANSITIONS[event.type] as Transition<SessionEvent["type"]>;
  return on(state, event, rules);
}

function onPacket(
  state: SessionState,
  { packet, now }: Extract<SessionEvent, { type: "packet" }>,
  rules: SessionRules,
): Effect[] {
  if (state.phase !== "open") return NOTHING;
  switch (packet.type) {
    case "message":
      if (state.transport === "websocket") state.seenAt = now;
      // An empty message is passed on: Socket.IO refuses it.
      return [{ type: "message", data: packet.data ?? "" }];
    case "pong":
      if (state.protocol === 3) return end(state, "INVALID_HEARTBEAT_DIRECTION");
      return onPong(state, now);
    case "close":
      return end(state, "CLIENT_CLOSED");
    case "ping":
      if (state.protocol === 3) return onClientPing(state, packet, now, rules);
      return end(state, "INVALID_HEARTBEAT_DIRECTION");
    default:
      // "0", "5" and "6" have no meaning here. Swift sends "6" during an upgrade.
      return NOTHING;
  }
}

/**
 * Most pongs are answered by the runtime, or over polling by the Worker. Listeners hear of none, so that the rule is
 * the same for all.
 */
function onPong(state: SessionState, now: number): Effect[] {
  return state.transport === "polling" ? seen(state, now) : NOTHING;
}

function onClientPing(
  state: SessionState,
  { data }: EnginePacket,
  now: number,
  rules: SessionRules,
): Effect[] {
  const pong: Frame = `3${typeof data === "string" ? data : ""}`;
  state.pongedAt = now;
  const effects: Effect[] = [{ type: "report", event: "heartbeat" }];
  // The time of the ping is stored with the channel of the next waiting poll, so no row is written for it.
  if (state.transport === "polling") {
    return [...effects, ...seen(state, now), ...enqueue(state, [pong], now, rules)];
  }
  asked(state, now, rules);
  return [...effects, { type: "write", frames: [pong] }, SAVE];
}
