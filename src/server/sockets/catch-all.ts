import type { AnyListener } from "../../shared/event-emitter.ts";
import { runSafely } from "../../shared/run-safely.ts";

/** The listeners for all events of a socket, in one direction. */
export class CatchAll {
  /** The array is replaced and never changed, so that a running `notify` goes on with the listeners it began with. */
  #listeners: AnyListener[] = [];

  get size(): number {
    return this.#listeners.length;
  }

  add(listener: AnyListener, prepend: boolean): void {
    this.#listeners = prepend ? [listener, ...this.#listeners] : [...this.#listeners, listener];
  }

  /** Removes one listener, or all of them. */
  remove(listener?: AnyListener): void {
    if (listener === undefined) {
      this.#listeners = [];
      return;
    }
    const index = this.#listeners.indexOf(listener);
    if (index !== -1) this.#listeners = this.#listeners.toSpliced(index, 1);
  }

  list(): AnyListener[] {
    return this.#listeners;
  }

  notify(socket: unknown, args: unknown[], onError: (error: unknown, event: unknown) => void): void {
    for (const listener of this.#listeners) {
      runSafely(
        () => listener.apply(socket, args),
        (error) => onError(error, args[0]),
      );
    }
  }
}
