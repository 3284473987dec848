import { waitUntil } from "cloudflare:workers";
import { BatchQueue, type Queued } from "../../server/cluster/batch-queue.ts";
import {
  type ClusterMessage,
  type ObjectCall,
  type Results,
  VERSION,
} from "../../server/cluster/messages.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { inTime, Timers } from "../../shared/timers.ts";
import { EMITTER_CALL_MS, MOST_EMITTED_BYTES } from "../constants.ts";
import type { Place } from "../placement/placement.ts";

interface RelayObject {
  socketIoPeer(call: ObjectCall): Promise<Results>;
}

/**
 * Takes the messages of an emitter to its object. An emitter may be kept in a variable of the module, and the runtime
 * does not allow one request to use what belongs to another, so each request has a queue of its own while it needs one.
 */
export class EmitterQueues {
  readonly #find: () => Place;
  /** Weak references, because a queue is never done when its request has ended before. */
  #busy: WeakRef<EmitterQueue>[] = [];

  constructor(find: () => Place) {
    this.#find = find;
  }

  /** The promise need not be awaited: a rejection that nobody looks at is not reported as unhandled. */
  send(message: ClusterMessage): Promise<unknown> {
    const queue = this.#own();
    const promise = new Promise((resolve, reject) => {
      queue.add({
        message,
        memory: { bytes: estimateBytes(message), holders: 0 },
        settle: (failure, value) => (failure === undefined ? resolve(value) : reject(failure)),
      });
    });
    promise.catch(() => {});
    return promise;
  }

  #own(): EmitterQueue {
    let own: EmitterQueue | undefined;
    this.#busy = this.#busy.filter((reference) => {
      const queue = reference.deref();
      if (queue?.isBusy && queue.isOwn) own = queue;
      return queue?.isBusy;
    });
    if (own !== undefined) return own;
    const queue = new EmitterQueue(this.#find);
    this.#busy.push(new WeakRef(queue));
    return queue;
  }
}

/** What one request sends. */
class EmitterQueue extends BatchQueue {
  readonly #find: () => Place;
  /** An object of the request that is cheap to touch. The runtime throws when another request touches it. */
  readonly #probe = new WebSocketPair()[0];
  readonly #timers = new Timers();
  #place: Place | undefined;

  constructor(find: () => Place) {
    super({ bytes: 0 });
    this.#find = find;
  }

  /** Whether it belongs to the request in which the calling code runs. */
  get isOwn(): boolean {
    try {
      return this.#probe.readyState > 0;
    } catch {
      return false;
    }
  }

  override add(item: Queued): void {
    if (this.bytes > 0 && this.bytes + item.memory.bytes > MOST_EMITTED_BYTES) {
      item.settle(
        new Error(`more than ${MOST_EMITTED_BYTES} bytes wait for an object; await what an emitter returns`),
      );
    } else super.add(item);
  }

  /** The request lasts until all is sent. */
  protected override keepAwake(promise: Promise<void>): void {
    waitUntil(promise);
  }

  protected override async carry(items: readonly Queued[]): Promise<void> {
    let results: Results | undefined;
    let failure: unknown;
    try {
      this.#place ??= this.#find();
      const { stub, ...to } = this.#place;
      const messages = items.map(({ message }) => message);
      const object = stub as unknown as RelayObject;
      const call = object.socketIoPeer({ v: VERSION, type: "relay", messages, to });
      results = await inTime(this.#timers, EMITTER_CALL_MS, call, () => {
        throw new Error(`no answer within ${EMITTER_CALL_MS} ms`);
      });
      if (!Array.isArray(results)) throw new Error("the object runs older code; call again after the deploy");
    } catch (error) {
      // A stub that has failed stays broken.
      this.#place = undefined;
      failure = error;
    }
    for (const [i, item] of items.entries()) {
      const { reason, value } = (results?.[i] ?? {}) as { reason?: unknown; value?: unknown };
      this.settle(item, failure ?? reason, value);
    }
  }
}
