import type { EnginePacket, Frame } from "../codec/index.ts";
import { end, onClose, onTransportGone } from "./closing.ts";
import { type Effect, NOTHING, PING, SAVE, type SessionEvent } from "./effects.ts";
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
import { byteLength, type SessionRules, type SessionState } from "./state.ts";
import { onCandidate, onCandidateGone, onCandidatePacket } from "./upgrade.ts";

/** A WebSocket that is written to without end gets a ping each time this many bytes have gone out. */
export const PING_EACH_BYTES = 1_000_000;

/** The one place where a session changes. */
export function transition(state: SessionState, event: SessionEvent, rules: SessionRules): Effect[] {
  switch (event.type) {
    case "packet":
      return onPacket(state, event.packet, event.now, rules);
    case "send":
      return onSend(state, event.frames, event.now, rules);
    case "candidate-packet":
      return onCandidatePacket(state, event, rules);
    case "flush":
      return onFlush(state, event, rules);
    case "queue-stored":
      return onQueueStored(state, event, rules);
    case "queue-loaded":
      return onQueueLoaded(state, event, rules);
    case "poll":
      return onPoll(state, event, rules);
    case "poll-gone":
      return onPollGone(state, event, rules);
    case "release-poll":
      return onReleasePoll(state, event, rules);
    case "candidate":
      return onCandidate(state, event, rules);
    case "candidate-gone":
      return onCandidateGone(state, event, rules);
    case "transport-gone":
      return onTransportGone(state, event, rules);
    case "close":
      return onClose(state, event, rules);
    case "tick":
      return onTick(state, event, rules);
  }
}

function onPacket(state: SessionState, packet: EnginePacket, now: number, rules: SessionRules): Effect[] {
  if (state.phase !== "open") return NOTHING;
  switch (packet.type) {
    case "message":
      // An empty message is a message too: the layer above refuses it.
      return [{ type: "message", data: packet.data ?? "" }];
    case "pong":
      if (state.protocol === 3) return end(state, "transport error", "invalid heartbeat direction");
      return onPong(state, now);
    case "close":
      return end(state, "transport close");
    case "ping":
      if (state.protocol === 3) return onClientPing(state, packet, now, rules);
      return end(state, "transport error", "invalid heartbeat direction");
    default:
      // "0", "5" and "6" mean nothing here; Swift sends "6" while it upgrades.
      return NOTHING;
  }
}

function onPong(state: SessionState, now: number): Effect[] {
  const report: Effect = { type: "report", event: "heartbeat" };
  // Over polling the Worker answers most of them by itself, so that none of them is seen is one rule.
  if (state.transport === "polling") return seen(state, now);
  state.pongedAt = now;
  state.unansweredBytes = 0;
  return [report, SAVE];
}

function onClientPing(
  state: SessionState,
  { data }: EnginePacket,
  now: number,
  rules: SessionRules,
): Effect[] {
  const pong: Frame = `3${typeof data === "string" ? data : ""}`;
  const effects: Effect[] = [{ type: "report", event: "heartbeat" }];
  if (state.transport === "polling")
    return [...effects, ...seen(state, now), ...enqueue(state, [pong], rules)];
  state.pongedAt = now;
  return [...effects, { type: "write", frames: [pong] }, SAVE];
}

function onSend(state: SessionState, frames: readonly Frame[], now: number, rules: SessionRules): Effect[] {
  if (state.phase !== "open") return NOTHING;
  if (state.transport === "polling") return enqueue(state, frames, rules);
  if (state.protocol === 3) return [{ type: "write", frames }];
  const before = state.unansweredBytes;
  state.unansweredBytes += byteLength(frames);
  if (state.unansweredBytes > rules.maxQueuedBytes) {
    return end(state, "transport error", "too many bytes queued");
  }
  const write: Effect = { type: "write", frames };
  if (Math.floor(state.unansweredBytes / PING_EACH_BYTES) === Math.floor(before / PING_EACH_BYTES)) {
    return [write];
  }
  state.pingedAt = now;
  return [write, { type: "write", frames: [PING] }, SAVE];
}
