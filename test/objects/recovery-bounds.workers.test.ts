import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RecoveryLog } from "../../src/objects/recovery/recovery-log.ts";
import type { RecoveryEntry, RecoveryRecord } from "../../src/server/recovery/recovery-store.ts";
import type { SessionId } from "../../src/shared/ids.ts";
import { Clock } from "./clock.ts";
import { Club, enter, joinClub } from "./club.ts";
import { TalkObject } from "./talk.ts";

const WINDOW = 120_000;
const MB = 1_000_000;
let clock: Clock;
let logged: string[];

beforeEach(async () => {
  clock = new Clock();
  await clock.attach(new TalkObject("clock", () => {}));
  logged = [];
  vi.spyOn(console, "error").mockImplementation((text) => void logged.push(String(text)));
});
afterEach(() => {
  clock.stop();
  vi.restoreAllMocks();
});

describe("recovery depends only on what the client itself has missed:", () => {
  it("a client without events is recovered until the last second of its window, however much others received", async () => {
    const club = new Club("quiet");
    const quiet = await joinClub(club);
    const other = await joinClub(club);
    for (let ms = 20_000; ms <= 300_000; ms += 20_000) {
      await club.tickUntil(clock, ms, quiet.client, other.client);
      clock.set(ms);
      await club.act((io) => void io.to(other.id).emit("to the other", ms));
    }
    await quiet.client.say("1");
    await vi.waitFor(() => expect(club.notes.at(-1)).toContain("disconnect"));
    await club.act((io) => void io.emit("missed"));
    await club.tickUntil(clock, 300_000 + WINDOW, other.client);
    clock.set(300_000 + WINDOW);
    const { id, missed } = await enter(await club.connect(), { pid: quiet.pid, offset: quiet.offset });
    expect([id, missed]).toEqual([quiet.id, [["missed"]]]);
  });

  it("a client is recovered although an event to another client was too large to be stored", async () => {
    const club = new Club("giant");
    const ann = await joinClub(club);
    const bob = await joinClub(club);
    await ann.client.hearUntil('42["hello"');
    await club.act((io) => {
      io.to(ann.id).emit("giant", "x".repeat(1_950_000));
      io.emit("small");
    });
    for (const { client } of [ann, bob]) await client.hearUntil('42["small"');
    for (const { client } of [ann, bob]) await client.say("1");
    await vi.waitFor(() => expect(club.notes.filter((note) => Array.isArray(note))).toHaveLength(2));
    await club.sleep();
    const back = await enter(await club.connect(), { pid: bob.pid, offset: bob.offset });
    expect([back.id, back.missed]).toEqual([bob.id, [["small"]]]);
    expect((await enter(await club.connect(), { pid: ann.pid, offset: ann.offset })).id).not.toBe(ann.id);
  });
});

describe("what is stored of a client", () => {
  it("includes no header of its requests, and is removed with the client", async () => {
    const club = new Club("secrets");
    const headers: [string, string][] = [
      ["cookie", "session=s3cret"],
      ["authorization", "Bearer s3cret"],
    ];
    const url = "https://example.com/socket.io/?EIO=4&transport=websocket";
    const client = await club.connect("websocket", undefined, { request: { method: "GET", url, headers } });
    const { pid } = await enter(client);
    expect(await club.act((io) => [...io.sockets.sockets.values()][0]!.handshake.headers.cookie)).toContain(
      "s3cret",
    );
    const rows = [...(await club.rows())].filter(([key]) => key.startsWith("sio_r:"));
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain("s3cret");
    await client.say("41");
    await vi.waitFor(async () => expect(await club.recoveryRecords()).toEqual([]));
    expect((await enter(await club.connect(), { pid })).pid).not.toBe(pid);
  });
});

/** Recovery's rows in the storage of a real object, with bounds that the test sets. */
class Bench {
  readonly object: TalkObject;
  now = 1_700_000_000_000;
  ticks = 0;

  constructor(name: string) {
    this.object = new TalkObject(`rows ${name}`, () => {});
  }

  run<R>(action: (log: RecoveryLog, kv: SyncKvStorage) => R): Promise<R> {
    return this.object.run((_, { storage }) => {
      const host = {
        now: () => this.now,
        isAnybodyKnown: () => true,
        hasSession: () => true,
        willWrite: () => {},
        tickSoon: () => void this.ticks++,
        log: (_level: "error", message: string) => void logged.push(message),
      };
      const limits = { windowMs: WINDOW, quietMs: 90_000, maxBytes: 2 * MB };
      return action(new RecoveryLog(storage.kv, host, limits), storage.kv);
    });
  }

