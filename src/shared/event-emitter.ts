import type { Untyped } from "./untyped.ts";

/** A function of an event's arguments. */
export type AnyListener = (...args: Untyped[]) => unknown;

/** Events of which nothing is known: any name, any arguments. */
export interface DefaultEvents {
  [event: string]: (...args: Untyped[]) => void;
}

export type EventName<Events> = keyof Events & (string | symbol);

export type EventArgs<Events, Name extends keyof Events> = Events[Name] extends (
  ...args: infer Args
) => unknown
  ? Args
  : never;

/** What may listen to an event: a name that is reserved has its own listener, whatever the user's map says. */
export type EventListener<Events, Name, Reserved = object> = Name extends keyof Reserved
  ? Listener<Reserved[Name]>
  : Name extends keyof Events
    ? Listener<Events[Name]>
    : AnyListener;

type Listener<T> = T extends AnyListener ? T : AnyListener;

/** Receives what a listener of `event` threw, or rejected with. */
export type OnListenerError = (error: unknown, event: unknown) => void;

/** "track": tell me when this `once` listener fires. */
export type Admission = "add" | "skip" | "track";

type OnceWrapper = AnyListener & { listener?: AnyListener };

/** Any emitter, whatever its events. */
type AnyEmitter = EventEmitter<Untyped, Untyped, Untyped>;

/** An emitter as {@link EventEmitter.dispatch} takes it. Those of different events are not assignable to each other. */
export type Dispatcher = Pick<AnyEmitter, "listenerCount">;

/**
 * Node's EventEmitter without Node. Names that a subclass emits may differ from those it listens to, as on a socket.
 * Differences: an "error" without listeners is no exception, and there is no limit on listeners to warn about.
 * @example
 * class Door extends EventEmitter<{ open: (by: string) => void }> {}
 * new Door().on("open", (by) => console.log(by)).emit("open", "Eve");
 */
export class EventEmitter<
  Events extends object = DefaultEvents,
  Emitted extends object = Events,
  Reserved extends object = object,
