import { end, endClosing } from "./closing.ts";
import { CLOSE_TIMEOUT_MS, COALESCE_SHARE, HAND_BACK_MS, PING_SHARE, QUIET_START_MS } from "./constants.ts";
import { type Effect, NOTHING, PING, SAVE, type Transition } from "./effects.ts";
import { PING_EACH_BYTES, type SessionRules, type SessionState, type WaitingPoll } from "./state.ts";

/*
 * The server pings, the client answers (Engine.IO v4). Pings go out at a fixed rate, 0.9 x pingInterval:
 * python-engineio leaves max(pingInterval, pingTimeout) + 5 s after it last wrote, so a late ping costs a client.
 *
 *   websocket   tick ─ "2" ─► client ─ "3" ─► answered by the runtime, which keeps the time of it
 *   polling     the waiting GET is answered "2" when a ping is due; asking again proves that somebody is there
 *
 * In Engine.IO v3 the client pings and the server answers: there it is the pings that must not stay away, over polling
 * too.
 */

/** When the next ping of a session is due, ms; 0 for at once, when it is not known when the last one was sent. */
export function pingDueAt(state: SessionState, rules: SessionRules): number {
  if (state.protocol === 3) return Infinity;
  if (state.transport === "polling") {
    return state.pingedAt === 0 ? 0 : state.pingedAt + PING_SHARE * rules.pingInterval;
  }
  return (state.pingedAt || state.openedAt) + PING_SHARE * rules.pingInterval;
}

/** When the last ping was sent, computed from when the next one is due; 0 for clients that ping the server. */
export function pingedBefore(pingDueAt: number, rules: SessionRules): number {
  return Number.isFinite(pingDueAt) ? pingDueAt - PING_SHARE * rules.pingInterval : 0;
}

/** Whether the client has not answered its last ping yet. */
export function isPingOutstanding(state: SessionState, pongedAt: number): boolean {
  return state.transport === "websocket" && state.pingedAt > Math.max(state.pongedAt, pongedAt);
}

/** Whether there was no answer or no poll for so long that the client has to be gone. */
export function isExpired(state: SessionState, now: number, pongedAt: number, rules: SessionRules): boolean {
  if (state.protocol === 3 && (state.transport === "websocket" || state.pongedAt !== 0)) {
    const heardAt = state.transport === "websocket" ? Math.max(state.pongedAt, state.seenAt) : state.pongedAt;
    return now - Math.max(state.openedAt, heardAt) >= rules.pingInterval + rules.pingTimeout;
  }
  if (state.transport === "websocket") {
    // No pong can come while the client sends a long message.
    const heardAt = Math.max(state.pingedAt, state.seenAt);
    return isPingOutstanding(state, pongedAt) && now - heardAt >= answerWithinMs(state, rules);
  }
  if (state.poll !== null) return isLost(state.poll, now, rules);
  if (state.seenAt !== 0) return now - state.seenAt >= rules.pingInterval + rules.pingTimeout;
  return state.absentSince !== 0 && now - state.absentSince >= rules.pingTimeout;
}

/**
 * How long a ping may stay unanswered, ms. One that was written after much else is read late, so its client gets as
 * long as on Node at most.
 */
function answerWithinMs({ unreadBytes }: SessionState, { pingInterval, pingTimeout }: SessionRules): number {
  return unreadBytes < PING_EACH_BYTES ? pingTimeout : pingInterval + pingTimeout;
}

/**
 * Whether a poll should have been given back by its Worker long ago: the Worker is gone then, and the client with it.
 */
export function isLost({ pingDueAt }: WaitingPoll, now: number, { pingTimeout }: SessionRules): boolean {
  return now - pingDueAt >= pingTimeout + HAND_BACK_MS;
}

/**
 * When a tick has something to do for this session, ms. It is never later than a whole interval, even if the clock was
 * set back.
 */
export function nextTickAt(state: SessionState, now: number, rules: SessionRules): number {
  return Math.min(toNextTick(state, now, rules), now + longestQuietMs(rules));
}

/** The longest time that a session goes without a tick, ms. */
export function longestQuietMs(rules: SessionRules): number {
  return Math.max(rules.pingInterval + rules.pingTimeout, CLOSE_TIMEOUT_MS);
}

