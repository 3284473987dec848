import { estimateBytes } from "../../shared/estimate-bytes.ts";
import type { Answers } from "./messages.ts";

/** Answers to one request, bytes: beyond that the asker is given what there is. */
const MOST_BYTES = 8_000_000;

/** Where a shard puts what comes of a request. It is fetched from there, several times if need be. */
export class Reply {
  readonly values: unknown[] = [];
  readonly expiresAt: number;
  #count = 0;
  #left: number | undefined;
  #bytes = 0;
  #isUnknown = false;
  readonly #waiting = new Set<() => void>();

  constructor(expiresAt: number) {
    this.expiresAt = expiresAt;
  }

  get isComplete(): boolean {
    return this.#isUnknown || (this.#left ?? 1) <= 0;
  }

  /** So many clients, or listeners, will answer. */
  expect(count: number): void {
    this.#count = count;
    this.#left = (this.#left ?? 0) + count;
    this.#tell();
  }

  add(value: unknown): void {
    this.#bytes += estimateBytes(value);
    if (this.#bytes <= MOST_BYTES) this.values.push(value);
    this.gone();
  }

  /** One of those expected will not answer. */
  gone(): void {
    this.#left = (this.#left ?? 0) - 1;
    this.#tell();
  }

  /** All that will come, once it is there. */
  settle(values: Promise<readonly unknown[]>): void {
    values.then(
      (all) => {
        this.expect(all.length);
        for (const value of all) this.add(value);
      },
      () => this.giveUp(),
    );
  }

  /** Nobody is there to answer. */
  giveUp(): void {
    this.#isUnknown = true;
    this.#tell();
  }

  toAnswers(): Answers {
    const { values, isComplete } = this;
    return { count: this.#count, values, isComplete, isUnknown: this.#isUnknown };
  }

  /** Calls back when nothing more will come, at once where that is so. What it gives ends the wait. */
  whenComplete(fn: () => void): () => void {
    if (this.isComplete) fn();
    else this.#waiting.add(fn);
    return () => void this.#waiting.delete(fn);
  }

  #tell(): void {
    if (!this.isComplete) return;
    for (const fn of this.#waiting) fn();
    this.#waiting.clear();
  }
}
