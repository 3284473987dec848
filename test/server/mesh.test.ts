import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Mesh } from "../../src/server/cluster/mesh.ts";
import type {
  Answers,
  Batch,
  ClusterAnswer,
  ClusterCall,
  ClusterMessage,
  Peers,
} from "../../src/server/cluster/messages.ts";
import type { Reply } from "../../src/server/cluster/reply.ts";
import { pause, Timers } from "../../src/shared/timers.ts";

/** What happens to a call, by the shard that is called. */
type Line = (call: ClusterCall) => Promise<ClusterAnswer>;

/** A shard "0" whose lines to the others a test holds in its hands. */
class Shard {
  readonly lines = new Map<string, Line>();
  readonly arrived: [shard: string, what: string][] = [];
  readonly warnings: string[] = [];
  readonly lost: string[] = [];
  readonly mesh: Mesh;
  alarms = 0;
  /** What the option `observe` does. */
  onObserved = () => {};
  #resume: (() => void) | undefined;

  constructor(...others: string[]) {
    const peers: Peers = {
      self: "0",
      all: () => others,
      hear: (shards) => {
        for (const shard of shards) if (shard !== "0" && !others.includes(shard)) others.push(shard);
      },
      forget() {},
      isEmpty: () => false,
      shardOf: () => undefined,
      newSocketId: () => "",
      call: (shard, call) => this.lines.get(shard)?.(call) ?? this.take(shard, call),
      storedBatch: () => undefined,
      noteBatch() {},
      afterAlarm: () => {
        this.alarms++;
        return new Promise((resolve) => {
          this.#resume = resolve;
        });
      },
    };
    this.mesh = new Mesh(peers, {
      timers: new Timers(),
      now: () => Date.now(),
      keepAwake: (promise) => void promise,
      log: (_, message) => void this.warnings.push(message),
      observe: () => this.onObserved(),
    });
    this.mesh.serve({
      carryOut() {},
      relay() {},
      onLost: (nsp, { message }) => void this.lost.push(`${nsp} ${message}`),
    });
  }

  alarm(): void {
    this.#resume?.();
  }

  async take(shard: string, call: ClusterCall): Promise<ClusterAnswer> {
    if (call.type === "answers") return { count: 0, values: [], isComplete: true };
    for (const message of (call as Batch).messages) this.arrived.push([shard, nameOf(message)]);
    return {};
  }

  say(name: string, bytes = 0, shards = ["1"], isVolatile = false): void {
    this.mesh.say(broadcast(name, bytes, isVolatile), shards);
  }

  arrivedAt(shard: string): string[] {
    return this.arrived.filter(([at]) => at === shard).map(([, what]) => what);
  }
}

/** A shard that "1" asks. `answer` returns what it answers; undefined when the test does that itself. */
class Asked {
  readonly shard = new Shard("1");
  readonly replies = new Map<string, Reply>();
  #batches = 0;

  constructor(answer: (message: ClusterMessage) => readonly unknown[] | undefined) {
    this.shard.mesh.serve({
      carryOut: (message, reply) => {
        if (message.request === undefined || reply === undefined) return;
        this.replies.set(message.request, reply);
        const answers = answer(message);
        if (answers !== undefined) reply.settle(Promise.resolve(answers));
      },
      relay() {},
      onLost() {},
    });
  }

