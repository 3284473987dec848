import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { MOST_REPLY_BYTES } from "../constants.ts";
import type { Load } from "./batch-queue.ts";
import type { Answers } from "./messages.ts";

/** Collects the answers of this shard to one request, until the asker has fetched them, possibly several times. */
export class Reply {
  readonly values: unknown[] = [];
  readonly expiresAt: number;
  readonly #load: Load;
  /** How many clients or listeners will answer, once that is known. */
  #expected: number | undefined;
  /** How many have answered, or will not. */
  #done = 0;
  #bytes = 0;
  #isUnknown = false;
  #isCut = false;
  #resolve!: () => void;
  /** Resolves when no more answers will come. */
  readonly complete = new Promise<void>((resolve) => {
    this.#resolve = resolve;
  });

  /** `load`: the size of all replies of the object. */
  constructor(expiresAt: number, load: Load) {
    this.expiresAt = expiresAt;
    this.#load = load;
  }

  get isComplete(): boolean {
    return this.#isUnknown || (!this.#isCut && this.#done >= (this.#expected ?? Infinity));
  }

  /** Sets how many clients or listeners will answer. */
  expect(count: number): void {
    this.#expected = count;
    this.#tell();
  }

  add(value: unknown): void {
    const bytes = estimateBytes(value);
    if (this.#load.bytes + bytes > MOST_REPLY_BYTES) this.#isCut = true;
    else {
      this.values.push(value);
      this.#bytes += bytes;
      this.#load.bytes += bytes;
    }
    this.gone();
  }

  /** The reply will not be fetched any more. */
  drop(): void {
    this.#load.bytes -= this.#bytes;
    this.#bytes = 0;
    this.#isCut = true;
  }

  /** A client that was expected to answer will not. */
  gone(): void {
    this.#done++;
    this.#tell();
  }

  /** The promise resolves with all answers. */
  settle(values: Promise<readonly unknown[]>): void {
    values.then(
      (all) => {
        this.expect(all.length);
        for (const value of all) this.add(value);
      },
      () => this.giveUp(),
    );
  }

  /** This shard cannot answer the request. */
  giveUp(): void {
    this.#isUnknown = true;
    this.#tell();
  }

  toAnswers(): Answers {
    const { values, isComplete } = this;
    return { count: this.#expected ?? 0, values, isComplete, isUnknown: this.#isUnknown };
  }

  #tell(): void {
    if (this.isComplete) this.#resolve();
  }
}
