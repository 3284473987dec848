/*
 * The numbers that the budget of bytes depends on. This file imports nothing, because a bundler then writes each
 * number where it is used, in place of a variable.
 */

/** New clients are refused when more than this share is in use; the rest is for clients that are connected. */
export const DOOR_SHARE = 0.9;

/** Hibernating sessions may take this share of all bytes together, and each of them this part of what is left of it. */
export const ASLEEP_SHARE = 0.5;
export const ASLEEP_PART = 1 / 12;

/** An object that holds less than this share of its own limit gives nothing up when its isolate holds too much. */
export const SMALL_SHARE = 1 / 48;

/** An object that has done nothing for this long, ms, may have been evicted, so what it held is not counted. */
export const QUIET_MS = 30_000;

/** What a waiting item takes in memory besides its own bytes. */
export const ITEM_BYTES = 60;
