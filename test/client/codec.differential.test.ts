import { isDeepStrictEqual } from "node:util";
import { Encoder, type Packet } from "socket.io-parser";
import { describe, expect, it } from "vitest";
import { bundleModule } from "../../scripts/build-client.ts";
import type { createDecoder, encode } from "../../src/client/packets.ts";
import { encodePacket, type SocketPacket } from "../../src/codec/index.ts";
import { toNoise, toPacket } from "../codec/generate.ts";
import { type Chunk, decodeWithOurs, decodeWithTheirs } from "../codec/outcome.ts";
import { Random, SEED } from "../codec/random.ts";

const INPUTS = 100_000;

interface ShippedCodec {
  createDecoder: typeof createDecoder;
  encode: typeof encode;
}

/** The codec as the bundle has it: built with the same options, names mangled and all. */
const shipped: ShippedCodec = await import(
  `data:text/javascript,${encodeURIComponent(await bundleModule("src/client/packets.ts"))}`
);

/** An id or data that a packet does not have are undefined in the client. */
function withoutGaps(packet: SocketPacket | undefined) {
  return packet && Object.fromEntries(Object.entries(packet).filter(([, value]) => value !== undefined));
}

function decodeWithShipped(chunks: readonly Chunk[]) {
  const decode = shipped.createDecoder();
  const packets: unknown[] = [];
  try {
    for (const chunk of chunks) packets.push(withoutGaps(decode(chunk)));
  } catch {
    return { packets, isRefused: true };
  }
  return { packets, isRefused: false };
}

function outcome({ packets, refusal }: ReturnType<typeof decodeWithTheirs>) {
  return { packets, isRefused: refusal !== undefined };
}

/*
 * Deliberate differences:
 * - A message that is empty or begins with white space has no type; in socket.io-parser `Number("")` makes it a CONNECT.
 * - A placeholder with a fractional number is refused; there it leaves a hole.
 */
const isCompared = (chunk: Chunk) => typeof chunk !== "string" || !/^\s|^$|"num":\d+[.e]/i.test(chunk);

function toChunks(random: Random): Chunk[] {
  const [header, ...attachments] = encodePacket(toPacket(random)) as [string, ...Uint8Array[]];
  const chunks: Chunk[] = [toNoise(random, header), ...attachments];
  while (random.chance(0.25)) {
    const extra = random.chance(0.6) ? new Uint8Array(1) : toNoise(random, header);
    chunks.splice(random.below(chunks.length + 1), 0, extra);
  }
  return chunks;
}

function toBytes(chunk: unknown): string {
  if (typeof chunk === "string") return chunk;
  if (chunk instanceof ArrayBuffer) return Buffer.from(chunk).toString("hex");
  const { buffer, byteOffset, byteLength } = chunk as Uint8Array;
  return Buffer.from(buffer, byteOffset, byteLength).toString("hex");
}

describe("the codec in the bundle", () => {
  it(`accepts and refuses ${INPUTS} packets, most of them broken, as socket.io-parser and the server do, seed ${SEED}`, () => {
    const random = new Random(SEED);
    let refused = 0;
    for (let i = 0; i < INPUTS; ) {
      const chunks = toChunks(random);
      if (!chunks.every(isCompared)) continue;
      i++;
      const ours = decodeWithShipped(chunks);
      for (const theirs of [outcome(decodeWithTheirs(chunks)), outcome(decodeWithOurs(chunks))])
        if (!isDeepStrictEqual(ours, theirs))
          expect({ chunks, ...ours }).toStrictEqual({ chunks, ...theirs });
      if (ours.isRefused) refused++;
    }
    expect(refused).toBeGreaterThan(INPUTS / 10);
    expect(refused).toBeLessThan((INPUTS * 9) / 10);
  });

  it(`encodes ${INPUTS} packets to the official bytes, seed ${SEED}`, () => {
    const random = new Random(SEED);
    const encoder = new Encoder();
    let binary = 0;
    for (let i = 0; i < INPUTS; i++) {
      const packet = toPacket(random);
      const { type, nsp, data, id } = packet;
      const ours = shipped.encode(type, nsp, data, id);
      const [header, ...attachments] = encoder.encode(packet as Packet);
      const theirs = [`4${header}`, ...attachments];
      if (!isDeepStrictEqual(ours.map(toBytes), theirs.map(toBytes)))
        expect({ packet, frames: ours }).toStrictEqual({ packet, frames: theirs });
      if (ours.length > 1) binary++;
    }
    expect(binary).toBeGreaterThan(INPUTS / 10);
  });
});

