import { MOST_EPOCHS } from "../constants.ts";

/** The last batch of a shard that was carried out. */
export interface LastBatch {
  readonly epoch: number;
  readonly number: number;
}

interface BatchStore {
  storedBatch(from: string): LastBatch | undefined;
  noteBatch(from: string, last: LastBatch): void;
}

/**
 * Remembers which batches of each shard were carried out, so that none is carried out twice. This is stored whenever a
 * batch makes the object store something; otherwise it is in memory only.
 */
export class Senders {
  readonly #store: BatchStore;
  /** The last number of each epoch by shard, the oldest epoch first. */
  readonly #known = new Map<string, Map<number, number>>();

  constructor(store: BatchStore) {
    this.#store = store;
  }

  /** For an epoch that a newer one has replaced: that one, and the last number of the old one that was carried out. */
  replaced(from: string, epoch: number): { newest: number; done: number } | undefined {
    const known = this.#of(from);
    const newest = Math.max(...known.keys());
    return epoch < newest ? { newest, done: known.get(epoch) ?? 0 } : undefined;
  }

  /** Notes a batch. Returns false if it was carried out before. */
  take(from: string, last: LastBatch): boolean {
    const known = this.#of(from);
    if (last.number <= (known.get(last.epoch) ?? 0)) return false;
    known.set(last.epoch, last.number);
    if (known.size > MOST_EPOCHS) known.delete(Math.min(...known.keys()));
    this.#store.noteBatch(from, last);
    return true;
  }

  #of(from: string): Map<number, number> {
    let known = this.#known.get(from);
    if (known === undefined) {
      const stored = this.#store.storedBatch(from);
      known = new Map(stored && [[stored.epoch, stored.number]]);
      this.#known.set(from, known);
    }
    return known;
  }
}
