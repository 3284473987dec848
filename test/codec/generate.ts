import { PacketType, type SocketPacket } from "../../src/codec/index.ts";
import type { Random } from "./random.ts";

const NAMESPACES = ["/", "/", "/", "/admin", "/a?token=x", "/é", "/1", "/a/b-c"];
const IDS = [undefined, undefined, 0, 1, 7, 42, 65_536, 2 ** 31, 2 ** 53];
const EVENTS = ["message", "m", "", "a b", "€", "connecting", "0", 7, -1.5, '"', "\u2028", "constructor"];
const KEYS = ["a", "b", "id", "num", "_placeholder", "toString", "constructor", "", "1", "é", "length"];
const STRINGS = [
  "",
  "a",
  "hello world",
  '"\\/\b\n',
  "€ 😀",
  "\ud800",
  "\x1e",
  "\u2028",
  "{}",
  "51-",
  "b",
  "null",
];
const NUMBERS = [0, -0, 1, -1, 42, 1.5, 1e21, 1e-7, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53];

class Money {
  readonly #amount: number;
  readonly raw = new Uint8Array([1]);
  constructor(amount: number) {
    this.#amount = amount;
  }
  toJSON(): unknown {
    return { amount: this.#amount };
  }
}

class Photo {
  name = "photo";
  readonly #bytes: unknown;
  constructor(bytes: unknown) {
    this.#bytes = bytes;
  }
  toJSON(): unknown {
    return { name: this.name, bytes: this.#bytes };
  }
}

class Player {
  id = 1;
  position = { x: 1, y: 2 };
  greet(): string {
    return "hi";
  }
}

/** Bytes in one of the forms in which users have them. */
function toBytes(random: Random): unknown {
  const bytes = Uint8Array.from(random.list(12, () => random.below(256)));
  return random.pick([
    () => bytes,
    () => Buffer.from(bytes),
    () => bytes.buffer,
    () => new DataView(bytes.buffer, 0, bytes.length >> 1),
    () => bytes.subarray(bytes.length >> 1),
    () => new Float64Array(random.below(3)),
  ])();
}

/** Values that only JavaScript has, which are changed or lost on the way. */
function toExotic(random: Random, binary: boolean): unknown {
  return random.pick([
    () => new Date(random.below(2 ** 31)),
    () => new Date(Number.NaN),
    () => new Money(random.below(100)),
    () => new Photo(binary ? toBytes(random) : "none"),
    () => ({ toJSON: () => (binary ? [toBytes(random)].concat([]) : 1) }),
    () => new Player(),
    () => new Map([["a", 1]]),
    () => new Set([1]),
    () => /a/,
    () => undefined,
    () => () => 1,
    () => Object.assign(Object.create(null), { a: 1 }),
    () => Object.assign(Object.create({ inherited: 1 }), { own: 2 }),
    () => new Array(2),
  ])();
}

function toValue(random: Random, depth: number, binary: boolean): unknown {
  if (binary && random.chance(0.12)) return toBytes(random);
  if (random.chance(0.08)) return memoized(toExotic(random, binary));
  const kind = random.below(depth > 3 ? 4 : 7);
  if (kind === 0) return random.pick(STRINGS);
  if (kind === 1) return random.pick(NUMBERS);
  if (kind === 2) return random.chance(0.5);
  if (kind === 3) return null;
  if (kind === 4) return random.list(5, () => toValue(random, depth + 1, binary));
  return Object.fromEntries(
    random.list(5, () => [random.pick(KEYS), toValue(random, depth + 1, binary)] as const),
  );
}

/** A toJSON that always returns the same value, because both encoders call it, some of them twice. */
function memoized(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "toJSON")) return value;
  const json = (value as { toJSON(): unknown }).toJSON();
  return { toJSON: () => json };
}

/** A packet that a program might send, valid or nearly valid. */
export function toPacket(random: Random): SocketPacket {
  const type = random.pick([0, 1, 2, 2, 2, 2, 2, 3, 3, 4] as const);
  const binary = random.chance(0.4);
  const packet: SocketPacket = { type, nsp: random.pick(NAMESPACES) };
  if (type === PacketType.CONNECT && random.chance(0.5)) packet.data = { token: random.pick(STRINGS) };
  if (type === PacketType.CONNECT_ERROR)
    packet.data = random.pick(["no", { message: "no", data: { code: 1 } }]);
  if (type === PacketType.EVENT || type === PacketType.ACK) {
    packet.data = random.list(5, () => toValue(random, 0, binary));
    const id = random.pick(IDS);
    if (id !== undefined) packet.id = id;
  }
  if (type === PacketType.EVENT) (packet.data as unknown[]).unshift(random.pick(EVENTS));
  return packet;
}

const ALPHABET = [
  ...'0123456789-,/[]{}":. \t\n\v\u00a0\ufeff\u2028\x00abeE+x_\\tfn',
  '["a"]',
  '{"a":1}',
  "51-",
  "62-",
];
const SEEDS = [
  '2["a",1]',
  '51-["a",{"_placeholder":true,"num":0}]',
  '62-/b,12[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]',
  '51-["a",{"_placeholder":true,"num":0.5}]',
  '51-["a",{"_placeholder":true,"num":-1}]',
  '51-["a",{"_placeholder":true,"num":"0"}]',
  '2["connect"]',
  '2["disconnecting",1]',
  "2[null]",
  '4"no"',
  '0{"token":"x"}',
  "1/admin,",
  "412",
  '510-["a"]',
  '511-["a"]',
  '421 2["a"]',
];

/** A text that is a packet, or a packet with some characters changed, or no packet at all. */
export function toNoise(random: Random, encoded: string): string {
  if (random.chance(0.15)) return random.list(12, () => random.pick(ALPHABET)).join("");
  let text = random.chance(0.5) ? encoded : random.pick(SEEDS);
  for (let changes = random.below(4); changes > 0; changes--) {
    // Most of the grammar is at the beginning of a packet.
    const at = random.below(random.chance(0.7) ? Math.min(8, text.length + 1) : text.length + 1);
    text =
      text.slice(0, at) +
      (random.chance(0.6) ? random.pick(ALPHABET) : "") +
      text.slice(at + random.below(2));
  }
  return text;
}
