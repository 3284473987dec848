/** Why a frame, payload or packet was refused. The hosts decide what each code answers on the wire. */
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
  /** A text message came where an attachment was due. */
  | "UNEXPECTED_TEXT"
  /** A binary message came where no attachment was due. */
  | "UNEXPECTED_BINARY"
  /** Not JSON, or not what this type of packet carries. */
  | "INVALID_PAYLOAD"
  /** Data to be sent that contains itself, or is nested deeper than `MAX_DEPTH`. */
  | "CIRCULAR";

/** A refusal by the codec: bad input from outside, or data that no packet can carry. */
export class CodecError extends Error {
  override readonly name = "CodecError";
  readonly code: CodecErrorCode;

  constructor(code: CodecErrorCode) {
    super(code);
    this.code = code;
  }
}
