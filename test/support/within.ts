// A test may fake the clock, but not its own time limit.
const { setTimeout, clearTimeout } = globalThis;

/**
 * Bounds a wait: a promise that does not settle in time fails with a sentence, where the runner would report only a
 * timeout.
 */
export async function within<T>(promise: Promise<T>, what: string, ms = 5_000): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A queue that is filled by events and read one by one, in order. */
export class Inbox<T> {
  readonly seen: T[] = [];
  #read = 0;
  #waiting: (() => void) | undefined;
  #failure: Error | undefined;

  push(item: T): void {
    this.seen.push(item);
    this.#waiting?.();
  }

  /** Ends every wait, because nothing more will arrive. */
  fail(error: Error): void {
    this.#failure = error;
    this.#waiting?.();
  }

  /** The next item that satisfies `wanted`; those before it are skipped. */
  async next(what = "item", wanted: (item: T) => boolean = () => true, ms = 5_000): Promise<T> {
    const until = Date.now() + ms;
    for (;;) {
      while (this.#read < this.seen.length) {
        const item = this.seen[this.#read++] as T;
        if (wanted(item)) return item;
      }
      if (this.#failure) throw new Error(`no ${what}: ${this.#failure.message}`);
      const left = until - Date.now();
      if (left <= 0)
        throw new Error(`no ${what} within ${ms} ms; seen: ${JSON.stringify(this.seen.slice(-10))}`);
      await within(new Promise<void>((resolve) => (this.#waiting = resolve)), what, left).catch(() => {});
    }
  }

  /** The items that arrived and were not read. */
  get unread(): T[] {
    return this.seen.slice(this.#read);
  }
}
