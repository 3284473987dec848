import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Account, ByteBudget } from "../../src/shared/byte-budget.ts";

const ROOMY = 1e12;

/** Budgets of one process count together, so none may be left over. */
const accounts: Account[] = [];
afterEach(() => {
  for (const account of accounts.splice(0)) account.close();
});

/** A budget, and what it did. Every session that ends releases what it holds. */
function createBudget(object: number, isolate = ROOMY, id: string = crypto.randomUUID()) {
  const ended: string[] = [];
  const told: string[] = [];
  const budget = new ByteBudget(id, { object, isolate }, (why) => told.push(why));
  const open = (name: string, bytes = 0): Account => {
    const account = budget.open(() => ended.push(name));
    accounts.push(account);
    account.add(bytes);
    return account;
  };
  return { budget, ended, told, open };
}

describe("the budget of an object", () => {
  it("ends the session that holds most when the budget is exceeded, whichever session exceeds it, and reports it once", () => {
    const { budget, ended, told, open } = createBudget(1_000);
    const small = open("small", 100);
    open("large", 700);
    open("middle", 200);
    expect(ended).toEqual([]);
    small.add(1);
    expect(ended).toEqual(["large"]);
    expect(budget.total).toBe(301);
    open("newer", 800);
    expect(ended).toEqual(["large", "newer"]);
    expect(told).toHaveLength(1);
  });

  it("ends as many sessions as necessary", () => {
    const { budget, ended, open } = createBudget(1_000);
    for (let i = 0; i < 3; i++) open(`${i}`, 300);
    open("huge", 5_000);
    expect(ended).toEqual(["huge"]);
    const last = open("last");
    last.add(101);
    expect(ended).toEqual(["huge", "0"]);
    expect(budget.total).toBe(701);
  });

  it("removes what a closed account held, and ignores what is given back to it later", () => {
    const { budget, open } = createBudget(1_000);
    const account = open("one", 400);
    account.close();
    account.add(-400);
    account.add(500);
    account.close();
    expect([budget.total, account.bytes]).toEqual([0, 0]);
  });

  it("ends no further session for what the `disconnect` listeners add as long as it fits", () => {
    const { budget } = createBudget(1_000);
    const other = budget.open(() => {});
    accounts.push(other);
    const large = budget.open(() => other.add(300));
    large.add(1_001);
    expect([budget.total, other.bytes]).toEqual([300, 300]);
  });

  it("refuses new sessions before it is used up, so that existing ones have some left", () => {
    const { budget, open } = createBudget(1_000);
    open("one", 800);
    expect(budget.admits(100)).toBe(true);
    expect(budget.admits(101)).toBe(false);
  });
});

describe("what is kept in memory of sleeping sessions", () => {
  it("is kept as far as there is room: the allowance shrinks with the room, and never below a minimum", () => {
    const { budget, open } = createBudget(2_400_000);
    open("awake", 2_000_000);
    expect(budget.keep(100_001)).toBe(false);
    let heavy = 0;
    while (budget.keep(50_000)) heavy++;
    expect(heavy).toBe(13);
    let light = 0;
    for (let i = 0; i < 300; i++) if (budget.keep(500)) light++;
    expect(light).toBe(300);
    budget.keepNone();
    expect([budget.total, budget.keep(100_000)]).toEqual([2_000_000, true]);
    budget.keepNone();
  });
});

