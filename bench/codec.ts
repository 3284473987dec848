/**
 * Measures how long encoding and decoding typical packets takes: bare JSON (the control, run twice), this codec and the
 * official parsers. The bar: the time that this codec needs beyond bare JSON is at most half of what the official
 * parsers need beyond it, summed over the text packets.
 */
import * as engineParser from "engine.io-parser";
import { Decoder, Encoder, type Packet } from "socket.io-parser";
import { decodeFrame, encodePacketFrames, PacketDecoder, type SocketPacket } from "../src/codec/index.ts";
import type { Check } from "./support/check.ts";

interface Scenario {
  name: string;
  packet: SocketPacket;
  /** The work of about one millisecond per sample. */
  iterations: number;
}

interface Contestant {
  name: string;
  prepare(packet: SocketPacket): () => unknown;
}

const BAR = 0.5;

/** Rounds before the measurement, in which the engine compiles the code. */
const WARM_UP = 3;

/** The samples of each contestant in a round. */
const SAMPLES = 9;

const scenarios: Scenario[] = [
  { name: "small event", packet: event("chat message", "hello world"), iterations: 1_500 },
  { name: "1 kB event", packet: event("update", toKilobyte()), iterations: 250 },
  { name: "50 objects", packet: event("players", Array.from({ length: 50 }, toPlayer)), iterations: 20 },
  {
    name: "event with ack",
    packet: { ...event("save", { id: 42, title: "note" }), id: 7 },
    iterations: 1_000,
  },
];

const binary: Scenario = {
  name: "10 kB binary",
  packet: event("file", { name: "photo.jpg", data: new Uint8Array(10_240).fill(7) }),
  iterations: 300,
};

function event(...data: unknown[]): SocketPacket {
  return { type: 2, nsp: "/", data };
}

function toKilobyte(): object {
  const paragraph = "A room is a set of sockets that a message can be sent to. ".repeat(15);
  return { id: 1234, author: "somebody", createdAt: 1_790_000_000_000, text: paragraph, tags: ["a", "b"] };
}

function toPlayer(_: unknown, i: number): object {
  return { id: i, name: `player ${i}`, score: i * 37, online: i % 2 === 0, at: { x: i * 1.5, y: i / 3 } };
}

function withoutBytes(data: unknown): unknown {
  return JSON.parse(JSON.stringify(data, (_, value) => (value instanceof Uint8Array ? null : value)));
}

const bare: Contestant = {
  name: "bare JSON",
  prepare({ data: input }) {
    // Bare JSON cannot carry bytes, so its share of a binary event is the text only.
    const data = withoutBytes(input);
    return () => JSON.parse(JSON.stringify(data));
  },
};

const ours: Contestant = {
  name: "socket.io-edge",
  prepare(packet) {
    const decoder = new PacketDecoder();
    return () => {
      let decoded: SocketPacket | undefined;
      for (const frame of encodePacketFrames(packet)) decoded = decoder.add(decodeFrame(frame).data ?? "");
      return decoded;
    };
  },
};

const theirs: Contestant = {
  name: "official",
  prepare(packet) {
    const encoder = new Encoder();
    const decoder = new Decoder();
    let decoded: Packet | undefined;
    decoder.on("decoded", (result: Packet) => {
      decoded = result;
    });
    return () => {
      const frames: unknown[] = [];
      const keep = (frame: unknown) => frames.push(frame);
      for (const data of encoder.encode(packet as Packet)) {
        engineParser.encodePacket({ type: "message", data }, true, keep);
      }
      for (const frame of frames) decoder.add(engineParser.decodePacket(frame as string).data);
      return decoded;
    };
  },
};

const contestants = [bare, { ...bare, name: "bare again" }, ours, theirs];

/**
 * Returns nanoseconds for each contestant, as the median of the rounds. The contestants take turns in samples of about
 * a millisecond, and the best sample of a round counts, as a multiple of the control's. So another process that takes
 * the processor away or slows the machine down for a while does not change the result.
 */
function measure({ packet, iterations }: Scenario, rounds: number): number[] {
  const runs = contestants.map((contestant) => contestant.prepare(packet));
  const controls: number[] = [];
  const multiples = contestants.map((): number[] => []);
  for (let round = -WARM_UP; round < rounds; round++) {
    const best = contestants.map(() => Number.POSITIVE_INFINITY);
    for (let sample = 0; sample < SAMPLES; sample++) {
      runs.forEach((run, i) => {
        best[i] = Math.min(best[i]!, time(run, iterations));
      });
    }
    if (round < 0) continue;
    controls.push(best[0]!);
    best.forEach((nanoseconds, i) => {
      multiples[i]!.push(nanoseconds / best[0]!);
    });
  }
  const control = median(controls);
  return multiples.map((values) => median(values) * control);
}

let sink: unknown;

function time(run: () => unknown, iterations: number): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < iterations; i++) sink = run();
  return Number(process.hrtime.bigint() - start) / iterations;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function toRow(
  name: string,
  [control = 0, again = 0, mine = 0, official = 0]: number[],
): Record<string, unknown> {
  const base = (control + again) / 2;
  return {
    "ns for encode + decode": name,
    "bare JSON": Math.round(control),
    "bare again": Math.round(again),
    "socket.io-edge": Math.round(mine),
    official: Math.round(official),
    "ours above bare": Math.round(mine - base),
    "theirs above bare": Math.round(official - base),
    ratio: Number(((mine - base) / (official - base)).toFixed(2)),
  };
}

/** Prints the table, and returns the ratio to which the bar applies. */
export function benchCodec(rounds: number): Check {
  const results = scenarios.map((scenario) => measure(scenario, rounds));
  const sum = results.reduce(
    (total, result) => total.map((value, i) => value + (result[i] ?? 0)),
    [0, 0, 0, 0],
  );
  const rows = scenarios.map(({ name }, i) => toRow(name, results[i] ?? []));
  const total = toRow("sum of the text packets", sum);
  console.table([...rows, total, toRow(binary.name, measure(binary, rounds))]);
  console.log(`Node ${process.version}, median of ${rounds} rounds${sink ? "" : "!"}`);
  const ratio = Number(total.ratio);
  return {
    what: "codec, above bare JSON, ours / official",
    bar: "0.5",
    measured: `${ratio}`,
    isMet: ratio <= BAR,
  };
}
