import { setOwn } from "../../shared/set-own.ts";
import { isOpaque, isPlain } from "./containers.ts";
import type { EscapedValues } from "./escaped-values.ts";
import { isSame } from "./is-same.ts";
import { toPlain } from "./plain-copy.ts";
import { ESCAPING_RAW, RAW, unwrap } from "./raw.ts";

/** Whom tracked values belong to: a socket, for example. */
export interface TrackedOwner {
  readonly context: TrackedContext;
  /** `connection` listeners are at work, for the first time or again. */
  readonly isSettingUp: boolean;
  /** `connection` listeners have run in this instance, so it is known what they assign. */
  readonly isResumed: boolean;
  /** Has the values saved at the end of this turn. */
  markDirty(): void;
}

/** What a tracker needs of the server. */
interface TrackedContext {
  readonly host: { readonly hibernation: boolean };
  readonly isMuted: boolean;
  readonly escaped: EscapedValues;
  readonly diagnostics: { warnLeftOut(path: string): void };
}

type Keys = Record<PropertyKey, unknown>;

/** So many keys of one object are remembered: code that uses it as a dictionary assigns new ones without end. */
const MAX_REMEMBERED = 1_000;

/** What a replay has to know of an object to which it may add keys. */
interface Root {
  /** Keys that `connection` listeners assign. A replay cannot bring back any other. */
  readonly assigned: Set<string>;
  /** Keys that were deleted, which a replay must not bring back. */
  readonly gone: Set<string>;
}

/**
 * Notices changes that user code makes in values, at any depth: user code is given proxies, and this is their handler.
 * Where nothing is stored, no change has to be noticed, and user code is given the values themselves.
 *
 *   assigned ──► stored as the user gave it ──► read: a proxy that reports changes, or the value itself where no proxy
 *                                               can see them (a Map, a Date), which is then found by comparison
 *   replay:  what was saved wins over what a listener assigns; what was not saved may be assigned again
 */
export abstract class ChangeTracker implements ProxyHandler<object> {
  protected readonly owner: TrackedOwner;
  /** Something changed in this instance, or may have changed unseen. */
  protected mayHaveChanged = false;
  readonly #proxies = new WeakMap<object, object>();
  /** The objects to which a replay may add keys; undefined for one of which nothing has to be remembered. */
  readonly #roots = new Map<unknown, Root | undefined>();
  /** Objects that a replay assigned where nothing was saved. The replay may go on filling them. */
  #fresh: WeakSet<object> | undefined;
  /** The plain copies of the last comparison; undefined as long as nothing has escaped. */
  #compared: { record: unknown } | undefined;
  /** User code holds an opaque value, which it may change at any time from now on. */
  #holdsOpaque = false;

  constructor(owner: TrackedOwner) {
    this.owner = owner;
  }

  /** Plain copies, for storage. */
  abstract record(): unknown;

