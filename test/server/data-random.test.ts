import { describe, expect, it } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { Random } from "../support/random.ts";
import { FakeObject } from "./fakes.ts";

type Data = Record<string, unknown>;
type Change = (data: Data) => void;

const KEYS = ["a", "b", "1", "0", "__proto__", "constructor", "é:1", "length", ""];
const NAMES = ["x", "games", "list", "__proto__", "12"];
const TURNS = 40;

describe("io.data and an object of plain JavaScript", () => {
  it.each(Array.from({ length: 40 }, (_, i) => i))(
    "hold the same after the same random changes, in the same order (seed %i)",
    async (seed) => {
      await new Run(seed).play();
    },
  );
});

/** Makes the same changes in `io.data`, in handlers, and in a plain object, and compares both. */
class Run {
  readonly #random: Random;
  readonly #object: FakeObject;
  readonly #model: Data = {};
  readonly #changes: Change[] = [];
  #isSlow = false;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#object = new FakeObject((io) => this.#setUp(io));
  }

  async play(): Promise<void> {
    const client = await this.#object.connect({ transport: "polling" });
    await client.join();
    const handle = async (change: Change) => {
      this.#changes.push(change);
      await client.ask('2["change"]');
      await this.#object.settle();
    };
    const compare = async (when: string) => {
      let shown: unknown;
      await handle((data) => {
        shown = show(data);
      });
      expect(shown, when).toEqual(show(this.#model));
    };
    for (let turn = 0; turn < TURNS; turn++) {
      this.#isSlow = this.#random.chance(0.3);
      const seed = this.#random.below(2 ** 31);
      change(this.#model, new Random(seed));
      await handle((data) => change(data, new Random(seed)));
      // To look at everything has more of it compared, which would hide a change that no proxy has reported.
      const next = this.#random.below(8);
      if (next === 0) await compare(`turn ${turn}, awake`);
      if (next > 3) continue;
      await (next < 2 ? this.#object.restart() : this.#object.sleep());
      await compare(`turn ${turn}, after a nap or restart`);
    }
    expect(this.#object.logs).toEqual([]);
  }

  #setUp(io: Server): void {
    io.on("connection", (socket) => {
      socket.on("change", async () => {
        const change = this.#changes.shift();
        if (this.#isSlow) await new Promise((resolve) => setImmediate(resolve));
        change?.(io.data);
      });
    });
  }
}

/** Makes some changes, which depend on nothing but the numbers and what is there. */
function change(data: Data, random: Random): void {
  for (let i = random.below(3); i >= 0; i--) {
    const name = random.pick(NAMES);
    if (random.chance(0.15)) define(data, name, createValue(random));
    else if (random.chance(0.06)) delete data[name];
    else changeInside(Object.hasOwn(data, name) ? data[name] : undefined, random);
  }
}

/** Changes a value, or something in it at some depth. */
function changeInside(value: unknown, random: Random): void {
  if (typeof value !== "object" || value === null) return;
  const below = partsOf(value)[random.below(4)];
  if (random.chance(0.5) && typeof below === "object" && below !== null) changeInside(below, random);
  else changeOne(value, random);
}

function changeOne(value: object, random: Random): void {
  const [key, item, what] = [random.pick(KEYS), createValue(random, 1), random.below(10)];
  if (value instanceof Map) {
    if (what < 6) value.set(key, item);
    else if (what < 9) value.delete(key);
    else value.clear();
  } else if (value instanceof Set) {
    if (what < 8) value.add(item);
    else value.clear();
  } else if (value instanceof Date) value.setTime(random.below(1_000));
  else if (value instanceof Uint8Array) value[0] = random.below(9);
  else if (Array.isArray(value)) changeArray(value, item, what);
  else if (what < 6) define(value, key, item);
  else if (what < 9) delete (value as Data)[random.pick(Object.keys(value))];
  else for (const each of Object.keys(value)) delete (value as Data)[each];
}

function changeArray(list: unknown[], item: unknown, what: number): void {
  if (what < 3) list.push(item);
  else if (what < 5) list.splice(0, 1, item);
  else if (what < 6) list.length = 0;
  else if (what < 7) list.reverse();
  else if (what < 8) list[0] = item;
  else list.pop();
}

function createValue(random: Random, depth = 0): unknown {
  const create = () => createValue(random, depth + 1);
  const simple = [
    () => random.below(100),
    () => `text ${random.below(10)}`,
    () => null,
    () => undefined,
    () => new Date(random.below(1_000)),
    () => Uint8Array.of(random.below(9), 2),
  ];
  const object = () => [1, 2, 3].reduce((made, _) => define(made, random.pick(KEYS), create()), {});
  const containers = [
    object,
    object,
    () => [create(), create()],
    () => new Set([random.below(9), create()]),
    () => new Map([1, 2].map(() => [random.pick(KEYS), create()])),
  ];
  return random.pick<() => unknown>(depth > 2 || random.chance(0.1 + 0.2 * depth) ? simple : containers)();
}

function define(object: object, key: string, value: unknown): object {
  return Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function partsOf(value: object): unknown[] {
  return value instanceof Map || value instanceof Set ? [...value.values()] : Object.values(value);
}

/** What there is, with the order of everything but the properties of `io.data` itself, which have none. */
function show(data: Data): unknown {
  return NAMES.filter((name) => Object.hasOwn(data, name)).map((name) => [name, toList(data[name])]);
}

function toList(value: unknown): unknown {
  if (value === undefined) return ["undefined"];
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return ["date", value.getTime()];
  if (value instanceof Uint8Array) return ["bytes", ...value];
  if (value instanceof Set) return ["set", ...[...value].map(toList)];
  if (Array.isArray(value)) return ["array", ...Array.from(value, toList)];
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return [value instanceof Map ? "map" : "object", ...entries.map(([key, item]) => [key, toList(item)])];
}