function toNextTick(state: SessionState, now: number, rules: SessionRules): number {
  if (state.phase === "closing") return state.closeBy;
  if (state.transport === "polling" && (state.protocol === 4 || state.pongedAt === 0)) {
    if (rules.coalescesPings) return now + PING_SHARE * rules.pingInterval;
    return (state.seenAt || state.absentSince || now) + rules.pingInterval + rules.pingTimeout;
  }
  if (state.protocol === 3) {
    return Math.max(state.openedAt, state.pongedAt) + rules.pingInterval + rules.pingTimeout;
  }
  const dueAt = pingDueAt(state, rules);
  const expiresAt = Math.max(state.pingedAt, state.seenAt) + answerWithinMs(state, rules);
  if (!isPingOutstanding(state, 0)) return dueAt;
  // A ping that is due has not been sent because the one before is still unanswered.
  if (dueAt <= now) return expiresAt;
  // A ping whose time is over was answered; only the runtime knows when.
  return rules.coalescesPings || expiresAt <= now ? dueAt : Math.min(dueAt, expiresAt);
}

export const onTick: Transition<"tick"> = (state, { now, pongedAt: stampedAt, lateness }, rules) => {
  if (state.phase === "closed") return NOTHING;
  forgetFuture(state, now);
  const pongedAt = stampedAt > now ? 0 : stampedAt;
  if (state.phase === "closing") {
    return now >= state.closeBy ? endClosing(state) : NOTHING;
  }
  if (isExpired(state, now - lateness, pongedAt, rules)) return end(state, "PING_TIMEOUT");
  // What delayed the tick may have delayed the client's request as well.
  if (state.transport === "polling" && state.seenAt !== 0) state.seenAt += lateness;
  if (state.transport === "polling") return onPollingTick(state, now);
  // Nothing may be sent between "3probe" and "5"; nothing is, since the session still polls then.
  if (isPingOutstanding(state, pongedAt) || !isPingDue(state, now, rules)) return NOTHING;
  return ping(state, now);
};

/** A client that polls is pinged by the answers to its polls. A tick only notices that no poll comes. */
function onPollingTick(state: SessionState, now: number): Effect[] {
  const isKnown = state.poll !== null || state.seenAt !== 0 || (state.protocol === 3 && state.pongedAt !== 0);
  if (isKnown || state.absentSince !== 0) return NOTHING;
  state.absentSince = now;
  return [SAVE];
}

function isPingDue(state: SessionState, now: number, rules: SessionRules): boolean {
  if (state.protocol === 3) return false;
  const quiet = Math.min(QUIET_START_MS, rules.pingInterval / 3);
  const age = now - state.openedAt;
  // The session was opened before the clock was set back.
  if (age < 0 && state.pingedAt === 0) return true;
  if (age >= 0 && age < quiet) return false;
  if (!rules.coalescesPings) return now >= pingDueAt(state, rules);
  return now - (state.pingedAt || state.openedAt) >= COALESCE_SHARE * rules.pingInterval;
}

/** Corrects times in the future, which remain when the clock is set back: they would delay pings until then. */
export function forgetFuture(state: SessionState, now: number): void {
  if (state.pingedAt > now) {
    state.pingedAt = 0;
    state.pongedAt = 0;
  }
  state.pongedAt = Math.min(state.pongedAt, now);
  state.seenAt = Math.min(state.seenAt, now);
  state.absentSince = Math.min(state.absentSince, now);
  state.overfullSince = Math.min(state.overfullSince, now);
  state.closeBy = Math.min(state.closeBy, now + CLOSE_TIMEOUT_MS);
}

/** Sends a ping; the one before has been answered. `hasMore`: other frames follow for the same event. */
export function ping(state: SessionState, now: number, hasMore = false): Effect[] {
  state.pingedAt = now;
  state.unreadBytes = state.bytesAfterPing;
  state.bytesAfterPing = 0;
  return [{ type: "write", frames: [PING], hasMore }, SAVE];
}

/** A request came: the client is not absent. */
export function seen(state: SessionState, now: number): Effect[] {
  state.seenAt = now;
  if (state.absentSince === 0) return NOTHING;
  state.absentSince = 0;
  return [SAVE];
}
