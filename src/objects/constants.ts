/*
 * The numbers that an object depends on. This file imports nothing, because a bundler then writes each number where it
 * is used, in place of a variable.
 */

/** The longest name of a server, bytes. */
export const MOST_NAME_BYTES = 256;

/** As many as one character of a socket's id can tell apart. */
export const MOST_IN_A_REGION = 64;

/** A new session is offered to so many shards at most. */
export const MOST_SHARDS_TRIED = 3;

/** The random letters in the id of a socket over several shards: 90 bits. */
export const RANDOM_LETTERS = 15;

/** So many turns try to write what storage refuses to take. */
export const MOST_WRITES_TRIED = 100;

/** A tick looks at this many rows, or rows of this size, at most. */
export const PAGE_ROWS = 1_000;
export const PAGE_BYTES = 4_000_000;

/** How long a poll that arrives during an upgrade waits before it is answered, ms. */
export const RELEASE_MS = 100;

/** No upgrade may keep an object in memory for longer, ms. */
export const LONGEST_UPGRADE_MS = 10_000;

/** How often to check whether a WebSocket for which something waits may be written to, ms. A client may be near. */
export const DRAIN_MS = 25;

/** How much one answer to a poll takes out of rows, UTF-16 units: a long queue is never in memory as a whole. */
export const LARGEST_PAYLOAD = 1_000_000;

/** What a session takes in memory at least, bytes: measured with one namespace, no rooms and no data. */
export const SESSION_BYTES = 4_000;

/** What a handshake takes in memory, and each of its headers, besides their texts, bytes. */
export const HANDSHAKE_BYTES = 300;
export const HEADER_BYTES = 60;

/** With these codes the Worker closes the channel of a poll: its client is gone, or a ping is due. */
export const CLIENT_GONE = 4000;
export const PING_DUE = 4001;

/** How long the object may take to answer a close, ms. */
export const CHANNEL_CLOSE_MS = 10_000;

/** How often a Worker asks again for a poll whose object was restarted, and how long it waits before, ms, at most. */
export const MAX_REOPENS = 5;
export const REOPEN_WITHIN_MS = 1_000;

/** How soon a tick in which something failed is repeated, ms. */
export const TICK_RETRY_MS = 5_000;

/** How soon the next tick comes when one has left something to do, ms. */
export const TICK_SOON_MS = 100;

/** How many hibernating sessions one tick ends at most: each is loaded, and its listeners are called. */
export const MOST_ENDED = 400;

/** How many bytes a tick may load for that. It may write about as many. */
export const MOST_LOADED_BYTES = 8_000_000;

/** Without hibernation a timer of this length is renewed, ms. */
export const AWAKE_MS = 5_000;

/** A WebSocket that has ended without a close frame: https://www.rfc-editor.org/rfc/rfc6455#section-7.1.5 */
export const NO_CLOSE_FRAME = 1006;

/**
 * The size of a row, about, in UTF-16 units: small, so that little is rewritten when a client takes little at a time.
 */
export const SEGMENT_LENGTH = 16_384;

/** The largest row, in UTF-16 units: each takes 3 bytes at most, and a row may hold 2 MB in production. */
export const LONGEST_PIECE = 600_000;

/**
 * Smaller rows of `storage.kv` are not counted, since their number is limited. Sizes are rounded up to a multiple of
 * this, so that few changes have to be written.
 */
export const LARGE_ROW = 32_768;

/** How much is removed at once, bytes. The rest waits for the next tick. */
export const MOST_REMOVED = 32_000_000;

/** When this many rows in succession cannot be read, the list itself is taken to have failed. */
export const MOST_FAILURES = 1_000;

/**
 * When sessions take more than `maxStoredBytes` on disk, sessions are closed until they take less than this share of
 * it.
 */
export const SHED_TO_SHARE = 0.98;

/** How many sessions are closed for that in one turn at most. */
export const MOST_SHED = 20;

/** A setup function that takes longer than this has failed, ms: stock clients wait 20 s for a handshake. */
export const SETUP_LIMIT_MS = 15_000;

/** How long to wait before a setup function that has failed is run again, ms: twice as long after each failure. */
export const FIRST_PAUSE_MS = 1_000;
export const LONGEST_PAUSE_MS = 60_000;

/** How much that one request gives an emitter may wait for the object, bytes. */
export const MOST_EMITTED_BYTES = 16_000_000;

/** How long a call of an emitter may take, ms. The setup function of the object may take half of that. */
export const EMITTER_CALL_MS = 30_000;
