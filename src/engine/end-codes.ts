import type { CloseReason } from "./state.ts";

/**
 * Every way in which a session ends: the reason that listeners get, and the description where the cause brings none.
 * docs/errors.md says of each code what it means and what to do.
 */
const ENDS = {
  CLIENT_CLOSED: ["transport close"],
  TRANSPORT_LOST: ["transport close"],
  TRANSPORT_ERROR: ["transport error"],
  PING_TIMEOUT: ["ping timeout"],
  PARSE_ERROR: ["parse error"],
  INVALID_HEARTBEAT: ["transport error", "invalid heartbeat direction"],
  TOO_LARGE: ["transport error", "Max payload size exceeded"],
  POLL_ABORTED: ["transport error", "poll connection closed prematurely"],
  POLL_OVERLAP: ["transport error", "overlap from client"],
  POST_ABORTED: ["transport error", "data request connection closed prematurely"],
  POST_OVERLAP: ["transport error", "data request overlap from client"],
  POST_TIMEOUT: ["transport error", "data request timed out"],
  POST_INVALID: ["transport error", "invalid content"],
  PACKET_INVALID: ["forced close"],
  PACKET_MISPLACED: ["forced close"],
  PACKET_INCOMPLETE: ["forced close", "the rest of a binary packet did not come"],
  NO_NAMESPACE: ["forced close", "the client joined no namespace within connectTimeout"],
  SERVER_CLOSED: ["forced close"],
  REPLACED: ["forced close"],
  RECOVERY_LOST: ["forced close", "what the client has come back to is gone"],
  QUEUE_FULL: ["transport error", "too many bytes queued"],
  HELD_BYTES: ["transport error"],
  CLIENT_LIMIT: ["transport error"],
  STORED_BYTES: [
    "transport error",
    "the object stores more than maxStoredBytes for its clients, and most of it for this one",
  ],
  STATE_TOO_LARGE: ["transport error", "holds more than a row can (2 MB)"],
  SAVE_FAILED: ["transport error", "could not be saved"],
  LOAD_FAILED: ["transport error"],
  SETUP_FAILED: ["transport error"],
  CLIENT_UNKNOWN: ["transport error", "the client connected before the option handshakeData was set"],
  RESTARTED: [
    "transport error",
    "the object was restarted while something was under way that cannot be stored",
  ],
} as const satisfies Record<string, readonly [reason: CloseReason, description?: string]>;

/** Why a session has ended, for programs: docs/errors.md explains each. */
export type EndCode = keyof typeof ENDS;

export function reasonOf(code: EndCode): CloseReason {
  return ENDS[code][0];
}

export function descriptionOf(code: EndCode): string | undefined {
  return ENDS[code][1];
}
