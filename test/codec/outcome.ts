import { Decoder, type Packet } from "socket.io-parser";
import { type BinaryChunk, CodecError, PacketDecoder } from "../../src/codec/index.ts";

export type Chunk = string | BinaryChunk;

/** The results of a decoder for a series of messages: a packet or undefined for each, up to the first refusal. */
export interface Outcome {
  packets: unknown[];
  refusal: string | undefined;
}

/** The messages of socket.io-parser for which we have a code. */
export const THEIR_WORDS: [RegExp, string][] = [
  [/^unknown packet type/, "UNKNOWN_PACKET_TYPE"],
  [/^illegal attachments/i, "ILLEGAL_ATTACHMENTS"],
  [/^too many attachments/, "TOO_MANY_ATTACHMENTS"],
  [/^got plaintext data/, "UNEXPECTED_TEXT"],
  [/^got binary data/, "UNEXPECTED_BINARY"],
  [/^invalid payload/, "INVALID_PAYLOAD"],
];

export function decodeWithOurs(chunks: readonly Chunk[], maxAttachments = 10): Outcome {
  const decoder = new PacketDecoder({ maxAttachments });
  const packets: unknown[] = [];
  try {
    for (const chunk of chunks) packets.push(decoder.add(chunk));
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return { packets, refusal: error.code };
  }
  return { packets, refusal: undefined };
}

export function decodeWithTheirs(chunks: readonly Chunk[], maxAttachments = 10): Outcome {
  const decoder = new Decoder({ maxAttachments });
  const packets: unknown[] = [];
  let decoded: Packet | undefined;
  decoder.on("decoded", (packet: Packet) => {
    decoded = packet;
  });
  try {
    for (const chunk of chunks) {
      decoded = undefined;
      decoder.add(chunk);
      packets.push(decoded && withoutEmptyData(decoded));
    }
  } catch (error) {
    const { message } = error as Error;
    return { packets, refusal: THEIR_WORDS.find(([words]) => words.test(message))?.[1] ?? message };
  }
  return { packets, refusal: undefined };
}

/** A binary packet without data has `data: undefined` there, and no such key here. */
function withoutEmptyData(packet: Packet): Partial<Packet> {
  const { data, ...rest } = packet;
  return data === undefined ? rest : packet;
}