  /** Looks for a change that no proxy saw. Called when a handler has settled. */
  compare(): void {
    if (this.#compared === undefined) return;
    const record = this.record();
    if (isSame(record, this.#compared.record)) return;
    this.#compared = { record };
    this.markDirty();
  }

  /** No code is at work any more that could hold a raw value. */
  release(): void {
    if (!this.#holdsOpaque) this.#compared = undefined;
  }

  get(target: object, key: PropertyKey): unknown {
    if (key === RAW) return target;
    if (key === ESCAPING_RAW) return this.#escape(target);
    const value = (target as Keys)[key];
    if (typeof value === "function") return Array.isArray(target) ? (searchOf(target, key) ?? value) : value;
    if (typeof value !== "object" || value === null) return value;
    const raw = unwrap(value) as object;
    if (this.#fresh?.has(target)) this.#fresh.add(raw);
    const descriptor = Reflect.getOwnPropertyDescriptor(target, key);
    // The language demands that a proxy answers with the very value of a frozen property.
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
      if (this.owner.context.isMuted && typeof raw === "object" && raw !== null) {
        this.#fresh ??= new WeakSet();
        this.#fresh.add(raw);
      }
    }
    this.markDirty();
    return true;
  }

  deleteProperty(target: object, key: PropertyKey): boolean {
    const isKept = this.owner.context.isMuted && !this.#fresh?.has(target);
    if (!Object.hasOwn(target, key) || isKept) return true;
    if (!Reflect.deleteProperty(target, key)) return false;
    if (this.#roots.has(target)) this.#forget(target, key);
    this.markDirty();
    return true;
  }

  defineProperty(target: object, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    if (this.#isRefused(target, key)) return true;
    this.markDirty();
    return Reflect.defineProperty(target, key, descriptor);
  }

  protected markDirty(): void {
    this.mayHaveChanged = true;
    this.owner.markDirty();
  }

  /** What user code is given for a value. */
  protected give(value: unknown): unknown {
    if (typeof value !== "object" || value === null || !this.owner.context.host.hibernation) return value;
    if (!isPlain(value)) {
      if (isOpaque(value)) {
        this.#holdsOpaque = true;
        this.#escape(value);
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

  /** Lets a replay add keys to this object, other than those that were deleted. */
  protected addRoot(target: unknown, gone?: readonly string[]): void {
    this.#roots.set(target, gone && { assigned: new Set(), gone: new Set(gone) });
  }

  /** Another object takes the place of a root. Keys that listeners assign and that it lacks count as deleted. */
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

  /** A plain copy for storage. What has to be left out is warned about. */
  protected toPlain(value: unknown, path: string): unknown {
    return toPlain(value, path, (at) => this.owner.context.diagnostics.warnLeftOut(at));
  }

  /** Deleted keys that a replay could bring back. */
  protected goneOf(target: unknown): string[] {
    const root = this.#roots.get(target);
    return root === undefined ? [] : [...root.gone].filter((key) => this.#mayReturn(root, key));
  }

  /** User code gets the object itself: changes in it are looked for when the code at work has settled. */
  #escape(value: object): object {
    this.mayHaveChanged = true;
    this.#compared ??= { record: this.record() };
    this.owner.context.escaped.add(this);
    return value;
  }

  /** Remembers that a listener assigns a key. */
  #note(target: unknown, key: PropertyKey): void {
    const { assigned } = this.#rootOf(target);
    if (typeof key === "string" && assigned.size < MAX_REMEMBERED) assigned.add(key);
  }

  /** Remembers that a key was deleted. */
  #forget(target: unknown, key: PropertyKey): void {
    const root = this.#rootOf(target);
    const isFull = root.gone.size === MAX_REMEMBERED;
    if (typeof key === "string" && !isFull && this.#mayReturn(root, key)) root.gone.add(key);
  }

  /** Whether a replay may assign a key. As long as listeners have yet to run, any key may be among those. */
  #mayReturn({ assigned }: Root, key: string): boolean {
    return !this.owner.isResumed || assigned.has(key);
  }

  #rootOf(target: unknown): Root {
    const root = this.#roots.get(target) ?? { assigned: new Set(), gone: new Set() };
    this.#roots.set(target, root);
    return root;
  }

  /** A replay may only add keys to roots, and only such as were neither saved nor deleted. */
  #isRefused(target: object, key: PropertyKey): boolean {
    if (!this.owner.context.isMuted || this.#fresh?.has(target)) return false;
    if (!this.#roots.has(target) || Object.hasOwn(target, key)) return true;
    return this.#roots.get(target)?.gone.has(key as string) === true;
  }
}

/** The methods of arrays that search: they find an item by the item itself and by its proxy. */
function searchOf(list: unknown[], key: PropertyKey): ((...args: unknown[]) => unknown) | undefined {
  if (key !== "includes" && key !== "indexOf" && key !== "lastIndexOf") return undefined;
  return (item, ...from) => (list.map(unwrap)[key] as (...args: unknown[]) => unknown)(unwrap(item), ...from);
}
