import { EventEmitter, type OnListenerError } from "../shared/event-emitter.ts";
import type { EngineRequest } from "./request.ts";
import type { SessionState, TransportName } from "./state.ts";

type TransportEvents = {
  /** The session has ended. */
  close: () => void;
  /** A response over polling is about to be sent; listeners may add headers. */
  headers: (headers: Headers, request: EngineRequest) => void;
};

/**
 * The transport of a session, as user code sees it. It stays the same object after an upgrade, with its listeners.
 */
export class TransportView extends EventEmitter<TransportEvents> {
  readonly #state: SessionState;
  readonly #isWritable: () => boolean;
  readonly #onError: OnListenerError;

  constructor(state: SessionState, isWritable: () => boolean, onError: OnListenerError) {
    super();
    this.#state = state;
    this.#isWritable = isWritable;
    this.#onError = onError;
  }

  /** Which transport carries the session now: an upgrade changes it. */
  get name(): TransportName {
    return this.#state.transport;
  }

  /** Whether a message would be sent at once. If not, it waits, and a volatile event is discarded. */
  get writable(): boolean {
    return this.#isWritable();
  }

  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return this._emitSafely(event, args, this.#onError);
  }
}
