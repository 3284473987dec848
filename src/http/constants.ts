/*
 * The bounds of what the Worker takes and logs. This file imports nothing, because a bundler then writes each number
 * where it is used, in place of a variable.
 */

/** The data is sent with the handshake, and stored with the session. */
export const MAX_DATA_BYTES = 8_000;

/** Anybody can make up origins, so the log names this many at most. */
export const MOST_ORIGINS_TOLD = 100;
