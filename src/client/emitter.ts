import type { EventNames, EventParams, Listener, ListenerOf } from "./types.ts";

type Name<Reserved, Listen> = EventNames<Reserved> | EventNames<Listen>;

/** Calls listeners by event name, in the order in which they were added; the methods have the names of the original. */
export class Emitter<Listen, Emit = Listen, Reserved = object> {
  #listeners = new Map<unknown, (Listener & { once?: unknown })[]>();

  on<E extends Name<Reserved, Listen>>(event: E, listener: ListenerOf<Reserved, Listen, E>): this {
    this.#listeners.set(event, [...this.#list(event), listener as Listener]);
    return this;
  }

  once<E extends Name<Reserved, Listen>>(event: E, listener: ListenerOf<Reserved, Listen, E>): this {
    const wrapper = (...args: unknown[]) => {
      this.off(event, wrapper as typeof listener);
      (listener as Listener).apply(this, args);
    };
    wrapper.once = listener;
    return this.on(event, wrapper as typeof listener);
  }

  /** Removes one listener, all of an event, or all. */
  off<E extends Name<Reserved, Listen>>(event?: E, listener?: ListenerOf<Reserved, Listen, E>): this {
    if (event === undefined) this.#listeners.clear();
    else
      this.#listeners.set(
        event,
        listener ? this.#list(event).filter((other) => other !== listener && other.once !== listener) : [],
      );
    return this;
  }

  emit<E extends EventNames<Emit>>(event: E, ...args: EventParams<Emit, E>): this {
    return this.trigger_(event, ...args);
  }

  listeners<E extends Name<Reserved, Listen>>(event: E): ListenerOf<Reserved, Listen, E>[] {
    return this.#list(event) as ListenerOf<Reserved, Listen, E>[];
  }

  hasListeners<E extends Name<Reserved, Listen>>(event: E): boolean {
    return this.#list(event).length > 0;
  }

  /** Calls the listeners of any event, reserved ones too. Lists are replaced, never changed, so the loop is safe. */
  trigger_(event: unknown, ...args: unknown[]): this {
    for (const listener of this.#list(event)) listener.apply(this, args);
    return this;
  }

  prepend_(event: unknown, listener: Listener): void {
    this.#listeners.set(event, [listener, ...this.#list(event)]);
  }

  #list(event: unknown) {
    return this.#listeners.get(event) ?? [];
  }
}
