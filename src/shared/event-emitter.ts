import type { Untyped } from "./untyped.ts";

/** A function of an event's arguments. */
export type AnyListener = (...args: Untyped[]) => unknown;

/** Events of any name with any arguments, for emitters without type parameters. */
export interface DefaultEvents {
  [event: string]: (...args: Untyped[]) => void;
}

export type EventName<Events> = keyof Events & (string | symbol);

export type EventArgs<Events, Name extends keyof Events> = Events[Name] extends (
  ...args: infer Args
) => unknown
  ? Args
  : never;

/** The type of an event's listener. A reserved name has its own listener, whatever the user's map says. */
export type EventListener<Events, Name, Reserved = object> = Name extends keyof Reserved
  ? Listener<Reserved[Name]>
  : Name extends keyof Events
    ? Listener<Events[Name]>
    : AnyListener;

type Listener<T> = T extends AnyListener ? T : AnyListener;

/** Receives what a listener of `event` threw, or rejected with. */
export type OnListenerError = (error: unknown, event: unknown) => void;

/** Whether a listener is added; "track" adds it, and reports when a `once` listener fires. */
export type Admission = "add" | "skip" | "track";

type OnceWrapper = AnyListener & { listener?: AnyListener };

/** Any emitter, whatever its events: `Untyped` leaves them open. */
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
  /** Arrays are replaced, never changed, so that a running `emit` goes on with the listeners that it started with. */
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

  /** Whether an event has listeners. Unlike `listenerCount` it is quick for an emitter with a proxy as prototype. */
  static isHeard(emitter: Dispatcher, event: string): boolean {
    return (emitter as AnyEmitter).#of(event).length > 0;
  }

  /** Does the work of `emit`; a subclass may send the event instead. @internal */
  protected _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return this.#emit(event, args);
  }

  /** Emits like `emit`, but passes what listeners throw to `onError`, for callers that have to go on. @internal */
  protected _emitSafely(event: string | symbol, args: readonly unknown[], onError: OnListenerError): boolean {
    const isHeard = this.#of(event).length > 0;
    if (isHeard) this.#dispatch([event, ...args], onError);
    return isHeard;
  }

  /** Called before each listener is added, to decide about it. @internal */
  protected _adding(_event: string | symbol, _isOnce: boolean): Admission {
    return "add";
  }

  /** Called before a `once` listener runs that was admitted with "track". @internal */
  protected _onceFired(_event: string | symbol): void {}

  /** Adds a listener. @throws TypeError when it is no function */
  on<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this._adding(event, false) === "skip" ? this : this.#add(event, listener, false);
  }

  /** The same as {@link on}. */
  addListener<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.on(event, listener);
  }

  /** Adds a listener that is removed before it is called the first time. @throws TypeError when it is no function */
  once<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.#addOnce(event, listener, false);
  }

  /** Adds a listener that is called before those that are there. @throws TypeError when it is no function */
  prependListener<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this._adding(event, false) === "skip" ? this : this.#add(event, listener, true);
  }

  /** Like {@link once}, but the listener is called before those that are there. */
  prependOnceListener<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.#addOnce(event, listener, true);
  }

  /** Removes the listener, if it is there: the one that was added last, if it was added several times. */
  off<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.#off(event, listener);
  }

  /** The same as {@link off}. */
  removeListener<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
    listener: EventListener<Events, Name, Reserved>,
  ): this {
    return this.off(event, listener);
  }

  /** Removes all listeners of an event; without `event`, those of all events. */
  removeAllListeners(event?: EventName<Events> | EventName<Reserved>): this {
    if (event === undefined) this.#listeners = undefined;
    else this.#listeners?.delete(toKey(event));
    return this;
  }

  /** Calls the listeners of an event, in the order in which they were added. Returns whether there were any. */
  emit<Name extends EventName<Emitted>>(event: Name, ...args: EventArgs<Emitted, Name>): boolean {
    return this._emit(event, args);
  }

  /** The listeners of an event. */
  listeners<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
  ): EventListener<Events, Name, Reserved>[] {
    return this.#of(event).map((it) => (it.listener ?? it) as EventListener<Events, Name, Reserved>);
  }

  /** Like {@link listeners}, but with the wrappers that `once` has created. */
  rawListeners<Name extends EventName<Events> | EventName<Reserved>>(
    event: Name,
  ): EventListener<Events, Name, Reserved>[] {
    return this.#of(event).slice() as EventListener<Events, Name, Reserved>[];
  }

  /** How many listeners an event has. */
  listenerCount(event: EventName<Events> | EventName<Reserved>): number {
    return this.#listeners === undefined ? 0 : this.#of(event).length;
  }

  /** The names of the events that have listeners. */
  eventNames(): (EventName<Events> | EventName<Reserved>)[] {
    return [...(this.#listeners?.keys() ?? [])] as (EventName<Events> | EventName<Reserved>)[];
  }

  /** Kept for {@link getMaxListeners}; there is no limit. */
  setMaxListeners(count: number): this {
    this.#maxListeners = count;
    return this;
  }

  /** The number given to {@link setMaxListeners}. @default 10 */
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

/** Event names from a client may be numbers. As on Node, these reach listeners of the same name as text. */
function toKey(event: string | symbol): string | symbol {
  return typeof event === "number" ? String(event) : event;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
