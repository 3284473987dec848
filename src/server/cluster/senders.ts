/** The last batch of a shard that was carried out. */
export interface LastBatch {
  readonly epoch: number;
  readonly number: number;
}

/** Earlier epochs of a shard are remembered: one that lives on is told what of it was carried out. */
const MOST_EPOCHS = 4;

/**
 * What was carried out of each shard's batches, so that none is carried out twice. It is in memory, and stored beside
 * what a batch has made the object store.
 */
export class Senders {
  readonly #stored: (from: string) => LastBatch | undefined;
  /** By shard: the last number of each epoch, the newest epoch first. */
  readonly #known = new Map<string, LastBatch[]>();

  constructor(stored: (from: string) => LastBatch | undefined) {
    this.#stored = stored;
  }

  /** Whether a batch is new; otherwise how far its epoch has come, and the newest epoch. */
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
    const stored = this.#stored(from);
    return stored === undefined ? [] : [stored];
  }
}
