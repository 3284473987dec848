import type { Account } from "../../shared/byte-budget.ts";
import type { Host } from "../host.ts";

/** What a broadcast takes that waits for answers, and what each of those takes whom it waits for. */
const BROADCAST_BYTES = 1_000;
const RECEIVER_BYTES = 60;

/**
 * Broadcasts that wait for answers. They are no client's, though clients may bring them about, so they have an account
 * of their own: when it is the one that holds most, all of them have timed out at once. Those who are told may try again,
 * so they are told when there is room again.
 */
export class WaitingBroadcasts {
  readonly #host: Host;
  readonly #waiting = new Map<() => void, number>();
  #account: Account | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** `giveUp` ends the wait, and tells `remove`. */
  add(giveUp: () => void): void {
    this.#waiting.set(giveUp, 0);
    this.#count(giveUp, BROADCAST_BYTES);
  }

  addReceivers(giveUp: () => void, count: number): void {
    this.#count(giveUp, count * RECEIVER_BYTES);
  }

  remove(giveUp: () => void): void {
    this.#account?.add(-(this.#waiting.get(giveUp) ?? 0));
    this.#waiting.delete(giveUp);
  }

  #count(giveUp: () => void, bytes: number): void {
    const before = this.#waiting.get(giveUp);
    if (before === undefined) return;
    this.#waiting.set(giveUp, before + bytes);
    this.#account ??= this.#host.budget.open(() => this.#giveUpAll());
    this.#account.add(bytes);
  }

  #giveUpAll(): void {
    for (const giveUp of this.#waiting.keys()) this.#host.timers.set(giveUp, 0);
    this.#waiting.clear();
    this.#account = undefined;
  }
}
