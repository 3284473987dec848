import { estimateBytes } from "../../shared/estimate-bytes.ts";
import type { Answers } from "./messages.ts";

/** Collects the answers of this shard to one request, until the asker has fetched them, possibly several times. */
export class Reply {
  readonly expiresAt: number;
  /** What the answers take in memory. */
  bytes = 0;
  /** The asker has called for the answers, or will not any more. Later ones are not kept. */
  isFetched = false;
  readonly #makeRoom: (bytes: number) => boolean;
  readonly #values: unknown[] = [];
  /** How many clients or listeners will answer, once that is known. */
  #expected: number | undefined;
  /** How many have answered, or will not. */
  #done = 0;
  #isUnknown = false;
  #isCut = false;
  #resolve!: () => void;
  /** Resolves when no more answers will come. */
  readonly complete = new Promise<void>((resolve) => {
    this.#resolve = resolve;
  });

  /** `makeRoom` returns whether so many bytes have room besides all other replies of the object. */
  constructor(expiresAt: number, makeRoom: (bytes: number) => boolean) {
    this.expiresAt = expiresAt;
    this.#makeRoom = makeRoom;
  }

  /** Sets how many clients or listeners will answer. */
  expect(count: number): void {
    this.#expected = count;
    this.#tell();
  }

  add(value: unknown): void {
    this.#keep([value]);
    this.#tell();
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
        this.#keep(all);
        this.expect(all.length);
      },
      () => this.giveUp(),
    );
  }

  /** This shard cannot answer the request. */
  giveUp(): void {
    this.#isUnknown = true;
    this.#resolve();
  }

  toAnswers(): Answers {
    const isComplete = this.#isOver && !this.#isCut;
    return {
      count: this.#expected ?? 0,
      values: this.#values,
      isComplete,
      isUnknown: this.#isUnknown,
      isCut: this.#isCut,
    };
  }

  get #isOver(): boolean {
    return this.#done >= (this.#expected ?? Infinity);
  }

  /** Keeps all of these answers, or none. */
  #keep(values: readonly unknown[]): void {
    if (this.isFetched) return;
    this.#done += values.length;
    const bytes = estimateBytes(values);
    if (this.#makeRoom(bytes)) {
      this.bytes += bytes;
      for (const value of values) this.#values.push(value);
    } else this.#isCut = true;
  }

  #tell(): void {
    if (this.#isOver) this.#resolve();
  }
}
