import type { Account } from "../../shared/byte-budget.ts";
import type { Timer } from "../../shared/timers.ts";
import type { Core } from "../core.ts";
import type { Hold } from "./awake.ts";
import type { Client } from "./client.ts";

/** A function that gets a client's answer. */
export type AckCallback = (...args: unknown[]) => void;

/** What an acknowledgement takes that is waited for: its callback, timer and hold, and what the callback knows. */
const ACK_BYTES = 600;

interface PendingAck {
  readonly callback: AckCallback;
  /** A `timeout()` was asked for: the callback's first argument is the error. */
  readonly hasTimeout: boolean;
  /** Ends the wait when the socket is gone, where there is a way to say so. */
  readonly onGone: ((error: Error) => void) | undefined;
  readonly hold: Hold;
  readonly account: Account;
  timer: Timer | undefined;
}

/**
 * The acknowledgements a socket's client owes.
 *
 * emit --> pending --> answered | timed out | socket gone (a timeout still runs, as on Node)
 */
export class PendingAcks {
  readonly #core: Core;
  readonly #client: Client;
  readonly #acks = new Map<number, PendingAck>();
  /** One of their own: they may outlive their session. */
  #account: Account | undefined;
  #isAbandoned = false;

  constructor(core: Core, client: Client) {
    this.#core = core;
    this.#client = client;
  }

  /** The connection may end for it, as for everything that it makes the object hold. */
  add(id: number, callback: AckCallback, timeoutMs?: number, onGone?: (error: Error) => void): void {
    const hold = this.#core.awake.hold(this.#client, true);
    this.#account ??= this.#client.conn.account.budget.open((why) => this.#overdrawn(why));
    const account = this.#account;
    const hasTimeout = timeoutMs !== undefined;
    const ack: PendingAck = { callback, hasTimeout, onGone, hold, account, timer: undefined };
    if (timeoutMs !== undefined) {
      ack.timer = this.#core.host.timers.set(() => this.#finish(id, ack, [timedOut()]), timeoutMs);
    }
    this.#acks.set(id, ack);
    account.add(ACK_BYTES);
  }

  /** An answer arrived. False: nobody waits for it, or no longer. */
  answer(id: number, args: unknown[]): boolean {
    const ack = this.#acks.get(id);
    if (ack === undefined) return false;
    this.#finish(id, ack, ack.hasTimeout ? [null, ...args] : args);
    return true;
  }

  /** The socket is gone: no answer will come. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const [id, ack] of this.#acks) {
      if (ack.hasTimeout) continue;
      this.#forget(id, ack);
      ack.onGone?.(new Error("socket has been disconnected"));
    }
    this.#closeAccount();
  }

  /** Too many are waited for: the session ends, and those that would go on waiting have timed out at once. */
  #overdrawn(why: string): void {
    this.#account = undefined;
    this.#client.conn.account.end(why);
    const { timers } = this.#core.host;
    // Those who are told may ask again, so they are told when there is room again.
    for (const ack of this.#acks.values()) {
      const { timer } = ack;
      if (timer !== undefined && timers.clear(timer)) ack.timer = timers.set(timer.run, 0);
    }
  }

  #finish(id: number, ack: PendingAck, args: unknown[]): void {
    this.#forget(id, ack);
    try {
      ack.callback(...args);
    } catch (error) {
      this.#core.onError(error, "acknowledgement");
    }
  }

  #forget(id: number, ack: PendingAck): void {
    this.#acks.delete(id);
    this.#core.host.timers.clear(ack.timer);
    this.#core.awake.release(ack.hold);
    ack.account.add(-ACK_BYTES);
    this.#closeAccount();
  }

  #closeAccount(): void {
    if (!this.#isAbandoned || this.#acks.size > 0) return;
    this.#account?.close();
    this.#account = undefined;
  }
}

function timedOut(): Error {
  return new Error("operation has timed out");
}
