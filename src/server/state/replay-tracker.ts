import { MAX_REMEMBERED } from "../constants.ts";
import { ChangeTracker } from "./change-tracker.ts";
import type { EscapedValues } from "./escaped-values.ts";
import { toPlain } from "./plain-copy.ts";

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
  readonly diagnostics: { warnLeftOut(path: string, value: unknown): void };
}

/** What a replay has to know of an object to which it may add keys. */
interface Root {
  /** Keys that `connection` listeners assign. A replay cannot bring back any other. */
  readonly assigned: Set<string>;
  /** Keys that were deleted, which a replay must not bring back. */
  readonly gone: Set<string>;
}

/**
 * Tracks values that `connection` listeners assign when a socket connects, and again when they are replayed: what was
 * saved wins over what a listener assigns; what was neither saved nor deleted may be assigned again. Where nothing is
 * stored, no change has to be noticed, and user code is given the values themselves.
 */
export abstract class ReplayTracker extends ChangeTracker {
  protected readonly owner: TrackedOwner;
  /** The objects to which a replay may add keys; undefined for one of which nothing has to be remembered. */
  readonly #roots = new Map<unknown, Root | undefined>();
  /** Objects that a replay assigned where nothing was saved. The replay may go on filling them. */
  #fresh: WeakSet<object> | undefined;

  constructor(owner: TrackedOwner) {
    super(owner.context.escaped);
    this.owner = owner;
  }

  protected override get isReplay(): boolean {
    return this.owner.context.isMuted;
  }

  /** A replay may only add keys to roots, and only such as were neither saved nor deleted. */
  protected override isRefused(target: object, key: PropertyKey): boolean {
    if (!this.isReplay || this.#fresh?.has(target)) return false;
    if (!this.#roots.has(target) || Object.hasOwn(target, key)) return true;
    return this.#roots.get(target)?.gone.has(key as string) === true;
  }

  protected override keepsDeleted(target: object): boolean {
    return this.isReplay && !this.#fresh?.has(target);
  }

  protected override onAssigning(target: object, key: PropertyKey): void {
    if (this.owner.isSettingUp && this.#roots.has(target)) this.#note(target, key);
  }

  protected override onAssigned(target: object, key: PropertyKey, raw: unknown): void {
    if (!this.#roots.has(target)) return;
    this.#roots.get(target)?.gone.delete(key as string);
    if (!this.isReplay || typeof raw !== "object" || raw === null) return;
    this.#fresh ??= new WeakSet();
    this.#fresh.add(raw);
  }

  protected override onDeleted(target: object, key: PropertyKey): void {
    if (this.#roots.has(target)) this.#forget(target, key);
  }

  protected override onRead(target: object, raw: object): void {
    if (this.#fresh?.has(target)) this.#fresh.add(raw);
  }

  protected override give(value: unknown): unknown {
    return this.owner.context.host.hibernation ? super.give(value) : value;
  }

  protected override markDirty(): void {
    super.markDirty();
    this.owner.markDirty();
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
    return toPlain(value, path, (at, left) => this.owner.context.diagnostics.warnLeftOut(at, left));
  }

  /** Deleted keys that a replay could bring back. */
  protected goneOf(target: unknown): string[] {
    const root = this.#roots.get(target);
    return root === undefined ? [] : [...root.gone].filter((key) => this.#mayReturn(root, key));
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
}
