/** Why a frame, payload or packet was refused. The caller decides what to answer on the wire. */
export type CodecErrorCode =
  /** The first character is not a digit from 0 to 6, nor `b`. */
  | "UNKNOWN_ENGINE_PACKET"
  /** What follows `b` is not base64. */
  | "INVALID_BASE64"
  /** The first character of a message is not a digit from 0 to 6. */
  | "UNKNOWN_PACKET_TYPE"
  /** An attachment count that is missing or below 1, or a placeholder that points at no attachment. */
  | "ILLEGAL_ATTACHMENTS"
  /** More attachments announced than the decoder accepts. */
  | "TOO_MANY_ATTACHMENTS"
  /** A text message was received where an attachment was expected. */
  | "UNEXPECTED_TEXT"
  /** A binary message was received where no attachment was expected. */
  | "UNEXPECTED_BINARY"
  /** The payload is not JSON, or this type of packet may not carry it. */
  | "INVALID_PAYLOAD"
  /** Data to be sent that contains itself, or is nested deeper than `MAX_DEPTH`. */
  | "CIRCULAR";

/** Thrown by the codec for malformed input, and for data that cannot be sent. */
export class CodecError extends Error {
  override readonly name = "CodecError";
  readonly code: CodecErrorCode;

  constructor(code: CodecErrorCode) {
    super(code);
    this.code = code;
  }
}
