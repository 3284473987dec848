import { EventEmitter, type OnListenerError } from "../shared/event-emitter.ts";
import type { EngineRequest } from "./request.ts";
import type { SessionState, TransportName } from "./state.ts";

type TransportEvents = {
  /** The session is over. */
  close: () => void;
  /** An answer over polling is about to be given, which takes more headers. */
  headers: (headers: Headers, request: EngineRequest) => void;
};

/**
 * The transport as user code sees it. A transport is data: what is listened to here is heard as long as the session
 * lasts.
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

  get name(): TransportName {
    return this.#state.transport;
  }

  get writable(): boolean {
    return this.#isWritable();
  }

  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return this._emitSafely(event, args, this.#onError);
  }
}
