import { expect, it } from "vitest";
import type { Frame } from "../../src/codec/index.ts";
import { DiskRows } from "../../src/objects/storage/disk-rows.ts";
import { TestObject } from "./support.ts";

const EVERYTHING = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as const;

/** Millions of bytes are compared as one text. */
const toText = (frames: Frame[]) =>
  frames
    .map((it) => (typeof it === "string" ? it : `bytes ${new TextDecoder("latin1").decode(it)}`))
    .join("|");

/**
 * Runs `use` with the rows of an object of its own, and with a function that returns how many rows were written so far.
 */
function withRows(
  name: string,
  use: (rows: DiskRows, sql: SqlStorage, count: () => number) => void,
): Promise<void> {
  return new TestObject(name).run((_, { storage: { sql } }) =>
    use(
      new DiskRows(sql),
      sql,
      () => sql.exec("SELECT count(*) AS count FROM sio_rows").one().count as number,
    ),
  );
}

it("rows return frames of any kind and length unchanged and in order", () =>
  withRows("any frame", (rows, sql, count) => {
    const large = new Uint8Array(3_000_000).map((_, i) => i % 251);
    const frames: Frame[] = [
      "4",
      "4:1:2",
      "4\0\x1e\n",
      "4😀é",
      new Uint8Array(),
      new Uint8Array([0, 255]),
      large,
    ];
    frames.push(`4${"😀".repeat(400_000)}`, `4${"x".repeat(20_000)}`, "4end");
    rows.append("sid", "queue", frames);
    expect(sql.exec("SELECT max(octet_length(data)) AS most FROM sio_rows").one().most).toBeLessThan(
      1_900_000,
    );
    expect(toText(rows.read("sid", "queue"))).toBe(toText(frames));
    const { frames: taken, left } = rows.take("sid", "queue", ...EVERYTHING);
    expect(toText(taken)).toBe(toText(frames));
    expect([left, count()]).toEqual([0, 0]);
  }));

it("rows keep a lone surrogate as it is sent, and the frames after it unchanged", () =>
  withRows("surrogate", (rows) => {
    rows.append("sid", "queue", ["4a\ud800b\udc00", "4next"]);
    expect(rows.read("sid", "queue")).toEqual(["4a\ufffdb\ufffd", "4next"]);
  }));

it("taking frames from rows stops at a count or at about a number of bytes, and leaves the rest in order", () =>
  withRows("taken", (rows) => {
    const frames = Array.from({ length: 100 }, (_, i) => `4${String(i).padEnd(5_000, ".")}`);
    for (const frame of frames) rows.append("sid", "queue", [frame]);
    const seen: Frame[] = [];
    for (let left = rows.bytes("sid", "queue"), turn = 0; left > 0; turn++) {
      const taken =
        turn % 2 === 0 ? rows.take("sid", "queue", 3, 1e9) : rows.take("sid", "queue", 1e9, 20_000);
      if (turn % 2 === 0) expect(taken.frames.length).toBeLessThanOrEqual(3);
      else expect(taken.frames.length).toBeLessThanOrEqual(8);
      expect(taken.frames.length).toBeGreaterThan(0);
      expect(taken.left).toBeLessThan(left);
      ({ left } = taken);
      seen.push(...taken.frames);
    }
    expect(seen).toEqual(frames);
    expect(rows.total()).toBe(0);
  }));

it("one row is written for what a turn adds, and a small last row is extended", () =>
  withRows("rows of a turn", (rows, sql, count) => {
    const exec = sql.exec.bind(sql);
    for (let turn = 1; turn <= 10; turn++) {
      rows.append("sid", "queue", ["4one", "4two", "4three"]);
      expect(exec("SELECT changes() AS changes").one().changes).toBe(1);
    }
    expect(count()).toBe(1);
    for (let turn = 1; turn <= 10; turn++) rows.append("sid", "queue", [`4${"x".repeat(10_000)}`]);
    expect(count()).toBe(10);
  }));

it("the bytes of each owner and of all are known in a later instance, with large rows of storage.kv included", () =>
  withRows("sizes", (rows, sql) => {
    rows.append("a", "queue", ["4".repeat(1_000)]);
    rows.append("a", "half", ["4".repeat(50_000)]);
    rows.note("b", 100_000);
    rows.note("c", 500);
    const b = 4 * 32_768;
    expect(rows.total()).toBe(51_011 + b);
    expect(rows.largest(2)).toEqual([
      { owner: "b", bytes: b },
      { owner: "a", bytes: 51_011 },
    ]);
    rows.note("b", 40_000);
    expect(rows.total()).toBe(51_011 + 2 * 32_768);
    const later = new DiskRows(sql);
    later.note("b", 200_000);
    expect(later.total()).toBe(51_011 + 7 * 32_768);
    later.drop("a", "half");
    expect(later.total()).toBe(1_005 + 7 * 32_768);
    expect(later.owners()).toEqual(["a", "b"]);
    later.drop("b");
    later.drop("a");
    expect([later.total(), new DiskRows(sql).total()]).toEqual([0, 0]);
  }));