const bytes = new Uint8Array([1, 2, 3]);
const slot = (num: unknown) => `{"_placeholder":true,"num":${JSON.stringify(num)}}`;

function decode(...chunks: Chunk[]): SocketPacket | undefined {
  const decoder = shipped.createDecoder();
  return chunks.map(decoder).at(-1);
}

describe("the codec in the bundle refuses", () => {
  it.each([
    ...["", "7", "9", "a", "-1", " 2", "[", "\u0660", "€"],
    ...['5["a"]', "51", '5-["a"]', '5a-["a"]', '51.23-["a"]', '5-1-["a"]', '50-["a"]', "6[]"],
    ...['5Infinity-["a"]', '511-["a"]', '599999999999999999999-["a"]'],
    ...['0"token"', '0["token"]', "0null", "1{}", '1/admin,"bye"', '2{"a":1}', '2"a"', "2[]", "2[null]"],
    ...["2[{}]", "2[true]", "31{}", "61-1{}", '4["no"]', "41.5", '2-5["a"]', '21.5["a"]', '2["a"'],
    ...['2["a"]x', '2admin,["a"]', `51-[${slot(0)}]`, '25-["a"]', '2\\u0063["a"]'],
    ...["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"].flatMap(
      (event) => [`2["${event}"]`, `51-["${event}",${slot(0)}]`],
    ),
  ])("%j", (text) => {
    expect(() => decode(text)).toThrow();
  });

  it.each([-1, 0.5, 1, 10, "0", null, "length", "__proto__", undefined])(
    "a placeholder numbered %j where one attachment came",
    (num) => {
      const header = `51-["a",{"b":${slot(num)}}]`.replace('"num":undefined', '"n":0');
      expect(() => decode(header, bytes)).toThrow();
    },
  );

  it("text while an attachment is awaited, and bytes that no packet announced", () => {
    expect(() => decode(`51-["a",${slot(0)}]`, '2["b"]')).toThrow();
    expect(() => decode(bytes)).toThrow();
    expect(() => decode('2["a"]', bytes)).toThrow();
  });
});

describe("the codec in the bundle takes", () => {
  it("an attachment that nothing points at, and one that two places point at", () => {
    expect(decode('51-["a"]', bytes)?.data).toStrictEqual(["a"]);
    expect(decode(`51-["a",${slot(0)},[${slot(0)}]]`, bytes)?.data).toStrictEqual(["a", bytes, [bytes]]);
  });

  it("a key named __proto__ for a key", () => {
    const text = `51-["a",{"__proto__":{"polluted":true}},{"__proto__":${slot(0)}}]`;
    const [, plain, placed] = decode(text, bytes)!.data as Record<string, unknown>[];
    expect(Object.getOwnPropertyDescriptor(plain, "__proto__")?.value).toStrictEqual({ polluted: true });
    expect(Object.getOwnPropertyDescriptor(placed, "__proto__")?.value).toBe(bytes);
    expect("polluted" in {}).toBe(false);
  });

  it("a placeholder in a text packet for data", () => {
    expect(decode(`2["a",${slot(0)}]`)?.data).toStrictEqual(["a", { _placeholder: true, num: 0 }]);
  });
});
