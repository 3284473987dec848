import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Timers } from "../../src/shared/timers.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the timers of an object", () => {
  it("run when they are due, in order, with at most one timer of the runtime", () => {
    const timers = new Timers();
    const ran: string[] = [];
    for (const [name, ms] of [
      ["late", 300],
      ["first", 100],
      ["second", 100],
      ["now", 0],
      ["undefined", undefined],
      ["not a number", Number.NaN],
      ["past", -5],
      ["third", 150],
    ] as const) {
      timers.set(() => ran.push(name), ms);
      expect(vi.getTimerCount()).toBe(1);
    }
    vi.advanceTimersByTime(99);
    expect(ran).toEqual(["now", "undefined", "not a number", "past"]);
    vi.advanceTimersByTime(1);
    expect(ran.slice(4)).toEqual(["first", "second"]);
    vi.advanceTimersByTime(199);
    expect(ran.slice(6)).toEqual(["third"]);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(ran.slice(7)).toEqual(["late"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("leave nothing pending when all are cleared, and do not run when they are cleared", () => {
    const timers = new Timers();
    const ran: number[] = [];
    const set = Array.from({ length: 1_000 }, (_, i) => timers.set(() => ran.push(i), 100 + (i % 7)));
    for (const timer of set) expect(timers.clear(timer)).toBe(true);
    expect(timers.clear(set[0])).toBe(false);
    expect(timers.clear(undefined)).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(ran).toEqual([]);
  });

  it("may set and clear others as they run, also when one of them throws", () => {
    const timers = new Timers();
    const ran: string[] = [];
    const victim = { timer: timers.set(() => {}, 500) };
    timers.set(() => {
      timers.clear(victim.timer);
      timers.set(() => ran.push("later"), 50);
      throw new Error("a mistake");
    }, 100);
    victim.timer = timers.set(() => ran.push("cleared"), 100);
    timers.set(() => ran.push("next"), 100);
    expect(() => vi.advanceTimersByTime(100)).toThrow("a mistake");
    vi.advanceTimersByTime(50);
    expect(ran).toEqual(["next", "later"]);
  });

  it("wait longer than the runtime's longest timer", () => {
    const timers = new Timers();
    const run = vi.fn();
    timers.set(run, 2 ** 31 + 1_000);
    vi.advanceTimersByTime(2 ** 31);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    expect(run).toHaveBeenCalledOnce();
  });

  it("wait for their full time when the clock is set back", () => {
    const timers = new Timers();
    const ran: string[] = [];
    timers.set(() => ran.push("before"), 60_000);
    timers.set(() => {}, 1_000);
    vi.advanceTimersByTime(1_000);
    vi.setSystemTime(Date.now() - 3_600_000);
    timers.set(() => ran.push("short"), 10_000);
    vi.advanceTimersByTime(49_000);
    timers.set(() => ran.push("after"), 30_000);
    vi.advanceTimersByTime(10_000);
    expect(ran).toEqual(["short", "before"]);
    vi.advanceTimersByTime(19_999);
    expect(ran).toEqual(["short", "before"]);
    vi.advanceTimersByTime(1);
    expect(ran).toEqual(["short", "before", "after"]);
  });

  it("run in the async context in which they were set", () => {
    const context = new AsyncLocalStorage<string>();
    const timers = new Timers((fn) => AsyncLocalStorage.bind(fn));
    const seen: unknown[] = [];
    for (const name of ["one", "two"])
      context.run(name, () => timers.set(() => seen.push(context.getStore()), 10));
    timers.set(() => seen.push(context.getStore()), 10);
    vi.advanceTimersByTime(10);
    expect(seen).toEqual(["one", "two", undefined]);
  });
});
