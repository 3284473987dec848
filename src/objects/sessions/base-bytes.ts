import type { HandshakeRecord } from "../../engine/handshake.ts";
import { bytesOfText } from "../../shared/estimate-bytes.ts";
import { HANDSHAKE_BYTES, HEADER_BYTES, SESSION_BYTES } from "../constants.ts";

/** What a session takes in memory from its start, bytes. */
export function baseBytes({ request, data = "" }: HandshakeRecord): number {
  let bytes = HANDSHAKE_BYTES + bytesOfText(request.url) + bytesOfText(data);
  for (const [name, value] of request.headers) bytes += HEADER_BYTES + name.length + bytesOfText(value);
  // The request is in memory twice: as it is used, and as it is stored.
  return Math.max(SESSION_BYTES, SESSION_BYTES / 2 + 2 * bytes);
}
