/** The reason for the end of a session, as engine.io names it. */
export type CloseReason =
  | "transport close"
  | "transport error"
  | "ping timeout"
  | "parse error"
  | "forced close";

/** Why a session has ended, for programs: docs/errors.md explains each. */
export type EndCode =
  | "CLIENT_CLOSED"
  | "TRANSPORT_LOST"
  | "TRANSPORT_ERROR"
  | "PING_TIMEOUT"
  | "PARSE_ERROR"
  | "INVALID_HEARTBEAT_DIRECTION"
  | "TOO_LARGE"
  | "POLL_CONNECTION_CLOSED_PREMATURELY"
  | "OVERLAP_FROM_CLIENT"
  | "DATA_REQUEST_CONNECTION_CLOSED_PREMATURELY"
  | "DATA_REQUEST_OVERLAP_FROM_CLIENT"
  | "DATA_REQUEST_TIMED_OUT"
  | "INVALID_CONTENT"
  | "PACKET_INVALID"
  | "PACKET_MISPLACED"
  | "PACKET_INCOMPLETE"
  | "NO_NAMESPACE_JOINED"
  | "SERVER_CLOSED"
  | "REPLACED"
  | "RECOVERY_LOST"
  | "TOO_MANY_BYTES_QUEUED"
  | "HELD_BYTES"
  | "CLIENT_LIMIT"
  | "STORED_BYTES"
  | "STATE_TOO_LARGE"
  | "SAVE_FAILED"
  | "LOAD_FAILED"
  | "SETUP_FAILED"
  | "CLIENT_UNKNOWN"
  | "SHARD_RETIRED"
  | "RESTARTED";

/** What listeners are told as the reason, where it is no `transport error`. It says enough without a description. */
const REASONS: { readonly [Code in EndCode]?: CloseReason } = {
  CLIENT_CLOSED: "transport close",
  TRANSPORT_LOST: "transport close",
  PING_TIMEOUT: "ping timeout",
  PARSE_ERROR: "parse error",
  SERVER_CLOSED: "forced close",
};

/** Descriptions that do not consist of the words of their code. */
const DESCRIPTIONS: { readonly [Code in EndCode]?: string } = {
  TOO_LARGE: "Max payload size exceeded",
  PACKET_INCOMPLETE: "the rest of a binary packet did not come",
  SHARD_RETIRED: "the server has fewer objects now, and this is none of them any more",
  STORED_BYTES: "the object stores more than maxStoredBytes for its clients, and most of it for this one",
  RESTARTED: "the object was restarted while something was under way that cannot be stored",
};

export function reasonOf(code: EndCode): CloseReason {
  return REASONS[code] ?? "transport error";
}

/** What is said of an end for which its cause brings no description. */
export function descriptionOf(code: EndCode): string | undefined {
  if (code in REASONS) return undefined;
  return DESCRIPTIONS[code] ?? code.toLowerCase().replaceAll("_", " ");
}
