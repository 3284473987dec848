import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Mute } from "../../src/shared/mute.ts";

describe("mute", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("holds across await where there is an async context, and ends with the promise", async () => {
    const mute = new Mute(new AsyncLocalStorage());
    const seen: boolean[] = [];
    const run = mute.run(async () => {
      seen.push(mute.active);
      await Promise.resolve();
      seen.push(mute.active);
    }, 1_000);
    seen.push(mute.active);
    await run;
    expect(seen).toEqual([true, false, true]);
    expect(mute.active).toBe(false);
  });

  it("holds for the synchronous part where there is none", async () => {
    const mute = new Mute();
    const seen: boolean[] = [];
    await mute.run(async () => {
      seen.push(mute.active);
      await Promise.resolve();
      seen.push(mute.active);
    }, 1_000);
    expect(seen).toEqual([true, false]);
  });

  it("does not mute a timer that fires after the run", async () => {
    const mute = new Mute(new AsyncLocalStorage());
    const seen: boolean[] = [];
    mute.run(() => void setTimeout(() => seen.push(mute.active), 50), 1_000);
    await vi.advanceTimersByTimeAsync(50);
    expect(seen).toEqual([false]);
  });

  it("ends after its limit, so that the caller continues and the code is no longer muted", async () => {
    const mute = new Mute(new AsyncLocalStorage());
    let finish = () => {};
    const seen: boolean[] = [];
    const run = mute.run(async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      seen.push(mute.active);
    }, 1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await run).toBeUndefined();
    finish();
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual([false]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends also when the code throws", () => {
    const mute = new Mute();
    expect(() =>
      mute.run(() => {
        throw new Error("no");
      }, 1_000),
    ).toThrow("no");
    expect(mute.active).toBe(false);
  });
});
