/*
 * The numbers that the server depends on. This file imports nothing, because a bundler then writes each number where
 * it is used, in place of a variable.
 */

/**
 * How many empty children are kept at least. Clients choose the names of children, and on Node all of these stay, so
 * that a client can create any number.
 */
export const MAX_EMPTY_CHILDREN = 1_000;

/** A property's row states the size of its entries. It is written anew when that has changed by this much, bytes. */
export const MAX_SIZE_STEP = 32_000;

/** The same limit, as a share of `maxDataBytes`. */
export const SIZE_STEP_SHARE = 0.02;

/** Up to how many entries a plain object is compared to which the setup function has a reference of its own. */
export const MOST_COMPARED = 1_000;

/** Up to this size a setup function may go on to change what it has assigned through its own reference, bytes. */
export const SMALL_VALUE_BYTES = 1_000;

/** A value that has grown larger is not compared any more whenever code has settled, bytes. */
export const LARGE_VALUE_BYTES = 10_000;

/** About what a row takes besides its key and value. In memory an entry takes about four times as much. */
export const ROW_BYTES = 100;

/** The longest key of a row, bytes: the platform's limit. */
export const MAX_KEY_BYTES = 2_048;

/** The largest row, bytes: the platform allows 2 MB. */
export const MAX_ROW_BYTES = 1_900_000;

/** Messages show so many letters of the name of a value, since it may contain keys that clients have chosen. */
export const LONGEST_PATH = 200;

/** So many different warnings are logged: clients may choose names that are part of one. */
export const MAX_WARNINGS = 1_000;

/** The shortest time between two searches for expired rows, ms. */
export const SWEEP_PAUSE_MS = 60_000;

/** As many levels of `auth` are allowed as of `socket.data`. */
export const DEEPEST_AUTH = 500;

/** So many ids of acknowledgements are given out at a time. */
export const ACK_BLOCK = 1_000;

/** How many rooms that a socket has left are remembered. */
export const MAX_ROOMS_LEFT = 100;

/** What a room takes in memory besides its name: its entry in the index, which no other room may share. */
export const ROOM_BYTES = 250;

/** Each refusal is an answer that may have to wait; no honest client is refused so often. */
export const MOST_REFUSALS = 10_000;

/**
 * Estimated memory of a socket besides its record (measured), in bytes. The first one of a connection is counted with
 * that.
 */
export const SOCKET_BYTES = 3_000;

/** Estimated memory of a handler that has not settled, besides its arguments, in bytes. */
export const HANDLER_BYTES = 500;

/** A replay of `connection` listeners is muted for this long at most, ms. */
export const REPLAY_LIMIT_MS = 10_000;

/** Estimated memory of an acknowledgement that a handler owes, besides the arguments of the event, in bytes. */
export const OWED_BYTES = 500;

/** An array may have so many holes in any case. */
export const MAX_HOLES = 1_000;

/** Levels that are copied. Nobody nests data deeper on purpose, and structured clone has a limit as well. */
export const MAX_DEPTH = 500;

/** So many keys of one object are remembered: code that uses it as a dictionary assigns new ones without end. */
export const MAX_REMEMBERED = 1_000;

/** How much may wait for all shards together, bytes. */
export const MOST_WAITING_BYTES = 16_000_000;

/** What a message takes in memory besides its content, bytes. */
export const MESSAGE_BYTES = 200;

/** How many requests of other shards may have answers that wait to be fetched. */
export const MOST_REPLIES = 1_000;

/** How long a request waits for the answers of other shards, as on Node, unless `timeout()` sets another time, ms. */
export const REQUEST_MS = 5_000;

/** How long the answers to a request of another shard can be fetched again, ms. */
export const ANSWERS_KEPT_MS = 15_000;

/** How long it takes to notice that a call for answers has failed and to try again, ms. */
export const ASK_AGAIN_MS = 250;

/** How long one call of a shard may take, ms. */
export const LONGEST_CALL_MS = 5_000;

/**
 * No call of a batch begins later than this after the first one, ms. The last one is over 5 s later, and an idle
 * receiver knows for 10 s which batch it has carried out.
 */
export const REPEAT_BATCH_MS = 5_000;

/** By how much the timer may be late that ends the pause before the last call of a batch, ms. */
export const LATE_MS = 250;

/** After its first failure a call is repeated at once, and then after pauses that double from this one on, ms. */
export const FIRST_CALL_PAUSE_MS = 250;

/** The longest pause between a batch that was given up and the next one, ms. */
export const LONGEST_CALL_PAUSE_MS = 5_000;

/** The largest batch, bytes. */
export const BATCH_BYTES = 1_000_000;

/** How many epochs of a shard are remembered. An instance that a later one has replaced learns what was carried out. */
export const MOST_EPOCHS = 4;

/**
 * How much all answers that wait in an object may take, bytes; further ones are refused unless fetched ones make room.
 * The platform allows one call to return 32 MiB.
 */
export const MOST_REPLY_BYTES = 24_000_000;
