import { MOST_EPOCHS } from "../constants.ts";
/** The last batch of a shard that was carried out. */
export interface LastBatch {
  readonly epoch: number;
  readonly number: number;
}

interface BatchStore {
  storedBatch(from: string): LastBatch | undefined;
}

/**
 * Remembers which batches of each shard were carried out, so that none is carried out twice. This is stored whenever a
 * batch makes the object store something; otherwise it is in memory only.
 */
export class Senders {
  readonly #store: BatchStore;
  /** The last number of each epoch by shard, the newest epoch first. */
  readonly #known = new Map<string, LastBatch[]>();

  constructor(store: BatchStore) {
    this.#store = store;
  }

  /** Judges a batch: it is new, it was carried out, or it is of an epoch that a newer one has replaced. */
  judge(from: string, { epoch, number }: LastBatch): "new" | "done" | { newest: number; done: number } {
    const [newest, ...older] = this.#of(from);
    if (newest === undefined || epoch > newest.epoch) return "new";
    if (epoch === newest.epoch) return number > newest.number ? "new" : "done";
    return { newest: newest.epoch, done: older.find((it) => it.epoch === epoch)?.number ?? 0 };
  }

  note(from: string, { epoch, number }: LastBatch): void {
    const others = this.#of(from).filter((it) => it.epoch !== epoch);
    this.#known.set(from, [{ epoch, number }, ...others].slice(0, MOST_EPOCHS));
  }

  #of(from: string): LastBatch[] {
    const known = this.#known.get(from);
    if (known !== undefined) return known;
    const stored = this.#store.storedBatch(from);
    return stored === undefined ? [] : [stored];
  }
}
