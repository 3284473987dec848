/*
 * The numbers that sessions depend on. This file imports nothing, because a bundler then writes each number where it
 * is used, in place of a variable.
 */

/**
 * How long a session that is closing waits at most for its client to take what is queued, ms (engine.io's
 * closeTimeout).
 */
export const CLOSE_TIMEOUT_MS = 30_000;

/**
 * A ping is written after this many bytes while the sessions of the object together have much that they may not have
 * read.
 */
export const CROWDED_PING_EACH_BYTES = 64_000;
/** From this many bytes on it is much. */
export const CROWDED_BYTES = 32_000_000;

/** A client that cannot be asked is written this many bytes each ms, after a first amount that is written at once. */
export const UNASKED_BYTES_A_MS = 4_000;
/** That first amount, bytes. */
export const AHEAD_BYTES = 2_000_000;

/** Pings go out after this share of `pingInterval`. */
export const PING_SHARE = 0.9;

/**
 * In an object that hibernates between its ticks, a tick pings every session whose last ping is older than this share
 * of an interval. A session that is skipped causes a tick of its own, and that tick finds all others old enough: from
 * then on all of them are pinged at the same ticks.
 */
export const COALESCE_SHARE = 0.45;

/** How long a Worker may take to give back a poll that is due for a ping, ms. */
export const HAND_BACK_MS = 10_000;

/**
 * No ping is sent for this long after the session was opened, ms: elephant.io takes the first frame after its CONNECT
 * for the answer to it.
 */
export const QUIET_START_MS = 1_000;

/** The runtime waits 10 s before an object hibernates, so one that is woken more often never does. */
export const SHORTEST_SLEEP_MS = 10_000;

/**
 * How long a poll waits in the Worker at most, ms: `pingInterval` may be longer than the 24 days that a timer takes.
 */
export const LONGEST_HOLD_MS = 86_400_000;

/** Close codes of a WebSocket: "try again later", and for a client that takes too much. */
export const TRY_AGAIN_LATER = 1013;
export const POLICY_VIOLATION = 1008;

/** What a waiting message or packet takes in memory besides its own bytes. */
export const HELD_BYTES = 200;
