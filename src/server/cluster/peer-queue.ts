import { inTime, pause, type Timers } from "../../shared/timers.ts";
import {
  FIRST_CALL_PAUSE_MS,
  LATE_MS,
  LONGEST_CALL_MS,
  LONGEST_CALL_PAUSE_MS,
  REPEAT_BATCH_MS,
} from "../constants.ts";
import { BatchQueue, type Load, type Queued } from "./batch-queue.ts";
import { type BatchAnswer, type ClusterMessage, type Peers, VERSION } from "./messages.ts";

export interface QueueHost {
  readonly timers: Timers;
  now(): number;
  keepAwake(promise: Promise<unknown>): void;
}

/**
 * Sends the messages of one shard to another, in order.
 *
 *   idle ── said: at the end of the turn ──► calling ── taken ──► idle, or the next batch
 *                                           │  ▲
 *                                   failed  ▼  │ 0, 250, 500 ... ms later
 *                                          pausing ── 5 s since the first call ──► given up, a pause, the next batch
 */
export class PeerQueue extends BatchQueue {
  readonly #shard: string;
  readonly #peers: Peers;
  readonly #host: QueueHost;
  #epoch: number;
  #number = 0;
  /** How many batches in succession were given up. */
  #failures = 0;

  /** `load`: what all queues of this shard hold. */
  constructor(shard: string, peers: Peers, host: QueueHost, load: Load) {
    super(load);
    this.#shard = shard;
    this.#peers = peers;
    this.#host = host;
    // A later instance may begin in the same millisecond.
    this.#epoch = host.now() + Math.random();
  }

  /** Whether the last batch was given up, and the next one waits or is under way. */
  get isFailing(): boolean {
    return this.isBusy && this.#failures > 0;
  }

  /**
   * Discards broadcasts of `bytes` that wait, oldest first: those that wait in this queue alone, or those that others
   * have as well. For volatile ones nothing is reported.
   */
  drop(bytes: number, onlyVolatile: boolean, isShared: boolean, failure: Error): void {
    const dropped: Queued[] = [];
    let left = bytes;
    this.waiting = this.waiting.filter((item) => {
      const { message, memory } = item;
      const isDroppable = message.type === "broadcast" && message.request === undefined;
      const isChosen = (isShared || memory.holders === 1) && (!onlyVolatile || isVolatile(message));
      if (left <= 0 || !isDroppable || !isChosen) return true;
      left -= memory.bytes;
      dropped.push(item);
      return false;
    });
    for (const item of dropped) this.settle(item, failure);
  }

  protected override keepAwake(promise: Promise<void>): void {
    this.#host.keepAwake(promise);
  }

  protected override async carry(items: readonly Queued[]): Promise<void> {
    this.#number++;
    const failure = await this.#deliver(items.map(({ message }) => message));
    for (const item of items) this.settle(item, failure);
    if (failure === undefined) this.#failures = 0;
    else
      await pause(
        this.#host.timers,
        Math.min(LONGEST_CALL_PAUSE_MS, FIRST_CALL_PAUSE_MS * 2 ** ++this.#failures),
      );
  }

  /** Calls until the receiver has taken the batch. Returns the reason if the batch is given up. */
  async #deliver(messages: readonly ClusterMessage[]): Promise<Error | undefined> {
    const peers = this.#peers;
    const startedAt = this.#host.now();
    const left = () => startedAt + REPEAT_BATCH_MS - LATE_MS - this.#host.now();
    for (let tries = 0; ; tries++) {
      try {
        const called = peers.call(this.#shard, {
          v: VERSION,
          type: "batch",
          from: peers.self,
          epoch: this.#epoch,
          number: this.#number,
          messages,
        }) as Promise<BatchAnswer>;
        const answer = await inTime(this.#host.timers, LONGEST_CALL_MS, called, tooLate);
        if (answer.peers !== undefined) peers.hear(answer.peers);
        if (answer.isEmpty) peers.forget(this.#shard);
        const { stale } = answer;
        if (stale === undefined) return undefined;
        const wasDone = stale.done >= this.#number;
        this.#epoch = stale.newest + 1;
        this.#number = wasDone ? 0 : 1;
        if (wasDone) return undefined;
      } catch (error) {
        if (left() <= 0) return toFailure(error);
        if (tries > 0)
          await pause(this.#host.timers, Math.min(left(), FIRST_CALL_PAUSE_MS * 2 ** (tries - 1)));
        // If the alarm could not be set, the wait ends all the same.
        if (isExhausted(error)) await inTime(this.#host.timers, left(), peers.afterAlarm(), () => {});
        if (left() < -LATE_MS) return toFailure(error);
      }
    }
  }
}

function tooLate(): never {
  throw new Error(`no answer within ${LONGEST_CALL_MS} ms`);
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
