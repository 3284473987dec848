import type { EventNames, EventParams, Listener, ListenerOf } from "./types.ts";

type Name<Reserved, Listen> = EventNames<Reserved> | EventNames<Listen>;

interface Registration {
  readonly listener: Listener;
  readonly isOnce: boolean;
}

/** Calls listeners by event name, in the order in which they were added. */
export class Emitter<Listen, Emit = Listen, Reserved = object> {
  readonly #events = new Map<unknown, readonly Registration[]>();

  /** Adds a listener. A listener that is added twice is called twice. */
  on<E extends Name<Reserved, Listen>>(event: E, listener: ListenerOf<Reserved, Listen, E>): this {
    return this.#add(event, listener as Listener, false);
  }

  /** Adds a listener that is called at most once. */
  once<E extends Name<Reserved, Listen>>(event: E, listener: ListenerOf<Reserved, Listen, E>): this {
    return this.#add(event, listener as Listener, true);
  }

  /** Removes one listener, all listeners of an event, or all listeners. */
  off<E extends Name<Reserved, Listen>>(event?: E, listener?: ListenerOf<Reserved, Listen, E>): this {
    if (event == null) this.#events.clear();
    else if (listener) this.#remove(event, (it) => it.listener === listener);
    else this.#events.delete(event);
    return this;
  }

  /** Calls the listeners of an event synchronously. The method of a Socket sends the event to the server instead. */
  emit<E extends EventNames<Emit>>(event: E, ...args: EventParams<Emit, E>): this {
    this._fire(event, ...args);
    return this;
  }

  /** The listeners of an event, in the order in which they are called. */
  listeners<E extends Name<Reserved, Listen>>(event: E): ListenerOf<Reserved, Listen, E>[] {
    return this.#of(event).map(({ listener }) => listener as ListenerOf<Reserved, Listen, E>);
  }

  /** Whether the event has a listener. */
  hasListeners(event: Name<Reserved, Listen>): boolean {
    return this.#of(event).length > 0;
  }

  #add(event: unknown, listener: Listener, isOnce: boolean): this {
    this.#events.set(event, [...this.#of(event), { listener, isOnce }]);
    return this;
  }

  /** Calls the listeners of an event, reserved ones included. @internal */
  _fire(event: unknown, ...args: unknown[]): void {
    // Lists are replaced and never changed, so that a listener may add and remove others while this loop runs.
    for (const registration of this.#of(event)) {
      if (registration.isOnce && !this.#remove(event, (it) => it === registration)) continue;
      registration.listener.apply(this, args);
    }
  }

  #of(event: unknown): readonly Registration[] {
    return this.#events.get(event) ?? [];
  }

  /** Returns false when there was none to remove: a nested call may have called a `once` listener already. */
  #remove(event: unknown, isMeant: (registration: Registration) => boolean): boolean {
    const before = this.#of(event);
    const index = before.findIndex(isMeant);
    this.#events.set(
      event,
      before.filter((_, at) => at !== index),
    );
    return index >= 0;
  }
}
