import type { Awake, Hold } from "./awake.ts";
import type { Client } from "./client.ts";

/** A function that gets a client's answer. */
export type AckCallback = (...args: unknown[]) => void;

interface PendingAck {
  readonly callback: AckCallback;
  /** A `timeout()` was asked for: the callback's first argument is the error. */
  readonly hasTimeout: boolean;
  /** Ends the wait when the socket is gone, where there is a way to say so. */
  readonly onGone: ((error: Error) => void) | undefined;
  readonly hold: Hold;
  timer: Parameters<typeof clearTimeout>[0];
}

/**
 * The acknowledgements a socket's client owes.
 *
 * emit --> pending --> answered | timed out | socket gone (a timeout still runs, as on Node)
 */
export class PendingAcks {
  readonly #awake: Awake;
  readonly #client: Client;
  readonly #onError: (error: unknown, event: unknown) => void;
  readonly #acks = new Map<number, PendingAck>();

  constructor(awake: Awake, client: Client, onError: (error: unknown, event: unknown) => void) {
    this.#awake = awake;
    this.#client = client;
    this.#onError = onError;
  }

  add(id: number, callback: AckCallback, timeoutMs?: number, onGone?: (error: Error) => void): void {
    const hold = this.#awake.hold(this.#client, true);
    const ack: PendingAck = { callback, hasTimeout: timeoutMs !== undefined, onGone, hold, timer: undefined };
    if (timeoutMs !== undefined) {
      ack.timer = setTimeout(() => {
        this.#acks.delete(id);
        this.#finish(ack, [new Error("operation has timed out")]);
      }, timeoutMs);
    }
    this.#acks.set(id, ack);
  }

  /** An answer arrived. False: nobody waits for it, or no longer. */
  answer(id: number, args: unknown[]): boolean {
    const ack = this.#acks.get(id);
    if (ack === undefined) return false;
    this.#acks.delete(id);
    clearTimeout(ack.timer);
    this.#finish(ack, ack.hasTimeout ? [null, ...args] : args);
    return true;
  }

  /** The socket is gone: no answer will come. */
  abandon(): void {
    for (const [id, ack] of this.#acks) {
      if (ack.hasTimeout) continue;
      this.#acks.delete(id);
      this.#awake.release(ack.hold);
      ack.onGone?.(new Error("socket has been disconnected"));
    }
  }

  #finish(ack: PendingAck, args: unknown[]): void {
    this.#awake.release(ack.hold);
    try {
      ack.callback(...args);
    } catch (error) {
      this.#onError(error, "acknowledgement");
    }
  }
}