  ask(request: string): void {
    const messages = [{ ...fetchAll, request }];
    this.shard.mesh.receive({ v: 1, type: "batch", from: "1", epoch: 1, number: ++this.#batches, messages });
  }

  async fetch(request: string, waitMs = 9_000): Promise<Answers> {
    const answers = this.shard.mesh.receive({ v: 1, type: "answers", request, waitMs }) as Promise<Answers>;
    await vi.advanceTimersByTimeAsync(0);
    return answers;
  }
}

const fetchAll: ClusterMessage = { type: "fetch", nsp: "/", to: { rooms: [], except: [] } };

const nameOf = (message: ClusterMessage) =>
  message.type === "broadcast" ? String(message.frames[0]) : message.type;

function broadcast(name: string, bytes: number, isVolatile = false): ClusterMessage {
  const to = { rooms: [], except: [], volatile: isVolatile };
  return { type: "broadcast", nsp: "/", to, frames: [name, "x".repeat(bytes)] };
}

function deep(levels: number): unknown {
  let value: unknown = 0;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

/** A shard that adds the names of the broadcasts that it carries out. */
function receiving(names: string[]): Shard {
  const shard = new Shard();
  shard.mesh.serve({ carryOut: (message) => void names.push(nameOf(message)), relay() {}, onLost() {} });
  return shard;
}

const never = () => new Promise<never>(() => {});
const MB = 1_000_000;
const megabytes = (count: number) => Array.from({ length: count }, () => "x".repeat(MB));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets each call of shard 1 wait until it is answered, and tells how many messages each had. */
function holdCalls(shard: Shard): { calls: number[]; answer: () => void } {
  const calls: number[] = [];
  let release = () => {};
  shard.lines.set("1", async (call) => {
    calls.push((call as Batch).messages.length);
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return shard.take("1", call);
  });
  return { calls, answer: () => release() };
}

describe("the queues of a shard for its messages to other shards", () => {
  it("send the messages of a turn in one call, and later ones with the next call", async () => {
    const shard = new Shard("1");
    const { calls, answer } = holdCalls(shard);
    for (const name of ["a", "b", "c"]) shard.say(name);
    await vi.advanceTimersByTimeAsync(0);
    for (const name of ["d", "e"]) shard.say(name);
    answer();
    await vi.advanceTimersByTimeAsync(0);
    answer();
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toEqual([3, 2]);
    expect(shard.arrivedAt("1")).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("limit calls to a megabyte, and send a larger message alone", async () => {
    const shard = new Shard("1");
    const calls: number[] = [];
    shard.lines.set("1", (call) => {
      calls.push((call as Batch).messages.length);
      return shard.take("1", call);
    });
    for (let i = 0; i < 5; i++) shard.say(String(i), 0.4 * MB);
    shard.say("large", 3 * MB);
    shard.say("small");
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toEqual([2, 2, 1, 1, 1]);
    expect(shard.arrivedAt("1")).toEqual(["0", "1", "2", "3", "4", "large", "small"]);
  });

  it("repeat a failing call for 5 s, then give it up with an `error` event, and continue after a pause", async () => {
    const shard = new Shard("1", "2");
    let tries = 0;
    shard.lines.set("1", () => {
      tries++;
      return Promise.reject(new Error("broken"));
    });
    shard.say("lost", 0, ["1", "2"]);
    await vi.advanceTimersByTimeAsync(4_000);
    shard.say("later", 0, ["1"]);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(shard.arrivedAt("2")).toEqual(["lost"]);
    expect(shard.lost).toEqual(['/ 1 messages of namespace "/" were given up, shard 1: broken']);
    expect(shard.warnings).toHaveLength(1);
    // Seven calls in the first 5 s, and those of the next batch.
    expect(tries).toBeLessThan(13);
    shard.lines.delete("1");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(shard.arrivedAt("1")).toEqual(["later"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ["repeat nothing that it has carried out", 0, ["a", "b"]],
    ["send again what it has not carried out", 1, ["a", "a", "b"]],
  ] as const)("%s, when a receiver was called by a later instance meanwhile", async (_, missing, arrived) => {
    const shard = new Shard("1");
    const calls: Batch[] = [];
    shard.lines.set("1", async (call) => {
      const batch = call as Batch;
      calls.push(batch);
      if (calls.length === 2) return { stale: { newest: batch.epoch + 7, done: batch.number - missing } };
      await shard.take("1", call);
      if (calls.length === 1) throw new Error("the answer is lost");
      return {};
    });
    shard.say("a");
    await vi.advanceTimersByTimeAsync(0);
    shard.say("b");
    await vi.advanceTimersByTimeAsync(0);
    expect(shard.arrivedAt("1")).toEqual(arrived);
    const [{ epoch }] = calls as [Batch];
    const later = calls.slice(2).map((call) => [call.epoch - epoch, call.number]);
    expect(later).toEqual(Array.from({ length: 1 + missing }, (_, i) => [8, i + 1]));
  });

  it("drop volatile messages while a shard is not reached, and try them again when the pause is over", async () => {
    const shard = new Shard("1");
    shard.lines.set("1", () => Promise.reject(new Error("broken")));
    shard.say("lost");
    while (shard.lost.length === 0) await vi.advanceTimersByTimeAsync(100);
    shard.say("dropped", 0, ["1"], true);
    shard.lines.delete("1");
    await vi.advanceTimersByTimeAsync(9_000);
    expect(shard.arrived).toEqual([]);
    // An application may say nothing but volatile messages.
    shard.say("volatile", 0, ["1"], true);
    await vi.advanceTimersByTimeAsync(0);
    expect(shard.arrivedAt("1")).toEqual(["volatile"]);
    expect(shard.lost).toHaveLength(1);
  });

  it("hold 16 MB in total: beyond that the longest one drops messages, volatile ones first, and requests are refused", async () => {
    const shard = new Shard("1", "2");
    shard.lines.set("1", never);
    shard.lines.set("2", never);
    shard.say("under way", 0, ["1", "2"]);
    await vi.advanceTimersByTimeAsync(0);
    for (let i = 0; i < 9; i++) shard.say(`one ${i}`, MB, ["1"]);
    for (let i = 0; i < 4; i++) shard.say(`volatile ${i}`, MB, ["1"], true);
    shard.say("two", MB, ["2"]);
    const answers = Promise.all(shard.mesh.ask(broadcast("request", 20 * MB), ["1"], 1_000));
    expect(await answers).toEqual([undefined]);
    shard.say("three", MB, ["2"]);
    expect(shard.lost).toEqual([]);
    // There is room for the volatile alone by now.
    for (let i = 0; i < 6; i++) shard.say(`two ${i}`, MB, ["2"]);
    await vi.advanceTimersByTimeAsync(0);
    expect(shard.lost.join()).toMatch(
      /[1-9] messages of namespace "\/" were given up, shard 1: more than 16000000 bytes wait/,
    );
    shard.lines.clear();
    await vi.advanceTimersByTimeAsync(60_000);
    const one = shard.arrivedAt("1");
    expect(one.filter((name) => name.startsWith("volatile"))).toEqual([]);
    expect(one.at(-1)).toBe("one 8");
    expect(one.length).toBeLessThan(9);
    expect(shard.arrivedAt("2")).toEqual([
      "two",
      "three",
      ...Array.from({ length: 6 }, (_, i) => `two ${i}`),
    ]);
  });

  it("drop what waits for one shard before what waits for several", async () => {
    const shard = new Shard("1", "2");
    for (const other of ["1", "2"]) shard.lines.set(other, never);
    shard.say("under way", 0, ["1", "2"]);
    await vi.advanceTimersByTimeAsync(0);
    shard.say("for both", MB, ["1", "2"]);
    for (let i = 0; i < 16; i++) shard.say(`one ${i}`, MB, ["1"]);
    shard.lines.clear();
    await vi.advanceTimersByTimeAsync(60_000);
    for (const other of ["1", "2"]) expect(shard.arrivedAt(other)[0]).toBe("for both");
    expect(shard.arrivedAt("1")[1]).toBe("one 2");
  });

  it("count a message for several shards in full as long as one of them has not taken it", async () => {
    const shard = new Shard("1", "2", "3", "4");
    const all = ["1", "2", "3", "4"];
    const { calls, answer } = holdCalls(shard);
    shard.say("under way", 0, all);
    await vi.advanceTimersByTimeAsync(0);
    for (let i = 0; i < 20; i++) {
      shard.say(`${i}`, 0.99 * MB, all);
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(shard.arrivedAt("2")).toHaveLength(21);
    expect(shard.lost.join()).toMatch(/^\/ 1 messages .* shard 1: more than 16000000 bytes wait/);
    for (let i = 0; i < 20; i++) {
      answer();
      await vi.advanceTimersByTimeAsync(0);
    }
    // A call has a megabyte at most, whatever the number of shards.
    expect(calls).toEqual(Array(17).fill(1));
    expect(shard.arrivedAt("1")).toEqual(["under way", ...Array.from({ length: 16 }, (_, i) => `${i + 4}`)]);
  });

  it("drop the oldest messages for all shards when too much is said to all in one turn", async () => {
    const shard = new Shard("1", "2", "3");
    for (let i = 0; i < 20; i++) shard.say(`${i}`, 0.99 * MB, ["1", "2", "3"]);
    await vi.advanceTimersByTimeAsync(0);
    const newest = Array.from({ length: 16 }, (_, i) => `${i + 4}`);
    for (const other of ["1", "2", "3"]) expect(shard.arrivedAt(other)).toEqual(newest);
    expect(shard.lost).toHaveLength(3);
  });

  it("keep what is said by code that hears of dropped messages", async () => {
    const shard = new Shard("1");
    shard.onObserved = () => {
      shard.onObserved = () => {};
      shard.say("said meanwhile");
    };
    for (let i = 0; i < 17; i++) shard.say(`${i}`, 0.99 * MB);
    await vi.advanceTimersByTimeAsync(0);
    expect(shard.arrivedAt("1")).toContain("said meanwhile");
    expect(shard.lost).toHaveLength(1);
  });

  it.each([
    ["too large", { type: "emit", nsp: "/", args: ["x".repeat(17 * MB)] }],
    ["nested too deeply", { type: "emit", nsp: "/", args: [deep(2_000)] }],
  ] as const)("drop nothing for a message that is %s for them", async (_, message) => {
    const shard = new Shard("1");
    shard.say("waits");
    shard.mesh.say(message, ["1"]);
    shard.say("later");
    await vi.advanceTimersByTimeAsync(0);
    expect(shard.arrivedAt("1")).toEqual(["waits", "later"]);
    expect(shard.lost).toHaveLength(1);
  });

  it("continue from the alarm when production allows no more calls", async () => {
    const shard = new Shard("1");
    shard.lines.set("1", () => Promise.reject(new Error("Subrequest depth limit exceeded")));
    shard.say("deep");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(shard.alarms).toBe(1);
    shard.lines.delete("1");
    shard.alarm();
    await vi.advanceTimersByTimeAsync(0);
    expect(shard.arrivedAt("1")).toEqual(["deep"]);
    expect(shard.lost).toEqual([]);
  });

  it.each([
    ["at once", 0],
    ["after 1.2 s", 1_200],
    ["after 4.9 s", 4_900],
  ])("begin no call later than 5 s after the first, and give up within 10 s (failing %s)", async (_, ms) => {
    for (const reason of ["down", "Subrequest depth limit exceeded"]) {
      const shard = new Shard("1");
      const startedAt = Date.now();
      const calls: number[] = [];
      shard.lines.set("1", async () => {
        calls.push(Date.now() - startedAt);
        // The last call hangs.
        if (calls.at(-1)! >= 4_700) return never();
        await pause(new Timers(), ms);
        throw new Error(reason);
      });
      shard.say("a");
      while (shard.lost.length === 0) await vi.advanceTimersByTimeAsync(50);
      expect(Math.max(...calls)).toBeLessThanOrEqual(5_000);
      expect(Date.now() - startedAt).toBeGreaterThanOrEqual(4_700);
      expect(Date.now() - startedAt).toBeLessThanOrEqual(10_050);
    }
  });

  it("do not have a message carried out twice by a receiver that forgets after 10 s without an event", async () => {
    const shard = new Shard("1");
    const taken: string[] = [];
    let receiver = receiving(taken);
    let lastEvent = 0;
    let calls = 0;
    shard.lines.set("1", async (call) => {
      calls++;
      if (calls === 1) lastEvent = Date.now();
      // The answer to the first call is lost, and the others do not arrive for 3.75 s.
      else if (calls < 6) throw new Error("down");
      else await pause(new Timers(), 1_200);
      if (calls === 6) throw new Error("down");
      if (Date.now() - lastEvent >= 10_000) receiver = receiving(taken);
      const answer = await receiver.mesh.receive(call);
      if (calls === 1) throw new Error("the answer is lost");
      return answer;
    });
    shard.say("a");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(taken).toEqual(["a"]);
  });

  it.each([
    ["first", 0.1, 0.2],
    ["last", 0.2, 0.1],
  ])(
    "are those of one instance each, also if two begin in the same millisecond (the lesser one %s)",
    async (_, ...random) => {
      const taken: string[] = [];
      const receiver = receiving(taken);
      const fraction = vi.spyOn(Math, "random");
      for (const [i, value] of random.entries()) {
        fraction.mockReturnValue(value);
        const instance = new Shard("1");
        instance.lines.set("1", async (call) => receiver.mesh.receive(call));
        instance.say(`instance ${i}`);
        await vi.advanceTimersByTimeAsync(0);
      }
      fraction.mockRestore();
      expect(taken).toEqual(["instance 0", "instance 1"]);
    },
  );

  it("set few alarms while calls stay too many, and give up in time when no alarm comes", async () => {
    const shard = new Shard("1");
    shard.lines.set("1", () => Promise.reject(new Error("Too many subrequests")));
    shard.say("many");
    for (let ms = 0; ms < 15_000; ms += 10) {
      shard.alarm();
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(shard.alarms).toBeLessThan(8);
    expect(shard.lost).toHaveLength(1);
    shard.say("no alarm");
    await vi.advanceTimersByTimeAsync(15_000);
    expect(shard.lost).toHaveLength(2);
    shard.lines.delete("1");
    shard.say("later");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(shard.arrivedAt("1")).toEqual(["later"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("calls of other shards", () => {
  it("are answered without a wait for calls of one's own, so no call between shards is nested in another", async () => {
    const shard = new Shard("1", "2");
    const called: string[] = [];
    for (const other of ["1", "2"]) {
      shard.lines.set(other, () => {
        called.push(other);
        return never();
      });
    }
    shard.mesh.serve({
      carryOut(_, reply) {
        shard.say("passed on", 0, ["1", "2"]);
        shard.mesh.ask(broadcast("question", 0), ["1", "2"], 1_000);
        reply?.expect(0);
      },
      relay() {},
      onLost() {},
    });
    const messages: ClusterMessage[] = [
      { type: "hello", nsp: "/" },
      { ...broadcast("a", 0), request: "r" },
    ];
    const batch = await shard.mesh.receive({ v: 1, type: "batch", from: "1", epoch: 1, number: 1, messages });
    const answers = await shard.mesh.receive({ v: 1, type: "answers", request: "r", waitMs: 1_000 });
    expect([batch, answers]).toMatchObject([{ peers: ["0", "1", "2"] }, { count: 0, isComplete: true }]);
    await vi.advanceTimersByTimeAsync(0);
    // Its own calls hang all the time.
    expect(called).toEqual(["1", "2"]);
  });
});

describe("a new shard", () => {
  it("greets the shards of older code too, of which it hears by greeting", async () => {
    const shard = new Shard("1", "2");
    for (const other of ["1", "2"]) {
      shard.lines.set(other, async (call) => ({
        ...(await shard.take(other, call)),
        peers: ["0", "1", "2", "3"],
      }));
    }
    let isDone = false;
    shard.mesh.greet().then(() => {
      isDone = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(shard.arrived).toEqual(["1", "2", "3"].map((other) => [other, "hello"]));
    expect(isDone).toBe(true);
  });
});

describe("requests to other shards", () => {
  it("are answered whatever other shards have fetched before, and answered again when they are fetched again", async () => {
    const asked = new Asked(() => megabytes(10));
    for (let i = 0; i < 5; i++) {
      asked.ask(`${i}`);
      for (let again = 0; again < 2; again++) {
        expect(await asked.fetch(`${i}`)).toMatchObject({ count: 10, isComplete: true });
      }
    }
  });

  it("are refused at once when the answers take too much memory that others have not fetched, until these expire", async () => {
    const asked = new Asked(() => megabytes(10));
    for (const request of ["a", "b", "c", "d"]) asked.ask(request);
    await vi.advanceTimersByTimeAsync(0);
    for (const request of ["c", "d"]) {
      expect(await asked.fetch(request)).toMatchObject({ values: [], isComplete: false, isCut: true });
    }
    expect(await asked.fetch("a")).toMatchObject({ count: 10, isComplete: true });
    asked.ask("e");
    for (const request of ["b", "e"]) {
      expect(await asked.fetch(request)).toMatchObject({ count: 10, isComplete: true });
    }
    for (const request of ["not fetched", "not fetched either", "cut"]) asked.ask(request);
    await vi.advanceTimersByTimeAsync(0);
    expect(await asked.fetch("cut")).toMatchObject({ isCut: true });
    await vi.advanceTimersByTimeAsync(20_000);
    asked.ask("f");
    expect(await asked.fetch("f")).toMatchObject({ count: 10, isComplete: true });
  });

  it("reject at once, with a text of its own, when the answers of one shard are too large", async () => {
    const shard = new Shard("1", "2");
    const { mesh } = new Asked(() => megabytes(25)).shard;
    shard.lines.set("1", async (call) => mesh.receive(call));
    const failure = shard.mesh.collect(fetchAll).catch((error: Error) => error);
    await vi.advanceTimersByTimeAsync(0);
    expect(await failure).toMatchObject({
      message: "the answers of shard 1 take more than 24000000 bytes; ask for fewer at once",
      responses: [],
    });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("have the answers of clients that answer late, however many other requests there are", async () => {
    const asked = new Asked(({ request }) => (request === "late" ? undefined : []));
    asked.ask("late");
    asked.replies.get("late")!.expect(1);
    const answers = asked.fetch("late");
    for (let i = 0; i < 2_000; i++) {
      asked.ask(`${i}`);
      await asked.fetch(`${i}`);
    }
    asked.replies.get("late")!.add("answer");
    await vi.advanceTimersByTimeAsync(0);
    expect(await answers).toMatchObject({ values: ["answer"], isComplete: true });
  });

  it("are refused at once, and not carried out, while a thousand others wait to be fetched", async () => {
    const asked = new Asked(() => undefined);
    for (let i = 0; i <= 1_000; i++) asked.ask(`${i}`);
    expect(asked.replies.size).toBe(1_000);
    expect(await asked.fetch("1000")).toMatchObject({ isUnknown: true });
    asked.replies.get("0")!.giveUp();
    await asked.fetch("0");
    asked.ask("1001");
    expect([...asked.replies.keys()].at(-1)).toBe("1001");
  });

  it("keep the answers that fit when those of the clients are too large", async () => {
    const asked = new Asked(() => undefined);
    asked.ask("acks");
    const reply = asked.replies.get("acks")!;
    reply.expect(4);
    for (const size of [10, 10, 10]) reply.add("x".repeat(size * MB));
    reply.gone();
    const { values, ...rest } = await asked.fetch("acks");
    expect([values.length, rest]).toEqual([
      2,
      { count: 4, isComplete: false, isUnknown: false, isCut: true },
    ]);
  });

  it("are not complete when an answer comes after the others were fetched", async () => {
    const asked = new Asked(() => undefined);
    asked.ask("acks");
    const reply = asked.replies.get("acks")!;
    reply.expect(2);
    reply.add("a");
    const first = asked.fetch("acks", 100);
    await vi.advanceTimersByTimeAsync(150);
    expect(await first).toMatchObject({ values: ["a"], isComplete: false });
    reply.add("b");
    expect(await asked.fetch("acks", 0)).toMatchObject({ count: 2, values: ["a"], isComplete: false });
  });

  it("leave the room of answers that came too late to later ones", async () => {
    const asked = new Asked(() => undefined);
    const text = (size: number) => "x".repeat(size * MB);
    for (const request of ["late", "large"]) {
      asked.ask(request);
      asked.replies.get(request)!.expect(1);
    }
    asked.replies.get("large")!.add(text(22));
    await vi.advanceTimersByTimeAsync(16_000);
    asked.replies.get("late")!.add(text(3));
    await vi.advanceTimersByTimeAsync(60_000);
    asked.ask("new");
    asked.replies.get("new")!.expect(1);
    asked.replies.get("new")!.add(text(22));
    expect(await asked.fetch("new", 0)).toMatchObject({ isCut: false, isComplete: true });
  });

  it("call for answers until shortly before their timeout, and again when that call fails", async () => {
    const shard = new Shard("1");
    const waits: number[] = [];
    shard.lines.set("1", async (call): Promise<ClusterAnswer> => {
      if (call.type === "batch") return {};
      waits.push(call.waitMs);
      if (waits.length === 1) throw new Error("lost");
      return { count: 2, values: ["a"], isComplete: false };
    });
    const answers = Promise.all(shard.mesh.ask(broadcast("question", 0), ["1"], 1_000));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(waits).toEqual([900, 650]);
    expect(await answers).toEqual([{ count: 2, values: ["a"], isComplete: false }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("end in time when no shard answers", async () => {
    const shard = new Shard("1");
    shard.lines.set("1", (call) => (call.type === "batch" ? Promise.resolve({}) : never()));
    const answers = Promise.all(shard.mesh.ask(broadcast("question", 0), ["1"], 1_000));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await answers).toEqual([undefined]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
