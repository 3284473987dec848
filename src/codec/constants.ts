/*
 * The bounds of the codec. This file imports nothing, because a bundler then writes each number where it is used, in
 * place of a variable.
 */

/**
 * The maximum nesting depth of data to be sent. Deeper data is treated as circular. Unlike a stack overflow, a fixed
 * limit is the same on every JavaScript engine, and receivers in Python or Java have a similar limit.
 */
export const MAX_DEPTH = 1000;

/** How many attachments a packet may have by default: as many as socket.io-parser allows since 4.2.6. */
export const DEFAULT_MAX_ATTACHMENTS = 10;
