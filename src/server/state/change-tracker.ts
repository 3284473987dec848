import { setOwn } from "../../shared/set-own.ts";
import { isOpaque, isPlain } from "./containers.ts";
import type { EscapedValues } from "./escaped-values.ts";
import { isSame } from "./is-same.ts";
import { ESCAPING_RAW, RAW, unwrap } from "./raw.ts";

export type Keys = Record<PropertyKey, unknown>;

/**
 * Notices changes that user code makes in values, at any depth: user code is given proxies, and this is their handler.
 *
 *   assigned ──► stored as the user gave it ──► read: a proxy that reports changes, or the value itself where no proxy
 *                                               can see them (a Map, a Date), which is then found by comparison
 *
 * While code is replayed, assignments may be refused, because they were made the first time. What was refused can be
 * read all the same, by the replay only.
 */
export abstract class ChangeTracker implements ProxyHandler<object> {
  /** Whether something has changed in this instance, or may have changed without notice. */
  protected mayHaveChanged = false;
  readonly #escaped: EscapedValues;
  #proxies: WeakMap<object, object> | undefined;
  /** What a replay has assigned, by object. It is not kept, but the replay can read it. */
  #refused: WeakMap<object, Keys> | undefined;
  /** The plain copies of the last comparison; undefined as long as nothing has escaped. */
  #compared: { record: unknown } | undefined;
  /** User code has got a value whose changes no proxy reports. It may change it at any time from now on. */
  #holdsOpaque = false;

  constructor(escaped: EscapedValues) {
    this.#escaped = escaped;
  }

  /** Plain copies, for storage. */
  abstract record(): unknown;

  /** Whether the running code is a replay, which must not change anything. */
  protected abstract get isReplay(): boolean;

  /** Whether an assignment of the running code is ignored. */
  protected abstract isRefused(target: object, key: PropertyKey): boolean;

  /** Whether a deletion is ignored, because a replay makes it. */
  protected keepsDeleted(_target: object): boolean {
    return this.isReplay;
  }

  /** A key is about to be assigned, or the assignment to be refused. */
  protected onAssigning(_target: object, _key: PropertyKey): void {}

  protected onAssigned(_target: object, _key: PropertyKey, _raw: unknown): void {}

  protected onDeleted(_target: object, _key: PropertyKey): void {}

  protected onRead(_target: object, _raw: object): void {}

  /** Has the values saved. */
  protected markDirty(): void {
    this.mayHaveChanged = true;
  }

  /** Looks for a change that no proxy saw. Called when a handler has settled. */
  compare(): void {
    if (this.#compared === undefined) return;
    const record = this.record();
    if (isSame(record, this.#compared.record)) return;
    this.#compared = { record };
    this.markDirty();
  }

  /** No running code can hold a raw value any more. */
  release(): void {
    if (!this.#holdsOpaque) this.#compared = undefined;
  }

  get(target: object, key: PropertyKey): unknown {
    if (key === RAW) return target;
    if (key === ESCAPING_RAW) return this.#escape(target);
    const value = (target as Keys)[key];
    if (typeof value === "function") return Array.isArray(target) ? (searchOf(target, key) ?? value) : value;
    if (value === undefined && this.#refused !== undefined) return this.#readRefused(target, key);
    if (typeof value !== "object" || value === null) return value;
    const raw = unwrap(value) as object;
    this.onRead(target, raw);
    const descriptor = Reflect.getOwnPropertyDescriptor(target, key);
    // The language demands that a proxy answers with the very value of a frozen property.
    if (descriptor?.configurable === false && descriptor.writable === false) return value;
    return this.give(raw);
  }

  set(target: object, key: PropertyKey, value: unknown): boolean {
    this.onAssigning(target, key);
    if (this.isRefused(target, key)) return this.#refuse(target, key, value);
    const raw = unwrap(value);
    if (Object.is((target as Keys)[key], raw) && Object.hasOwn(target, key)) return true;
    setOwn(target, key, raw);
    this.onAssigned(target, key, raw);
    this.markDirty();
    return true;
  }

  deleteProperty(target: object, key: PropertyKey): boolean {
    if (!Object.hasOwn(target, key) || this.keepsDeleted(target)) return true;
    if (!Reflect.deleteProperty(target, key)) return false;
    this.onDeleted(target, key);
    this.markDirty();
    return true;
  }

  defineProperty(target: object, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    if (this.isRefused(target, key)) return true;
    this.markDirty();
    return Reflect.defineProperty(target, key, descriptor);
  }

  /** What user code is given for a value. */
  protected give(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (!isPlain(value)) {
      if (isOpaque(value)) {
        this.#holdsOpaque = true;
        this.#escape(value);
      }
      return value;
    }
    this.#proxies ??= new WeakMap();
    let proxy = this.#proxies.get(value);
    if (proxy === undefined) {
      proxy = new Proxy(value, this);
      this.#proxies.set(value, proxy);
    }
    return proxy;
  }

  /** Whether the values are compared when the code at work has settled. */
  protected get isWatched(): boolean {
    return this.#compared !== undefined;
  }

  /** The code at work may change the values unseen: they are compared with `record` when it has settled. */
  protected watch(record: unknown): void {
    if (this.#compared === undefined) this.#escaped.add(this);
    this.#compared = { record };
  }

  /** User code may change the values unseen at any time: they are compared whenever code has settled. */
  protected watchAlways(): void {
    this.#compared = { record: this.record() };
    this.#holdsOpaque = true;
    this.#escaped.addForGood(this);
  }

  /** Changes are of no interest any more. */
  protected stopWatching(): void {
    this.#compared = undefined;
    this.#escaped.forget(this);
  }

  /** User code gets the object itself: changes in it are looked for when the code at work has settled. */
  #escape(value: object): object {
    this.mayHaveChanged = true;
    this.#compared ??= { record: this.record() };
    this.#escaped.add(this);
    return value;
  }

  #refuse(target: object, key: PropertyKey, value: unknown): true {
    if (this.isReplay) {
      this.#refused ??= new WeakMap();
      const keys = this.#refused.get(target) ?? {};
      setOwn(keys, key, value);
      this.#refused.set(target, keys);
    }
    return true;
  }

  #readRefused(target: object, key: PropertyKey): unknown {
    const keys = this.isReplay ? this.#refused?.get(target) : undefined;
    return keys !== undefined && Object.hasOwn(keys, key) ? keys[key] : undefined;
  }
}

/** The methods of arrays that search: they find an item by the item itself and by its proxy. */
function searchOf(list: unknown[], key: PropertyKey): ((...args: unknown[]) => unknown) | undefined {
  if (key !== "includes" && key !== "indexOf" && key !== "lastIndexOf") return undefined;
  return (item, ...from) => (list.map(unwrap)[key] as (...args: unknown[]) => unknown)(unwrap(item), ...from);
}
