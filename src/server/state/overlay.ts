import { isPlain } from "./containers.ts";
import { isSame } from "./is-same.ts";
import { ReplayTracker, type TrackedOwner } from "./replay-tracker.ts";

type Keys = Record<string, unknown>;

/**
 * An object that every instance of the Durable Object can make anew (`socket.handshake`, `socket.request`), with what
 * user code has changed in it. Only the keys that differ are stored.
 */
export class Overlay<T extends object> extends ReplayTracker {
  readonly #create: () => T;
  readonly #path: string;
  readonly #target: Keys;
  readonly #changes: Keys | undefined;

  constructor(owner: TrackedOwner, path: string, create: () => T, changes: Keys | undefined) {
    super(owner);
    this.#create = create;
    this.#path = path;
    this.#changes = changes;
    this.#target = { ...create(), ...changes };
    this.addRoot(this.#target);
    for (const part of Object.values(this.#target)) if (isPlain(part)) this.addRoot(part);
  }

  get value(): T {
    return this.give(this.#target) as T;
  }

  set value(value: T) {
    Object.assign(this.value, value);
  }

  /** The keys that differ, as plain copies; undefined when none does. */
  record(): Keys | undefined {
    if (!this.mayHaveChanged) return this.#changes;
    const original = this.#create() as Keys;
    const differing: Keys = {};
    for (const key of Object.keys({ ...original, ...this.#target })) {
      if (this.#target[key] !== original[key]) differing[key] = this.#target[key];
    }
    const changes = this.toPlain(differing, this.#path) as Keys;
    for (const key of Object.keys(changes)) if (isSame(changes[key], original[key])) delete changes[key];
    return Object.keys(changes).length === 0 ? undefined : changes;
  }
}
