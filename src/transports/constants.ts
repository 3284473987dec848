/*
 * The numbers that polling depends on. This file imports nothing, because a bundler then writes each number where it
 * is used, in place of a variable.
 */

/**
 * How many packets a payload has at most for clients that are not known to take more: python-engineio hangs up then.
 */
export const CAUTIOUS_LIMIT = 16;
export const GENEROUS_LIMIT = 10_000;

/** A body of up to this many bytes is read at once, which is faster than in chunks. */
export const SHORT_BODY = 16_000;