  /** Removes rows as ticks would until nothing is due; returns how many each removed. */
  prune(log: RecoveryLog, kv: SyncKvStorage): number[] {
    const removed: number[] = [];
    const { delete: remove } = kv;
    let count = 0;
    kv.delete = (key) => {
      count++;
      return remove.call(kv, key);
    };
    while (log.nextPruneAt(this.now) <= this.now) {
      count = 0;
      log.prune(this.now, true);
      removed.push(count);
      this.now++;
    }
    kv.delete = remove;
    return removed;
  }
}

const entry = (offset: string, size: number, rooms: string[] = []): RecoveryEntry => ({
  offset: offset.padStart(12, "0"),
  packet: ["x", "x".repeat(size)],
  rooms,
  except: [],
});

const record = (pid: string, at: number | null, data: unknown = {}): RecoveryRecord => ({
  pid,
  sid: `id of ${pid}`,
  nsp: "/",
  rooms: [],
  data,
  session: "s" as SessionId,
  at,
  isOver: true,
});

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

const sizes = (kv: SyncKvStorage, prefix: string) =>
  [...kv.list({ prefix })].map(([, row]) => JSON.stringify(row).length);

describe("recovery's rows", () => {
  it("are written one by one, so that one that cannot be measured or cloned affects no other", async () => {
    const bench = new Bench("alone");
    await bench.run((log, kv) => {
      log.save(record("deep", null, { auth: nested(200_000) }));
      log.save(record("odd", null, { data: () => {} }));
      log.save(record("good", null));
      log.append("/odd", { ...entry("1", 1), packet: [() => {}] });
      log.append("/", entry("2", 1));
      for (let turn = 0; turn < 200; turn++) log.settle();
      expect([...kv.list({ prefix: "sio_r:" })].map(([key]) => key)).toEqual(["sio_r:1:/:good"]);
      expect([...log.since("/", "")]).toHaveLength(1);
      expect(logged.length).toBeLessThanOrEqual(200);
      logged.length = 0;
      log.settle();
      expect(logged).toEqual([]);
      expect(log.lostBefore()).toBe(entry("1", 1).offset);
    });
  });

  it("are bounded in sum: the oldest are removed, some at each tick, and it is noted up to where", async () => {
    const bench = new Bench("bounded");
    await bench.run((log, kv) => {
      for (let i = 0; i < 300; i++) {
        bench.now += 100;
        log.append(
          i % 2 === 0 ? "/" : "/other",
          entry(`${bench.now.toString(36).padStart(9, "0")}000`, 30_000),
        );
        log.settle();
      }
      expect(bench.ticks).toBeGreaterThan(0);
      bench.prune(log, kv);
      const left = sizes(kv, "sio_l:");
      expect(left.reduce((a, b) => a + b, 0)).toBeLessThan(2 * MB);
      expect(left.length).toBeGreaterThan(30);
      const [first] = log.since("/", "");
      expect(first!.offset > log.lostBefore()).toBe(true);
    });
  });

  it("are removed by ticks alone when an object holds far too many, a bounded number at each", async () => {
    const bench = new Bench("healing");
    await bench.run((_, kv) => {
      const at = bench.now;
      for (let i = 0; i < 40; i++) {
        const offset = at.toString(36).padStart(9, "0") + i.toString(36).padStart(3, "0");
        const entries = [entry(offset, 1_500_000)];
        kv.put(`sio_l:1:/:${offset}`, { at, entries });
      }
    });
    bench.now += 1_000;
    await bench.run((log, kv) => {
      const removed = bench.prune(log, kv);
      expect(Math.max(...removed)).toBeLessThan(5);
      expect(sizes(kv, "sio_l:").reduce((a, b) => a + b, 0)).toBeLessThan(2 * MB);
    });
    bench.now += 2 * WINDOW;
    await bench.run((log, kv) => {
      bench.prune(log, kv);
      expect([...kv.list({ prefix: "sio_l:" })]).toEqual([]);
    });
  });

  it("of clients that are away count as well, and those that have been away longest are removed first", async () => {
    const bench = new Bench("away");
    await bench.run((log, kv) => {
      for (let i = 0; i < 100; i++) {
        bench.now += 100;
        log.save(record(`p${i}`, bench.now, { data: "x".repeat(100_000) }));
        log.settle();
      }
      log.save(record("here", null));
      bench.prune(log, kv);
      const left = [...kv.list<RecoveryRecord>({ prefix: "sio_r:" })].map(([, { pid }]) => pid);
      expect(left.length).toBeLessThanOrEqual(21);
      expect(left).toEqual(expect.arrayContaining(["here", "p99"]));
      expect(left).not.toContain("p0");
    });
  });
});
