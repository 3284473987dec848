/*
 * The bounds of what the Worker takes, logs and waits for. This file imports nothing, because a bundler then writes
 * each number where it is used, in place of a variable.
 */

/** The data is sent with the handshake, and stored with the session. */
export const MAX_DATA_BYTES = 8_000;

/** Anybody can make up origins, so the log names this many at most. */
export const MOST_ORIGINS_TOLD = 100;

/** How long `stats` waits for an object, unless it is told another time, ms. */
export const STATS_TIMEOUT_MS = 5_000;
