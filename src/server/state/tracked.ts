import { setOwn } from "../../shared/set-own.ts";
import { isPlain, isSame, isWatchable, LEND, RAW, toPlain, unwrap } from "./plain.ts";

/** Whom tracked values belong to. */
export interface TrackedOwner {
  readonly core: TrackedCore;
  /** `connection` listeners are at work, for the first time or again. */
  readonly isSettingUp: boolean;
  /** `connection` listeners have run in this instance: what they assign is known. */
  readonly isResumed: boolean;
  /** A value changed: it has to be saved. */
  changed(): void;
}

/** What of the server they need. */
interface TrackedCore {
  readonly host: { readonly hibernation: boolean };
  readonly isMuted: boolean;
  /** What was given out and changes unseen: only a comparison can tell. */
  readonly givenOut: Set<Tracked>;
  warnLeftOut(path: string): void;
  /** Looks for no changes in it any more. */
  forget(tracked: Tracked | undefined): void;
}

type Keys = Record<PropertyKey, unknown>;

/** Keys of one object that are remembered. Who uses it as a dictionary names ever new ones. */
const MAX_REMEMBERED = 1_000;

/** What a replay must know of an object that it may add keys to. */
interface Root {
  /** Keys that `connection` listeners assign: nothing else can come back by a replay. */
  readonly assigned: Set<string>;
  /** Deleted keys that must not come back. */
  readonly gone: Set<string>;
}

/**
 * Values that user code changes, seen at any depth: what is given out are proxies, and this is their handler. Where
 * nothing is stored nothing has to be seen, and the values themselves are given out.
 *
 *   assigned --> raw, as the user gave it --> given out behind proxies that report changes
 *   replay:  what was saved wins over what a listener assigns; what was not saved may be assigned again
 */
export abstract class Tracked implements ProxyHandler<object> {
  protected readonly owner: TrackedOwner;
  /** Something changed in this instance, or may have. */
  protected isTouched = false;
  readonly #proxies = new WeakMap<object, object>();
  /** Undefined, as long as nothing has to be known of one. */
  readonly #roots = new Map<unknown, Root | undefined>();
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
    const isRoot = this.#roots.has(target);
    if (isRoot && this.owner.isSettingUp) this.#note(target, key);
    if (this.#isRefused(target, key)) return true;
    const raw = unwrap(value);
    if (Object.is((target as Keys)[key], raw) && Object.hasOwn(target, key)) return true;
    setOwn(target, key, raw);
    if (isRoot) {
      this.#roots.get(target)?.gone.delete(key as string);
      if (this.owner.core.isMuted && typeof raw === "object" && raw !== null) {
        this.#fresh ??= new WeakSet();
        this.#fresh.add(raw);
      }
    }
    this.changed();
    return true;
  }

  deleteProperty(target: object, key: PropertyKey): boolean {
    const isKept = this.owner.core.isMuted && !this.#fresh?.has(target);
    if (!Object.hasOwn(target, key) || isKept) return true;
    if (!Reflect.deleteProperty(target, key)) return false;
    if (this.#roots.has(target)) this.#forget(target, key);
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
    if (typeof value !== "object" || value === null || !this.owner.core.host.hibernation) return value;
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
  protected addRoot(target: unknown, gone?: readonly string[]): void {
    this.#roots.set(target, gone && { assigned: new Set(), gone: new Set(gone) });
  }

  /** Another object is in its place: what listeners assign and it does not have was deleted. */
  protected replaceRoot(before: unknown, after: unknown): void {
    const root = this.#rootOf(before);
    this.#roots.delete(before);
    this.#roots.set(after, root);
    for (const key of Object.keys(Object(after))) {
      root.gone.delete(key);
      if (this.owner.isSettingUp) this.#note(after, key);
    }
    for (const key of [...root.assigned, ...Object.keys(Object(before))]) {
      if (!Object.hasOwn(Object(after), key)) this.#forget(after, key);
    }
  }

  /** A copy for storage. */
  protected toPlain(value: unknown, path: string): unknown {
    return toPlain(value, path, (at) => this.owner.core.warnLeftOut(at));
  }

  /** Deleted keys that a replay could bring back. */
  protected goneOf(target: unknown): string[] {
    const root = this.#roots.get(target);
    return root === undefined ? [] : [...root.gone].filter((key) => this.#mayReturn(root, key));
  }

  /** Gives out the object itself: its changes are looked for when the code at work has settled. */
  #lend(value: object): object {
    this.isTouched = true;
    this.#compared ??= { record: this.record() };
    this.owner.core.givenOut.add(this);
    return value;
  }

  /** A listener assigns this key. */
  #note(target: unknown, key: PropertyKey): void {
    const { assigned } = this.#rootOf(target);
    if (typeof key === "string" && assigned.size < MAX_REMEMBERED) assigned.add(key);
  }

  #forget(target: unknown, key: PropertyKey): void {
    const root = this.#rootOf(target);
    const isFull = root.gone.size === MAX_REMEMBERED;
    if (typeof key === "string" && !isFull && this.#mayReturn(root, key)) root.gone.add(key);
  }

  /** Where listeners have yet to run, any key may. */
  #mayReturn({ assigned }: Root, key: string): boolean {
    return !this.owner.isResumed || assigned.has(key);
  }

  #rootOf(target: unknown): Root {
    const root = this.#roots.get(target) ?? { assigned: new Set(), gone: new Set() };
    this.#roots.set(target, root);
    return root;
  }

  /** A replay may only add keys to roots that were neither saved nor deleted. */
  #isRefused(target: object, key: PropertyKey): boolean {
    if (!this.owner.core.isMuted || this.#fresh?.has(target)) return false;
    if (!this.#roots.has(target) || Object.hasOwn(target, key)) return true;
    return this.#roots.get(target)?.gone.has(key as string) === true;
  }
}

/** Methods of arrays that compare: they find an item by itself and by its proxy. */
function searchOf(list: unknown[], key: PropertyKey): ((...args: unknown[]) => unknown) | undefined {
  if (key !== "includes" && key !== "indexOf" && key !== "lastIndexOf") return undefined;
  return (item, ...from) => (list.map(unwrap)[key] as (...args: unknown[]) => unknown)(unwrap(item), ...from);
}
