import type { Timer, Timers } from "../../shared/timers.ts";
import { type Batch, type BatchAnswer, type ClusterMessage, VERSION } from "./messages.ts";

/** How long one call may take, ms. */
const CALL_MS = 5_000;
/** How long a batch is repeated when nobody knows whether it has arrived, ms. An idle receiver knows it for 10 s. */
const REPEAT_MS = 5_000;
/** After its first failure a call is repeated at once, and then after pauses that double from this one on, ms. */
const FIRST_PAUSE_MS = 250;
/** The longest pause between a batch that was given up and the next one, ms. */
const LONGEST_PAUSE_MS = 5_000;
/** The largest batch, bytes. */
const BATCH_BYTES = 1_000_000;

/** The memory that a message takes. All queues in which it waits share it. */
export interface Memory {
  readonly bytes: number;
  /** In how many queues the message waits or is under way. */
  holders: number;
}

/** A message that waits to be sent to a shard. */
export interface Queued {
  readonly message: ClusterMessage;
  readonly memory: Memory;
  /** Called once, when the message has arrived or was given up; `failure` is the reason. */
  readonly settle: (failure?: Error) => unknown;
}

/** What all queues of a shard hold together. A message that is in several of them counts once. */
export interface Load {
  bytes: number;
}

export interface QueueHost {
  readonly timers: Timers;
  now(): number;
  keepAwake(promise: Promise<unknown>): void;
  /** Settles at the object's next alarm, which comes soon. A call made by the alarm is not nested in another call. */
  afterAlarm(): Promise<void>;
}

interface Flight {
  readonly items: readonly Queued[];
  readonly startedAt: number;
}

/**
 * Sends the messages of one shard to another, in order.
 *
 *   idle ── said: at the end of the turn ──► calling ── taken ──► idle, or the next batch
 *                                           │  ▲
 *                                   failed  ▼  │ 0, 250, 500 ... ms later
 *                                          pausing ── 5 s since it began ──► given up, a pause, the next batch
 */
export class PeerQueue {
  /** The size of the messages that wait or are under way. */
  #bytes = 0;
  readonly #from: string;
  readonly #host: QueueHost;
  readonly #load: Load;
  readonly #call: (batch: Batch) => Promise<BatchAnswer>;
  #waiting: Queued[] = [];
  #isBusy = false;
  #epoch: number;
  #number = 0;
  /** How many batches in succession were given up. */
  #failures = 0;

  constructor(from: string, host: QueueHost, load: Load, call: (batch: Batch) => Promise<BatchAnswer>) {
    this.#from = from;
    this.#host = host;
    this.#load = load;
    this.#call = call;
    this.#epoch = host.now();
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the last batch was given up, and the next one waits or is under way. */
  get isFailing(): boolean {
    return this.#isBusy && this.#failures > 0;
  }

  add(item: Queued): void {
    const { memory } = item;
    this.#waiting.push(item);
    this.#bytes += memory.bytes;
    if (memory.holders++ === 0) this.#load.bytes += memory.bytes;
    if (this.#isBusy) return;
    this.#isBusy = true;
    // The messages of one turn are sent in one call.
    this.#host.keepAwake(Promise.resolve().then(() => this.#work()));
  }

  /**
   * Discards broadcasts of `bytes` that wait, oldest first: those that wait in this queue alone, or those that others
   * have as well. For volatile ones nothing is reported.
   */
  drop(bytes: number, onlyVolatile: boolean, isShared: boolean, failure: Error): void {
    if (bytes <= 0) return;
    const goal = this.#bytes - bytes;
    this.#waiting = this.#waiting.filter((item) => {
      const { message, memory } = item;
      const isDroppable = message.type === "broadcast" && message.request === undefined;
      const isChosen = (isShared || memory.holders === 1) && (!onlyVolatile || isVolatile(message));
      if (this.#bytes <= goal || !isDroppable || !isChosen) return true;
      this.#settle([item], failure);
      return false;
    });
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const flight: Flight = { items: this.#cut(), startedAt: this.#host.now() };
      this.#number++;
      const failure = await this.#carry(flight);
      this.#settle(flight.items, failure);
      if (failure === undefined) this.#failures = 0;
      else
        await pause(
          this.#host.timers,
          Math.min(LONGEST_PAUSE_MS, 2 * FIRST_PAUSE_MS * 2 ** this.#failures++),
        );
    }
    this.#isBusy = false;
  }

  /** Takes as many messages off the queue as fit into a batch, and one at least. */
  #cut(): Queued[] {
    let bytes = 0;
    let count = 0;
    for (const item of this.#waiting) {
      bytes += item.memory.bytes;
      if (count > 0 && bytes > BATCH_BYTES) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** Calls until the receiver has taken the batch. Returns the reason if the batch is given up. */
  async #carry({ items, startedAt }: Flight): Promise<Error | undefined> {
    const messages = items.map(({ message }) => message);
    for (let tries = 0; ; tries++) {
      try {
        const { stale } = await inTime(
          this.#host.timers,
          CALL_MS,
          this.#call(this.#toBatch(messages)),
          tooLate,
        );
        if (stale === undefined) return undefined;
        const wasDone = stale.done >= this.#number;
        this.#epoch = stale.newest + 1;
        this.#number = wasDone ? 0 : 1;
        if (wasDone) return undefined;
      } catch (error) {
        if (this.#host.now() - startedAt >= REPEAT_MS) return toFailure(error);
        if (tries > 0) await pause(this.#host.timers, FIRST_PAUSE_MS * 2 ** (tries - 1));
        // If the alarm could not be set, the wait ends all the same.
        if (isExhausted(error)) await inTime(this.#host.timers, REPEAT_MS, this.#host.afterAlarm(), () => {});
      }
    }
  }

  #toBatch(messages: readonly ClusterMessage[]): Batch {
    return {
      v: VERSION,
      type: "batch",
      from: this.#from,
      epoch: this.#epoch,
      number: this.#number,
      messages,
    };
  }

  #settle(items: readonly Queued[], failure: Error | undefined): void {
    for (const { memory, settle } of items) {
      this.#bytes -= memory.bytes;
      if (--memory.holders === 0) this.#load.bytes -= memory.bytes;
      settle(failure);
    }
  }
}

export function pause(timers: Timers, ms: number): Promise<void> {
  return new Promise((resolve) => void timers.set(resolve, ms));
}

/** Settles as the promise does, or, if it takes more than `ms`, as `late` does. */
export async function inTime<T>(timers: Timers, ms: number, promise: Promise<T>, late: () => T): Promise<T> {
  let timer: Timer | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = timers.set(resolve, ms);
  });
  try {
    return await Promise.race([promise, timeout.then(late)]);
  } finally {
    timers.clear(timer);
  }
}

function tooLate(): never {
  throw new Error(`no answer within ${CALL_MS} ms`);
}

/** Whether the message is a broadcast that may be lost. */
export function isVolatile(message: ClusterMessage): boolean {
  return message.type === "broadcast" && message.to.volatile === true;
}

/** In production the depth of nested calls and the number of calls in one event are limited; locally they are not. */
function isExhausted(error: unknown): boolean {
  return /subrequest|depth|too many (calls|requests)/i.test(String(error));
}

function toFailure(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
