import { isDeepStrictEqual } from "node:util";
import * as official from "engine.io-parser";
import { Encoder, type Packet } from "socket.io-parser";
import { expect, it } from "vitest";
import {
  decodeFrame,
  type EnginePacket,
  encodeFrame,
  encodePacket,
  encodePacketFrames,
  encodePayload,
  type Frame,
} from "../../src/codec/index.ts";
import { toPacket } from "./generate.ts";
import { decodeWithOurs, decodeWithTheirs } from "./outcome.ts";
import { Random, SEED } from "./random.ts";

const PACKETS = 100_000;

/*
 * Deliberate differences, which the generator leaves out or the comparison allows for:
 * - An own key named `__proto__` beside bytes stays; there it is lost.
 * - A toJSON of a list is honoured beside bytes as it is without; there it is not.
 * - Data that is circular or nested deeper than MAX_DEPTH is a CodecError; there the stack overflows.
 * - Attachments are Uint8Array views; there they are whatever the caller had. (Compared as bytes below.)
 */

const encoder = new Encoder();

function toBytes(chunk: unknown): string {
  if (typeof chunk === "string") return chunk;
  if (chunk instanceof ArrayBuffer) return Buffer.from(chunk).toString("hex");
  const { buffer, byteOffset, byteLength } = chunk as Uint8Array;
  return Buffer.from(buffer, byteOffset, byteLength).toString("hex");
}

/** Fails with the packet in the message, which is cheaper than 100,000 assertions. */
function expectSame(ours: unknown, theirs: unknown, what: string, packet: unknown): void {
  if (!isDeepStrictEqual(ours, theirs))
    expect({ ours, packet }, what).toStrictEqual({ ours: theirs, packet });
}

it(`encodes ${PACKETS} packets to the official bytes and decodes them to the official values, seed ${SEED}`, () => {
  const random = new Random(SEED);
  let binary = 0;
  let refused = 0;
  for (let i = 0; i < PACKETS; i++) {
    const packet = toPacket(random);
    const theirs = encoder.encode(packet as Packet);
    const ours = encodePacket(packet);
    expectSame(ours.map(toBytes), theirs.map(toBytes), "encoded", packet);
    expectSame(encodePacketFrames(packet)[0], `4${theirs[0]}`, "frame", packet);
    const decoded = decodeWithOurs(ours as Frame[], Number.POSITIVE_INFINITY);
    expectSame(decoded, decodeWithTheirs(ours as Frame[], Number.POSITIVE_INFINITY), "decoded", packet);
    if (decoded.refusal) refused++;
    if (ours.length > 1) binary++;
  }
  expect(binary).toBeGreaterThan(PACKETS / 10);
  // The packet has placeholders that the program made itself, or an event named NaN.
  expect(refused).toBeLessThan(PACKETS / 50);
});

function toEnginePacket(random: Random): EnginePacket {
  const type = random.pick([
    "open",
    "close",
    "ping",
    "pong",
    "message",
    "message",
    "upgrade",
    "noop",
  ] as const);
  const text = random.list(6, () => random.pick(["a", "€", "😀", "\ud800", "\n", '"', "b", "4"])).join("");
  const bytes = Uint8Array.from(random.list(20, () => random.below(256)));
  if (type === "message" && random.chance(0.3)) return { type, data: bytes };
  return random.chance(0.5) ? { type, data: text } : { type };
}

it(`encodes ${PACKETS} Engine.IO packets, alone and in payloads, to the official bytes, seed ${SEED}`, () => {
  const random = new Random(SEED);
  for (let count = 0; count < PACKETS; ) {
    const packets = [toEnginePacket(random), ...random.list(8, () => toEnginePacket(random))];
    count += packets.length;
    const frames = packets.map(encodeFrame);
    packets.forEach((packet, i) => {
      official.encodePacket(packet, true, (theirs: unknown) => {
        expectSame(toBytes(frames[i]), toBytes(theirs), "frame", packet);
      });
      const { type, data } = decodeFrame(frames[i]!);
      expectSame(
        { type, data: data || undefined },
        { type: packet.type, data: packet.data || undefined },
        "round trip",
        packet,
      );
    });
    official.encodePayload(packets, (theirs) =>
      expectSame(encodePayload(frames), theirs, "payload", packets),
    );
  }
});
