import { afterEach, beforeEach, vi } from "vitest";
import { TestObject } from "./support.ts";

/** The clock that is not faked. */
const RealDate = Date;

/**
 * The time of objects under test. Only `Date` is faked: timers run, and alarms run when a test says so. The runtime
 * stamps pongs with the real time, which is converted to the time that the clock showed at that moment.
 */
export class Clock {
  readonly start = RealDate.now();
  /** The settings of the clock with the times at which they were made, oldest first. */
  readonly #settings: { real: number; shown: number }[] = [];

  constructor() {
    vi.useFakeTimers({ toFake: ["Date"], now: this.start });
    this.#settings.push({ real: this.start, shown: this.start });
  }

  /** Shows `ms` after the start until it is set again. */
  set(ms: number): void {
    vi.setSystemTime(this.start + ms);
    this.#settings.push({ real: RealDate.now(), shown: this.start + ms });
  }

  /** Makes the object, and all others of its isolate, read the times of pongs from this clock. */
  async attach(object: TestObject): Promise<void> {
    await object.run((_, ctx) => {
      const prototype = Object.getPrototypeOf(ctx) as DurableObjectState;
      const original = prototype.getWebSocketAutoResponseTimestamp;
      const toShown = (real: number) => this.#settings.findLast((it) => it.real <= real)?.shown ?? this.start;
      prototype.getWebSocketAutoResponseTimestamp = function (socket) {
        const stamp = original.call(this, socket);
        return stamp === null ? null : new RealDate(toShown(stamp.getTime()));
      };
      this.#restore = () => {
        prototype.getWebSocketAutoResponseTimestamp = original;
      };
    });
  }

  stop(): void {
    vi.useRealTimers();
    this.#restore();
  }

  #restore = () => {};
}

/** The result of `watch`: a clock, and the errors that were logged instead of being printed. */
class Watched {
  clock!: Clock;
  logged: string[] = [];
}

/** Watches each test of a file, and resets everything before each. */
export function watch(): Watched {
  const watched = new Watched();
  beforeEach(async () => {
    watched.clock = new Clock();
    await watched.clock.attach(new TestObject("clock"));
    watched.logged = [];
    vi.spyOn(console, "error").mockImplementation((...args) => void watched.logged.push(args.join(": ")));
  });
  afterEach(() => {
    watched.clock.stop();
    vi.restoreAllMocks();
  });
  return watched;
}
