import { type Address, toAddress } from "./placement/object-name.ts";
import { removeAll } from "./storage/rows.ts";
import { TALLY } from "./tally.ts";

const META = "sio_meta";
/** The key of the next acknowledgement ids of a namespace begins with this. */
export const ACKS = "sio_a:";
/** The last batch of another shard of which anything was stored. */
export const BATCHES = "sio_n:";

/** Older code stored only the object's own name, and never removed the row. */
interface MetaRow {
  readonly v: 1;
  readonly name?: string | undefined;
  readonly shard?: string | undefined;
  /** The other shards of the server, as far as this one had heard of them. */
  readonly peers?: readonly string[] | undefined;
}

/**
 * Knows which server the object belongs to, and whether anything is stored of its sessions. The platform tells an
 * object its name only when it is reached by name, and a request with a session id reaches it by its id. So the Worker
 * tells it the name at a handshake, as emitters and other objects do with each call, and the name is stored with the
 * first session:
 *
 *   unknown ── told ──► known ── first session ──► kept ── last session ended, nobody awaited ──► known
 */
export class Identity {
  readonly #ctx: DurableObjectState;
  #address: Address | undefined;
  #isKept: boolean | undefined;
  #peers: readonly string[] | undefined;
  /**
   * Rows that were removed when the last session had ended. A later session in this instance stores them again, so that
   * no id is used twice.
   */
  #removed: [key: string, value: unknown][] = [];

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** Undefined when this instance was only reached by its id and has no session: there is nothing to serve then. */
  get address(): Address | undefined {
    this.#address ??= this.#find();
    return this.#address;
  }

  /** The same, where it has to be known. @throws Error when it is not known */
  require(): Address {
    if (this.address !== undefined) return this.address;
    throw new Error(
      "this object does not know its name, since it was first reached by an id; a handshake or an emitter tells it",
    );
  }

  /** Whether there is a session, or was one whose client may come back. @throws what storage throws */
  get isKept(): boolean {
    if (this.#isKept === undefined) this.#read();
    return this.#isKept === true;
  }

  /** The other shards that were heard of. */
  get peers(): readonly string[] {
    if (this.#peers === undefined) this.#read();
    return this.#peers ?? [];
  }

  /** They are stored with the object's sessions, so that code with fewer of them knows whom there is to tell. */
  set peers(peers: readonly string[]) {
    const isKept = this.isKept;
    this.#peers = peers;
    if (isKept) this.#write();
  }

  /** Whether something is stored that could be removed; false when storage fails. */
  isLeftOver(): boolean {
    try {
      return this.isKept;
    } catch {
      return false;
    }
  }

  /** Whether certainly nothing is stored of sessions, nor a schedule; false when storage fails. */
  isEmpty(): boolean {
    try {
      return !this.isKept;
    } catch {
      return false;
    }
  }

  /** Takes the name that the caller tells. A caller of an earlier deploy tells none. */
  tell({ name, shard }: Partial<Address> = {}): void {
    if (name !== undefined && shard !== undefined) this.#address = { name, shard };
  }

  /** Stores the name, once. */
  keep(): void {
    if (this.isKept) return;
    const { kv } = this.#ctx.storage;
    for (const [key, value] of this.#removed) kv.put(key, value);
    this.#removed = [];
    this.#write();
    this.#isKept = true;
  }

  /** Removes what is stored, because nobody is there and nobody may come back. */
  forget(): void {
    // Read before the row is removed, since this instance still needs it.
    void this.address;
    const { kv } = this.#ctx.storage;
    this.#removed = [...kv.list({ prefix: ACKS })];
    removeAll(kv, META, TALLY, ACKS, BATCHES);
    this.#isKept = false;
  }

  #read(): void {
    const row = this.#ctx.storage.kv.get<MetaRow>(META);
    this.#isKept = row !== undefined;
    this.#peers ??= row?.peers ?? [];
  }

  #write(): void {
    const peers = this.#peers?.length ? this.#peers : undefined;
    this.#ctx.storage.kv.put(META, { v: 1, ...this.address, peers } satisfies MetaRow);
  }

  #find(): Address | undefined {
    const known = this.#ctx.id.name;
    if (known !== undefined) return toAddress(known);
    const { name, shard } = this.#ctx.storage.kv.get<MetaRow>(META) ?? {};
    if (name === undefined) return undefined;
    return shard === undefined ? toAddress(name) : { name, shard };
  }
}
