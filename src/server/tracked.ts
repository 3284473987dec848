import { isPlain, isSame, isWatchable, LEND, RAW, unwrap } from "./plain.ts";

/** Whom tracked values belong to. */
export interface TrackedOwner {
  isMuted(): boolean;
  /** `connection` listeners are at work, for the first time or again. */
  isSettingUp(): boolean;
  /** `connection` listeners have run in this instance: what they assign is known. */
  isResumed(): boolean;
  /** A value changed: it has to be saved. */
  changed(): void;
  /** Something was given out that changes unseen: only a comparison can tell. */
  givenOut(tracked: Tracked): void;
  warnLeftOut(path: string): void;
}

type Keys = Record<PropertyKey, unknown>;

/** Keys of one object that are remembered. Who uses it as a dictionary names ever new ones. */
const MAX_REMEMBERED = 1_000;

/** What a replay must know of an object that it may add keys to. */
class Root {
  /** Keys that `connection` listeners assign: nothing else can come back by a replay. */
  assigned: Set<string> | undefined;
  /** Deleted keys that must not come back. */
  gone: Set<string> | undefined;
}

/**
 * Values that user code changes, seen at any depth: what is given out are proxies, and this is their handler.
 *
 *   assigned --> raw, as the user gave it --> given out behind proxies that report changes
 *   replay:  what was saved wins over what a listener assigns; what was not saved may be assigned again
 */
export abstract class Tracked implements ProxyHandler<object> {
  protected readonly owner: TrackedOwner;
  /** Something changed in this instance, or may have. */
  protected isTouched = false;
  readonly #proxies = new WeakMap<object, object>();
  readonly #roots = new Map<unknown, Root>();
  /** Objects that a replay assigned where nothing was saved: it may go on filling them. */
  #fresh: WeakSet<object> | undefined;
  /** The copy that is compared with, once something was given out that no proxy can watch. */
  #compared: { record: unknown } | undefined;
  /** What was given out may change at any time from now on. */
  #isWatched = false;

  constructor(owner: TrackedOwner) {
    this.owner = owner;
  }

  /** Plain copies, for storage. */
  abstract record(): unknown;

  /** Reports a change that no proxy saw. Called when a handler has settled. */
  compare(): void {
    if (this.#compared === undefined) return;
    const record = this.record();
    if (isSame(record, this.#compared.record)) return;
    this.#compared = { record };
    this.changed();
  }

  /** Nobody is at work who could hold what was lent. */
  release(): void {
    if (!this.#isWatched) this.#compared = undefined;
  }

  get(target: object, key: PropertyKey): unknown {
    if (key === RAW) return target;
    if (key === LEND) return this.#lend(target);
    const value = (target as Keys)[key];
    if (typeof value === "function") return Array.isArray(target) ? (searchOf(target, key) ?? value) : value;
    if (typeof value !== "object" || value === null) return value;
    const raw = unwrap(value) as object;
    if (this.#fresh?.has(target)) this.#fresh.add(raw);
    const descriptor = Reflect.getOwnPropertyDescriptor(target, key);
    // Of a frozen object the language demands the very value.
    if (descriptor?.configurable === false && descriptor.writable === false) return value;
    return this.give(raw);
  }

  set(target: object, key: PropertyKey, value: unknown): boolean {
    const root = this.#roots.get(target);
    if (root !== undefined) this.#note(root, key);
    if (this.#isRefused(target, key)) return true;
    const raw = unwrap(value);
    if (Object.is((target as Keys)[key], raw) && Object.hasOwn(target, key)) return true;
    if (!Reflect.set(target, key, raw)) return false;
    if (root !== undefined) {
      root.gone?.delete(key as string);
      if (this.owner.isMuted()) this.#refresh(raw);
    }
    this.changed();
    return true;
  }

  deleteProperty(target: object, key: PropertyKey): boolean {
    if (!Object.hasOwn(target, key) || (this.owner.isMuted() && !this.#fresh?.has(target))) return true;
    if (!Reflect.deleteProperty(target, key)) return false;
    this.#forget(this.#roots.get(target), key);
    this.changed();
    return true;
  }

  defineProperty(target: object, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    if (this.#isRefused(target, key)) return true;
    this.changed();
    return Reflect.defineProperty(target, key, descriptor);
  }

  protected changed(): void {
    this.isTouched = true;
    this.owner.changed();
  }

  /** What stands for a value outside. */
  protected give(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (!isPlain(value)) {
      if (isWatchable(value)) {
        this.#isWatched = true;
        this.#lend(value);
      }
      return value;
    }
    let proxy = this.#proxies.get(value);
    if (proxy === undefined) {
      proxy = new Proxy(value, this);
      this.#proxies.set(value, proxy);
    }
    return proxy;
  }

  /** A replay may add keys to this object, save those that are gone. */
  protected addRoot(target: unknown, gone?: readonly string[]): Root {
    const root = new Root();
    if (gone !== undefined) root.gone = new Set(gone);
    this.#roots.set(target, root);
    return root;
  }

  /** Another object is in its place: what listeners assign and it does not have was deleted. */
  protected replaceRoot(before: unknown, after: unknown): void {
    const { assigned } = this.#roots.get(before) ?? {};
    this.#roots.delete(before);
    const root = this.addRoot(after);
    root.assigned = assigned;
    const keys = typeof after === "object" && after !== null ? Object.keys(after) : [];
    for (const key of keys.slice(0, MAX_REMEMBERED)) this.#note(root, key);
    for (const key of assigned ?? []) if (!Object.hasOwn(Object(after), key)) this.#forget(root, key);
  }

  /** Deleted keys that a replay could bring back. */
  protected goneOf(target: unknown): string[] {
    const { assigned, gone } = this.#roots.get(target) ?? {};
    if (gone === undefined) return [];
    return this.owner.isResumed() ? [...gone].filter((key) => assigned?.has(key)) : [...gone];
  }

  /** Gives out the object itself: its changes are looked for when the code at work has settled. */
  #lend(value: object): object {
    this.isTouched = true;
    this.#compared ??= { record: this.record() };
    this.owner.givenOut(this);
    return value;
  }

  #note(root: Root, key: PropertyKey): void {
    if (typeof key !== "string" || !this.owner.isSettingUp()) return;
    root.assigned ??= new Set();
    if (root.assigned.size < MAX_REMEMBERED) root.assigned.add(key);
  }

  #forget(root: Root | undefined, key: PropertyKey): void {
    if (root === undefined || typeof key !== "string") return;
    if (this.owner.isResumed() && !root.assigned?.has(key)) return;
    root.gone ??= new Set();
    if (root.gone.size < MAX_REMEMBERED) root.gone.add(key);
  }

  /** A replay may only add keys to roots that were neither saved nor deleted. */
  #isRefused(target: object, key: PropertyKey): boolean {
    if (!this.owner.isMuted() || this.#fresh?.has(target)) return false;
    const root = this.#roots.get(target);
    return root === undefined || Object.hasOwn(target, key) || root.gone?.has(key as string) === true;
  }

  #refresh(raw: unknown): void {
    if (typeof raw !== "object" || raw === null) return;
    this.#fresh ??= new WeakSet();
    this.#fresh.add(raw);
  }
}

/** Methods of arrays that compare: they find an item by itself and by its proxy. */
function searchOf(list: unknown[], key: PropertyKey): ((...args: unknown[]) => unknown) | undefined {
  if (key !== "includes" && key !== "indexOf" && key !== "lastIndexOf") return undefined;
  return (item, ...from) => (list.map(unwrap)[key] as (...args: unknown[]) => unknown)(unwrap(item), ...from);
}
