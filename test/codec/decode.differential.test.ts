import { isDeepStrictEqual } from "node:util";
import * as official from "engine.io-parser";
import { expect, it } from "vitest";
import { decodePayload, encodePacket, encodePayload } from "../../src/codec/index.ts";
import { toNoise, toPacket } from "./generate.ts";
import { decodeWithOurs, decodeWithTheirs, THEIR_WORDS } from "./outcome.ts";
import { Random, SEED } from "./random.ts";

const INPUTS = 100_000;

/*
 * Deliberate differences:
 * - A message that is empty or begins with white space has no type; there `Number("")` makes it a CONNECT.
 * - What follows `b` must be base64; there Node takes what it can read of it.
 */
const hasType = (chunk: unknown) =>
  typeof chunk !== "string" || (chunk.trimStart() === chunk && chunk !== "");

function toChunks(random: Random): (string | Uint8Array)[] {
  const [header, ...attachments] = encodePacket(toPacket(random)) as [string, ...Uint8Array[]];
  const chunks: (string | Uint8Array)[] = [toNoise(random, header), ...attachments];
  while (random.chance(0.25)) {
    const extra = random.chance(0.6) ? new Uint8Array(1) : toNoise(random, header);
    chunks.splice(random.below(chunks.length + 1), 0, extra);
  }
  return chunks;
}

it(`accepts and refuses ${INPUTS} packets, most of them broken, as socket.io-parser does, seed ${SEED}`, () => {
  const random = new Random(SEED);
  const seen: Record<string, number> = {};
  for (let i = 0; i < INPUTS; ) {
    const chunks = toChunks(random);
    if (!chunks.every(hasType)) continue;
    i++;
    const ours = decodeWithOurs(chunks);
    const theirs = decodeWithTheirs(chunks);
    if (!isDeepStrictEqual(ours, theirs)) expect({ chunks, ...ours }).toStrictEqual({ chunks, ...theirs });
    const outcome = ours.refusal ?? "accepted";
    seen[outcome] = (seen[outcome] ?? 0) + 1;
  }
  expect(Object.keys(seen).toSorted()).toStrictEqual(
    [...THEIR_WORDS.map(([, code]) => code), "accepted"].toSorted(),
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(500);
  expect(seen.accepted).toBeGreaterThan(INPUTS / 10);
});

const PIECES = [
  "0",
  "1",
  "2",
  "3",
  "4",
  "6",
  "7",
  "b",
  "\x1e",
  "\x1e",
  "a",
  "AQID",
  "=",
  "==",
  " ",
  "€",
  "-",
  "{}",
];

/** The base64 that every platform reads: padding and white space are optional. */
const BASE64 = /^(?:[\w+/]{4})*(?:[\w+/]{2}(?:==)?|[\w+/]{3}=?)?$/;

function isBase64(frame: string): boolean {
  const text = frame.slice(1).replaceAll(/\s/g, "");
  return BASE64.test(text) && !text.includes("_");
}

function toComparable({ type, data }: { type: string; data?: unknown }): unknown {
  return data instanceof Uint8Array ? { type, data: Buffer.from(data).toString("hex") } : { type, data };
}

it(`accepts and refuses ${INPUTS} payloads as engine.io-parser does, seed ${SEED}`, () => {
  const random = new Random(SEED);
  let refused = 0;
  for (let i = 0; i < INPUTS; i++) {
    const valid = encodePayload(
      random.list(4, () => random.pick(["2", "4hello", "6", new Uint8Array([i & 255])])),
    );
    const noise = random.list(10, () => random.pick(PIECES)).join("");
    const body = random.chance(0.7) ? `${valid}${random.chance(0.5) ? "\x1e" : ""}${noise}` : noise;
    const ours = decodePayload(body);
    const theirs: { type: string; data?: unknown }[] = official.decodePayload(body);
    const badBase64 = body.split("\x1e").findIndex((frame) => frame[0] === "b" && !isBase64(frame));
    const wrong = theirs.findIndex(({ type }) => type === "error");
    const first = Math.min(...[badBase64, wrong].map((at) => (at < 0 ? theirs.length : at)));
    const expected = theirs.slice(0, first).map(toComparable);
    const error =
      first === theirs.length ? null : first === wrong ? "UNKNOWN_ENGINE_PACKET" : "INVALID_BASE64";
    const found = {
      packets: ours.packets.map(toComparable),
      error: ours.error?.code ?? null,
    };
    if (!isDeepStrictEqual(found, { packets: expected, error })) {
      expect({ body, ...found }).toStrictEqual({ body, packets: expected, error });
    }
    if (error) refused++;
  }
  expect(refused).toBeGreaterThan(INPUTS / 10);
  expect(refused).toBeLessThan((INPUTS * 9) / 10);
});
