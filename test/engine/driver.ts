import type { Frame } from "../../src/codec/index.ts";
import type { Effect, SessionEvent } from "../../src/engine/effects.ts";
import { pingEach } from "../../src/engine/flow.ts";
import {
  createState,
  type SessionRules,
  type SessionState,
  type TransportName,
} from "../../src/engine/state.ts";
import { transition } from "../../src/engine/transition.ts";

/** The defaults: a ping 22.5 s after the last one, in an object that sleeps in between. */
export const RULES: SessionRules = {
  pingInterval: 25_000,
  pingTimeout: 20_000,
  coalescesPings: true,
  maxQueuedBytes: 16_000_000,
};

/** Pings so frequent that the object cannot sleep, with a time for each session. */
export const QUICK: SessionRules = {
  ...RULES,
  pingInterval: 5_000,
  pingTimeout: 4_000,
  coalescesPings: false,
};

/** Sessions are opened at this time, unless a test says otherwise. */
export const START = 1_000_000;
export const LIMIT = 16;

export function polling(now = START): SessionState {
  return createState(4, "polling", now);
}

export function websocket(now = START): SessionState {
  return createState(4, "websocket", now);
}

/** A session of a v3 client, which pings the server. */
export function version3(transport: TransportName, now = START): SessionState {
  return createState(3, transport, now);
}

/** Applies an event, and describes each effect for the host in one line, with the bytes to be sent. */
export function after(state: SessionState, event: SessionEvent, rules = RULES): string[] {
  return transition(state, event, rules).map(toLine);
}

function toLine(effect: Effect): string {
  switch (effect.type) {
    case "write":
    case "answer":
    case "reply":
      return `${effect.type} ${toWire(effect.frames)}`;
    case "write-candidate":
      return `${effect.type} ${effect.frame}`;
    case "message":
      return `message ${effect.data}`;
    case "park":
      return `park, ping in ${effect.pingInMs}`;
    case "report":
      return effect.event;
    case "closed":
      return effect.description === undefined
        ? `closed: ${effect.reason}`
        : `closed: ${effect.reason} (${(effect.description as Error).message})`;
    default:
      return effect.type;
  }
}

function toWire(frames: readonly Frame[]): string {
  return frames.map((frame) => (typeof frame === "string" ? frame : `<${frame.join(" ")}>`)).join("|");
}

export function send(
  state: SessionState,
  frames: readonly Frame[],
  now = START,
  rules = RULES,
  pongedAt = 0,
  unreadByAll = 0,
): string[] {
  return after(state, { type: "send", frames, now, pongedAt, pingEach: pingEach(unreadByAll) }, rules);
}

export function drain(state: SessionState, now: number, pongedAt = 0, rules = RULES): string[] {
  return after(state, { type: "drain", now, pongedAt, pingEach: pingEach(0) }, rules);
}

export function poll(state: SessionState, now = START, limit = LIMIT, rules = RULES): string[] {
  return after(state, { type: "poll", now, limit }, rules);
}

export function flush(state: SessionState, now = START): string[] {
  return after(state, { type: "flush", now });
}

export function tick(state: SessionState, now: number, given: Partial<Tick> = {}, rules = RULES): string[] {
  return after(state, { type: "tick", now, pongedAt: 0, lateness: 0, ...given }, rules);
}

type Tick = Extract<SessionEvent, { type: "tick" }>;
