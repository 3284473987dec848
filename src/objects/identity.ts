import { type Address, toAddress } from "./placement/object-name.ts";
import { removeAll } from "./storage/rows.ts";

const META = "sio_meta";
/** Where ids of acknowledgements go on. */
export const ACKS = "sio_a:";

/** Older code kept the object's own name alone, and kept the row for good. */
interface MetaRow {
  readonly v: 1;
  readonly name?: string | undefined;
  readonly shard?: string | undefined;
}

/**
 * Which object this is, and whether anything is kept of its sessions. The platform tells an object its name only where
 * it was reached by it: who comes with a session's id reaches it by its own id. So the Worker tells it at a handshake,
 * and it is written down with the first session:
 *
 *   unknown ── handshake: told ──► known ── first session ──► kept ── last session ended, nobody awaited ──► known
 */
export class Identity {
  readonly #ctx: DurableObjectState;
  #address: Address | undefined;
  #isKept: boolean | undefined;
  /** Rows that went when the last session had ended: who comes to this instance later gets no id twice. */
  #removed: [key: string, value: unknown][] = [];

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** Undefined where the object was reached by its id alone and has no session: then there is nothing to serve. */
  get address(): Address | undefined {
    this.#address ??= this.#find();
    return this.#address;
  }

  /** @throws Error where it is not known */
  require(): Address {
    if (this.address !== undefined) return this.address;
    throw new Error(
      "this object does not know its name, since it was reached by an id: reach it with server.object(env, { name })",
    );
  }

  /** Whether there is a session, or was one whose client may come back. @throws what storage throws */
  get isKept(): boolean {
    this.#isKept ??= this.#ctx.storage.kv.get(META) !== undefined;
    return this.#isKept;
  }

  /** Whether something is kept, for those who would remove it: not where storage cannot say. */
  isLeftOver(): boolean {
    try {
      return this.isKept;
    } catch {
      return false;
    }
  }

  /** The Worker says who this is. One of an earlier deploy says nothing. */
  tell({ name, shard }: Partial<Address>): void {
    if (name !== undefined && shard !== undefined) this.#address = { name, shard };
  }

  /** One row, written once. */
  keep(): void {
    if (this.isKept) return;
    const { kv } = this.#ctx.storage;
    kv.put(META, { v: 1, ...this.address } satisfies MetaRow);
    for (const [key, value] of this.#removed) kv.put(key, value);
    this.#removed = [];
    this.#isKept = true;
  }

  /** Nobody is there, and nobody may come back. */
  forget(): void {
    // What is known stays known in this instance.
    void this.address;
    const { kv } = this.#ctx.storage;
    this.#removed = [...kv.list({ prefix: ACKS })];
    removeAll(kv, META, ACKS);
    this.#isKept = false;
  }

  #find(): Address | undefined {
    const known = this.#ctx.id.name;
    if (known !== undefined) return toAddress(known);
    const { name, shard } = this.#ctx.storage.kv.get<MetaRow>(META) ?? {};
    if (name === undefined) return undefined;
    return shard === undefined ? toAddress(name) : { name, shard };
  }
}
