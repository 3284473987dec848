import type { Account } from "../../shared/byte-budget.ts";
import type { Timer } from "../../shared/timers.ts";
import type { ServerContext } from "../context.ts";
import type { PendingWork } from "./keep-alive.ts";
import type { MemberConnection } from "./socket-member.ts";

/** A function that gets a client's answer. */
export type AckCallback = (...args: unknown[]) => void;

/**
 * Estimated memory of an acknowledgement that is waited for, in bytes: its callback with what that refers to, and its
 * timer.
 */
const ACK_BYTES = 600;

interface PendingAck {
  readonly callback: AckCallback;
  /** `timeout()` was called: the first argument of the callback is the error. */
  readonly hasTimeout: boolean;
  /** Tells the caller that the socket is gone, if it can be told. */
  readonly onGone: ((error: Error) => void) | undefined;
  readonly work: PendingWork;
  readonly account: Account;
  timer: Timer | undefined;
}

/**
 * The acknowledgements that are expected of a socket's client.
 *
 * emit --> pending --> answered | timed out | the socket is gone (a timeout goes on, as on Node)
 */
export class PendingAcks {
  readonly #context: ServerContext;
  readonly #connection: MemberConnection;
  readonly #acks = new Map<number, PendingAck>();
  /** Acknowledgements with a timeout may outlive their session, so they have an account of their own. */
  #account: Account | undefined;
  #isAbandoned = false;

  constructor(context: ServerContext, connection: MemberConnection) {
    this.#context = context;
    this.#connection = connection;
  }

  /** Expects an answer. The memory for it counts for the connection, which is closed when that is too much. */
  add(id: number, callback: AckCallback, timeoutMs?: number, onGone?: (error: Error) => void): void {
    const work = this.#context.keepAlive.begin(this.#connection, true);
    this.#account ??= this.#connection.conn.account.budget.open((why) => this.#overdrawn(why));
    const account = this.#account;
    const hasTimeout = timeoutMs !== undefined;
    const ack: PendingAck = { callback, hasTimeout, onGone, work, account, timer: undefined };
    if (timeoutMs !== undefined) {
      ack.timer = this.#context.host.timers.set(() => this.#finish(id, ack, [timedOut()]), timeoutMs);
    }
    this.#acks.set(id, ack);
    account.add(ACK_BYTES);
  }

  /** Hands an answer to the callback that waits for it. False: none does. */
  answer(id: number, args: unknown[]): boolean {
    const ack = this.#acks.get(id);
    if (ack === undefined) return false;
    this.#finish(id, ack, ack.hasTimeout ? [null, ...args] : args);
    return true;
  }

  /** The socket is gone, so no answer will come. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const [id, ack] of this.#acks) {
      if (ack.hasTimeout) continue;
      this.#forget(id, ack);
      ack.onGone?.(new Error("socket has been disconnected"));
    }
    this.#closeAccount();
  }

  /** They take too much memory: the session ends, and all that would go on waiting time out at once. */
  #overdrawn(why: string): void {
    this.#account = undefined;
    this.#connection.conn.account.end(why);
    const { timers } = this.#context.host;
    // The callbacks may emit again, so they run when the memory is free.
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
      this.#context.diagnostics.onError(error, "acknowledgement");
    }
  }

  #forget(id: number, ack: PendingAck): void {
    this.#acks.delete(id);
    this.#context.host.timers.clear(ack.timer);
    this.#context.keepAlive.end(ack.work);
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
