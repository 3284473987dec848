import { CodecError, type CodecErrorCode } from "../codec/index.ts";

/** The words of socket.io-parser. The codec has codes only: the small client would have to carry them as well. */
const MESSAGES: Partial<Record<CodecErrorCode, string>> = {
  UNKNOWN_PACKET_TYPE: "unknown packet type ",
  ILLEGAL_ATTACHMENTS: "llegal attachments",
  TOO_MANY_ATTACHMENTS: "too many attachments",
  UNEXPECTED_TEXT: "got plaintext data when reconstructing a packet",
  UNEXPECTED_BINARY: "got binary data when not reconstructing a packet",
  INVALID_PAYLOAD: "invalid payload",
};

/** What listeners of `error` hear of a message that is no packet. */
export function toDecodeError(error: unknown, message: string | Uint8Array): unknown {
  const text = error instanceof CodecError ? MESSAGES[error.code] : undefined;
  if (text === undefined) return error;
  const { code } = error as CodecError;
  const isHeader = typeof message === "string";
  if (code === "UNKNOWN_PACKET_TYPE") (error as Error).message = text + Number(message[0]);
  // A header that counts wrongly, or a placeholder that points nowhere.
  else if (code === "ILLEGAL_ATTACHMENTS") (error as Error).message = (isHeader ? "I" : "i") + text;
  else (error as Error).message = text;
  return error;
}