describe("what waits in queues", () => {
  const frames = (bytes: number) => ["x".repeat(bytes - 60)];

  it("counts once, however many sessions it waits for, and as long as it waits for any", () => {
    const { budget, ended, open } = createBudget(10_000);
    const readers = Array.from({ length: 100 }, (_, i) => open(`${i}`));
    const shared = frames(1_000);
    for (const reader of readers) reader.setQueue(shared, shared);
    expect(budget.total).toBe(1_000);
    expect(readers[0]?.weigh()).toBe(10);
    for (const reader of readers.slice(1)) reader.setQueue([]);
    expect([budget.total, readers[0]?.weigh()]).toEqual([1_000, 1_000]);
    readers[0]?.setQueue([]);
    expect([budget.total, readers[0]?.hasQueue]).toEqual([0, false]);
    expect(ended).toEqual([]);
  });

  it("counts what it takes in memory: two bytes per character as soon as one is not Latin-1", () => {
    const { budget, open } = createBudget(10_000);
    const account = open("one");
    for (const [text, bytes] of [
      ["naïve", 5],
      ["日本語", 6],
      ["smile 🙂", 16],
    ] as const) {
      account.setQueue([text], [text]);
      expect(budget.total).toBe(60 + bytes);
      account.setQueue([]);
    }
  });

  it("is divided among its sessions, so that one that alone holds much ends, and not those that share", () => {
    const { budget, ended, open } = createBudget(10_000);
    const shared = frames(5_000);
    for (let i = 0; i < 50; i++) open(`slow ${i}`).setQueue(shared, shared);
    const greedy = open("greedy");
    const own = Array.from({ length: 6 }, () => frames(1_000)).flat();
    for (let i = 0; i < 6; i++) greedy.setQueue(own.slice(0, i + 1), own.slice(i, i + 1));
    expect(ended).toEqual(["greedy"]);
    expect(budget.total).toBe(5_000);
  });

  it("may exceed the budget also by what returns to its front", () => {
    const { ended, open } = createBudget(1_000);
    const account = open("one");
    account.setQueue(["x".repeat(900)]);
    expect(ended).toEqual([]);
    account.setQueue(["x".repeat(900), "x".repeat(900)]);
    expect(ended).toEqual(["one"]);
  });

  it("is taken from the front in any portions, and may return there", () => {
    const { budget, open } = createBudget(1e9);
    const account = open("one");
    const batches = [3, 1, 4].map((length) => Array.from({ length }, () => "x".repeat(40)));
    const queue: string[] = [];
    for (const batch of batches) {
      queue.push(...batch);
      account.setQueue(queue, batch);
    }
    expect(budget.total).toBe(800);
    for (const [left, total] of [
      [7, 800],
      [5, 500],
      [4, 400],
      [1, 400],
    ] as const) {
      account.setQueue(queue.slice(-left));
      expect(budget.total).toBe(total);
    }
    account.setQueue([...queue.slice(0, 2), ...queue.slice(-1)]);
    expect(budget.total).toBe(600);
    account.setQueue(queue.slice(0, 1), queue.slice(0, 1));
    expect(budget.total).toBe(100);
    account.close();
    account.setQueue([]);
    expect(budget.total).toBe(0);
  });
});

describe("the budgets of one isolate", () => {
  it("are bounded together: the object that adds bytes ends sessions if it holds more than its share", () => {
    const first = createBudget(48_000, 64_000);
    const second = createBudget(48_000, 64_000);
    first.open("a", 40_000);
    second.open("b", 20_000);
    second.open("c", 4_001);
    expect([first.ended, second.ended]).toEqual([[], []]);
    expect(second.budget.admits(1)).toBe(true);
    first.open("d", 1);
    expect(first.ended).toEqual(["a"]);
    first.open("e", 39_000);
    second.open("f", 15_000);
    expect(second.ended).toEqual(["b"]);
  });

  it("include objects that are kept in memory, even if they have added nothing for long", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const quiet = createBudget(48_000, 64_000);
    const evicted = createBudget(48_000, 64_000);
    quiet.open("a", 30_000);
    evicted.open("b", 30_000);
    vi.advanceTimersByTime(20_000);
    quiet.budget.touch();
    vi.advanceTimersByTime(20_000);
    const busy = createBudget(48_000, 64_000);
    busy.open("c", 34_000);
    expect(busy.ended).toEqual([]);
    busy.open("d", 1);
    expect(busy.ended).toEqual(["c"]);
  });

  it("do not apply to small objects", () => {
    const first = createBudget(48_000, 48_100);
    first.open("a", 48_000);
    const small = createBudget(48_000, 48_100);
    small.open("b", 900);
    expect([first.ended, small.ended]).toEqual([[], []]);
    expect(small.budget.admits(0)).toBe(true);
    first.open("c", 0.1);
    expect(first.ended).toEqual(["a"]);
  });

  it("count a new instance of an object in place of the one before", () => {
    const id = crypto.randomUUID();
    createBudget(48_000, 50_000, id).open("before", 40_000);
    const now = createBudget(48_000, 50_000, id);
    now.open("after", 40_000);
    expect(now.ended).toEqual([]);
  });
});
