import { CodecError } from "../../codec/index.ts";

/**
 * What listeners of `error` hear of a message that is no packet, in the words of socket.io-parser. The codec has codes
 * only, since the small client would have to carry the words as well; most of them say the same.
 */
export function toDecodeError(error: unknown, message: string | Uint8Array): unknown {
  if (!(error instanceof CodecError)) return error;
  const { code } = error;
  let text = code.toLowerCase().replaceAll("_", " ");
  if (code === "UNKNOWN_PACKET_TYPE") text += ` ${Number(message[0])}`;
  else if (code === "UNEXPECTED_TEXT") text = "got plaintext data when reconstructing a packet";
  else if (code === "UNEXPECTED_BINARY") text = "got binary data when not reconstructing a packet";
  // In a header, other than in a placeholder, they have a capital letter.
  else if (typeof message === "string") text = text.replace("illegal", "Illegal");
  error.message = text;
  return error;
}
