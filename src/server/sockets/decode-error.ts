import { CodecError } from "../../codec/index.ts";

/**
 * What `error` listeners get for a message that is no packet, in the words of socket.io-parser. The codec only has
 * codes, so that the small client need not carry the texts. Most codes consist of the same words.
 */
export function toDecodeError(error: unknown, message: string | Uint8Array): unknown {
  if (!(error instanceof CodecError)) return error;
  const { code } = error;
  let text = code.toLowerCase().replaceAll("_", " ");
  if (code === "UNKNOWN_PACKET_TYPE") text += ` ${Number(message[0])}`;
  else if (code === "UNEXPECTED_TEXT") text = "got plaintext data when reconstructing a packet";
  else if (code === "UNEXPECTED_BINARY") text = "got binary data when not reconstructing a packet";
  // socket.io-parser writes this word with a capital letter when a header is wrong, but not when a placeholder is.
  else if (typeof message === "string") text = text.replace("illegal", "Illegal");
  error.message = text;
  return error;
}
