import { SETTLED } from "../../shared/settled.ts";
import { BATCH_BYTES } from "../constants.ts";
import type { ClusterMessage } from "./messages.ts";

/** The memory that a message takes. All queues in which it waits share it. */
export interface Memory {
  readonly bytes: number;
  /** In how many queues the message waits or is under way. */
  holders: number;
}

/** A message that waits to be sent to an object. */
export interface Queued {
  readonly message: ClusterMessage;
  readonly memory: Memory;
  /** Called once, when the message has arrived or was given up; `failure` is the reason. */
  readonly settle: (failure?: unknown, value?: unknown) => unknown;
}

/** What several queues hold together. A message that is in more than one of them counts once. */
export interface Load {
  bytes: number;
}

/**
 * Takes messages to an object, in order: those of one turn in one call, and what is said during a call in the next one.
 */
export abstract class BatchQueue {
  /** The size of the messages that wait or are under way. */
  bytes = 0;
  isBusy = false;
  protected waiting: Queued[] = [];
  readonly #load: Load;

  constructor(load: Load) {
    this.#load = load;
  }

  add(item: Queued): void {
    const { memory } = item;
    this.waiting.push(item);
    this.bytes += memory.bytes;
    if (memory.holders++ === 0) this.#load.bytes += memory.bytes;
    if (this.isBusy) return;
    this.isBusy = true;
    this.keepAwake(SETTLED.then(() => this.#work()));
  }

  /** Keeps the caller in memory until the promise settles. */
  protected abstract keepAwake(promise: Promise<void>): void;

  /** Takes messages to the object and settles them. It never rejects. */
  protected abstract carry(items: readonly Queued[]): Promise<void>;

  protected settle({ memory, settle }: Queued, failure?: unknown, value?: unknown): void {
    this.bytes -= memory.bytes;
    if (--memory.holders === 0) this.#load.bytes -= memory.bytes;
    settle(failure, value);
  }

  async #work(): Promise<void> {
    while (this.waiting.length > 0) await this.carry(this.#cut());
    this.isBusy = false;
  }

  /** Takes as many messages off the queue as fit into a batch, and one at least. */
  #cut(): Queued[] {
    let bytes = 0;
    let count = 0;
    for (const { memory } of this.waiting) {
      bytes += memory.bytes;
      if (count > 0 && bytes > BATCH_BYTES) break;
      count++;
    }
    return this.waiting.splice(0, count);
  }
}
