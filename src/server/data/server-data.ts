import { SWEEP_PAUSE_MS } from "../constants.ts";
import { type EntryRow, entriesOf, type PropertyRow, parsePropertyKey, propertiesOf } from "./data-rows.ts";
import { DataWriter } from "./data-writer.ts";
import { NamespaceData } from "./namespace-data.ts";
import { CHILD_MS } from "./property.ts";

/** `io.data`, and the data of all other namespaces. */
export class ServerData {
  readonly #writer: DataWriter;
  readonly #namespaces = new Map<string, NamespaceData>();
  /** Whether there were rows at the last search. */
  #hasRows = false;

  constructor(...args: ConstructorParameters<typeof DataWriter>) {
    this.#writer = new DataWriter(...args);
  }

  /** The data of a namespace. `isChild`: it is removed with the namespace. */
  of(nsp: string, isChild: boolean): NamespaceData {
    let data = this.#namespaces.get(nsp);
    if (data === undefined) {
      data = new NamespaceData(nsp, this.#writer, isChild);
      this.#namespaces.set(nsp, data);
    }
    return data;
  }

  /** Removes the data of a namespace that was removed. */
  forget(nsp: string): void {
    this.#namespaces.get(nsp)?.clear();
    this.#namespaces.delete(nsp);
    const { rows } = this.#writer;
    if (!this.#mayHaveRows()) return;
    for (const prefix of [propertiesOf(nsp), entriesOf(nsp)])
      for (const [key] of [...rows.list({ prefix })]) rows.delete(key);
    this.#writer.recount();
  }

  #mayHaveRows(): boolean {
    this.#hasRows ||= [...this.#writer.rows.list({ prefix: propertiesOf(), limit: 1 })].length > 0;
    return this.#hasRows;
  }

  /** When `tick` has something to do, ms; infinite when nothing can expire. */
  get nextTickAt(): number {
    return this.#writer.sweepAt;
  }

  /** Removes what has expired, if a search is due. */
  tick(now: number): void {
    if (this.#writer.sweepAt > now) return;
    const { rows } = this.#writer;
    let next = Infinity;
    for (const [key, row] of [...rows.list<PropertyRow>({ prefix: propertiesOf() })]) {
      next = Math.min(next, this.#sweep(parsePropertyKey(key), row, now));
    }
    this.#writer.setSweep(Math.max(next, now + SWEEP_PAUSE_MS));
  }

  /** Returns when the property has to be looked at again, ms; infinite when it cannot expire. */
  #sweep({ nsp, name }: { nsp: string; name: string }, row: PropertyRow, now: number): number {
    const writer = this.#writer;
    let next = Infinity;
    if (row.isChild) {
      const mayBeGone = now - row.at >= CHILD_MS && writer.isSetUp;
      if (mayBeGone && !writer.isInUse(nsp)) {
        this.forget(nsp);
        return next;
      }
      next = now + CHILD_MS;
    }
    const ttl = writer.ttlOf(name);
    if (ttl === Infinity) return next;
    this.of(nsp, row.isChild === true).expire(name, now - ttl);
    if (row.kind === "value") return row.at + ttl > now ? Math.min(next, row.at + ttl) : next;
    for (const [, { at }] of writer.rows.list<EntryRow>({ prefix: entriesOf(nsp, name) }))
      if (at > now - ttl) next = Math.min(next, at + ttl);
    return next;
  }
}