> {
  /** Arrays are replaced, never changed: a running `emit` goes on with those it began with. */
  #listeners: Map<string | symbol, OnceWrapper[]> | undefined;
  #maxListeners = 10;

  /**
   * Runs the listeners of the event `args[0]` with the rest of `args`. Unlike `emit` it survives what they throw: each
   * error or rejection goes to `onError` and the next listener runs. Returns the promises that listeners returned.
   */
  static dispatch(
    emitter: Dispatcher,
    args: readonly unknown[],
    onError: OnListenerError,
  ): Promise<unknown>[] | undefined {
    return (emitter as AnyEmitter).#dispatch(args, onError);
  }

  /** What `emit` does; a subclass may send instead. @internal */
  protected _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return this.#emit(event, args);
  }

  /** As `emit`, in the middle of work that has to go on: what listeners throw goes to `onError`. @internal */
  protected _emitSafely(event: string | symbol, args: readonly unknown[], onError: OnListenerError): boolean {
    const isHeard = this.#of(event).length > 0;
    if (isHeard) this.#dispatch([event, ...args], onError);
    return isHeard;
  }

  /** Hears of every listener before it is added, and decides. @internal */
  protected _adding(_event: string | symbol, _isOnce: boolean): Admission {
    return "add";
  }

  /** A `once` listener that was admitted with "track" is about to run. @internal */
  protected _onceFired(_event: string | symbol): void {}

  on<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this._adding(event, false) === "skip" ? this : this.#add(event, listener, false);
  }

  addListener<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.on(event, listener);
  }

  once<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.#addOnce(event, listener, false);
  }

  prependListener<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this._adding(event, false) === "skip" ? this : this.#add(event, listener, true);
  }

  prependOnceListener<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.#addOnce(event, listener, true);
  }

  off<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.#off(event, listener);
  }

  removeListener<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.off(event, listener);
  }

  removeAllListeners(event?: EventName<Events> | EventName<Reserved>): this {
    if (event === undefined) this.#listeners = undefined;
    else this.#listeners?.delete(toKey(event));
    return this;
  }

  emit<Name extends EventName<Emitted>>(event: Name, ...args: EventArgs<Emitted, Name>): boolean {
    return this._emit(event, args);
  }

  listeners<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
  ): EventListener<Events, Name, Reserved>[] {
    return this.#of(event).map((it) => (it.listener ?? it) as EventListener<Events, Name, Reserved>);
  }

  /** As `listeners`, with the wrappers that `once` made. */
  rawListeners<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
  ): EventListener<Events, Name, Reserved>[] {
    return this.#of(event).slice() as EventListener<Events, Name, Reserved>[];
  }

  listenerCount(event: EventName<Events> | EventName<Reserved>): number {
    return this.#listeners === undefined ? 0 : this.#of(event).length;
  }

  eventNames(): (EventName<Events> | EventName<Reserved>)[] {
    return [...(this.#listeners?.keys() ?? [])] as (EventName<Events> | EventName<Reserved>)[];
  }

  setMaxListeners(count: number): this {
    this.#maxListeners = count;
    return this;
  }

  getMaxListeners(): number {
    return this.#maxListeners;
  }

  #of(event: string | symbol): readonly OnceWrapper[] {
    return this.#listeners?.get(toKey(event)) ?? NONE;
  }

  #has(event: string): boolean {
    return this.#listeners?.has(event) === true;
  }

  #add(event: string | symbol, listener: OnceWrapper, prepend: boolean): this {
    if (typeof listener !== "function") throw new TypeError("a listener must be a function");
    this.#listeners ??= new Map();
    if (this.#has("newListener")) this.#emit("newListener", [event, listener.listener ?? listener]);
    const before = this.#of(event);
    this.#listeners.set(toKey(event), prepend ? [listener, ...before] : [...before, listener]);
    return this;
  }

  #off(event: string | symbol, listener: AnyListener): this {
    const key = toKey(event);
    const before = this.#listeners?.get(key);
    if (before === undefined) return this;
    const index = before.findLastIndex((it) => it === listener || it.listener === listener);
    if (index === -1) return this;
    if (before.length === 1) this.#listeners?.delete(key);
    else this.#listeners?.set(key, before.toSpliced(index, 1));
    if (this.#has("removeListener")) this.#emit("removeListener", [event, listener]);
    return this;
  }

  #addOnce(event: string | symbol, listener: AnyListener, prepend: boolean): this {
    const admission = this._adding(event, true);
    if (admission === "skip") return this;
    if (typeof listener !== "function") throw new TypeError("a listener must be a function");
    let isFired = false;
    const wrapper: OnceWrapper = (...args: unknown[]) => {
      if (isFired) return undefined;
      isFired = true;
      this.#off(event, wrapper);
      if (admission === "track") this._onceFired(event);
      return listener.apply(this, args);
    };
    wrapper.listener = listener;
    return this.#add(event, wrapper, prepend);
  }

  #emit(event: string | symbol, args: readonly unknown[]): boolean {
    const listeners = this.#of(event);
    for (const listener of listeners) listener.apply(this, args as unknown[]);
    return listeners.length > 0;
  }

  #dispatch(args: readonly unknown[], onError: OnListenerError): Promise<unknown>[] | undefined {
    const listeners = this.#of(args[0] as string);
    if (listeners.length === 0) return undefined;
    const rest = args.length === 2 ? undefined : args.slice(1);
    let promises: Promise<unknown>[] | undefined;
    for (const listener of listeners) {
      try {
        const result = rest === undefined ? listener.call(this, args[1]) : listener.apply(this, rest);
        if (!isThenable(result)) continue;
        promises ??= [];
        promises.push(Promise.resolve(result).catch((error: unknown) => onError(error, args[0])));
      } catch (error) {
        onError(error, args[0]);
      }
    }
    return promises;
  }
}

const NONE: readonly OnceWrapper[] = [];

/** Names from the wire may be numbers; on Node they meet listeners of the same name as text. */
function toKey(event: string | symbol): string | symbol {
  return typeof event === "number" ? String(event) : event;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
