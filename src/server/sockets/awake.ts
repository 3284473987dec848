import type { Timer } from "../../shared/timers.ts";
import type { Host } from "../host.ts";
import type { Client } from "./client.ts";

/** How long a handler may await before its session is marked: a restart would leave its client in silence. */
const BUSY_AFTER_MS = 1_000;

/** Something under way that cannot be stored. */
export interface Hold {
  /** Whose session it marks, if it is one's. */
  readonly client: Client | undefined;
  readonly since: number;
  isBusy: boolean;
  /** What is held of its client meanwhile. */
  readonly bytes: number;
  onRelease?: () => void;
}

/**
 * Keeps the object awake for what cannot be stored, and marks its sessions as busy.
 *
 * acknowledgement: hold + busy --> answered, or the limit is over --> released
 * handler:         hold --> 1 s --> busy --> settled, or the limit is over --> released
 */
export class Awake {
  readonly #host: Host;
  readonly #limitMs: number;
  readonly #holds = new Set<Hold>();
  #release: (() => void) | undefined;
  #timer: Timer | undefined;

  constructor(host: Host, limitMs: number) {
    this.#host = host;
    this.#limitMs = limitMs;
  }

  /** `bytes`: what its client makes the object hold as long as that lasts. The session may end for it. */
  hold(client: Client | undefined, isBusy: boolean, bytes = 0): Hold {
    const hold: Hold = { client, since: this.#host.now(), isBusy, bytes };
    if (this.#holds.size === 0) this.#begin();
    this.#holds.add(hold);
    if (isBusy) client?._addBusy(1);
    client?.conn.account.add(bytes);
    return hold;
  }

  release(hold: Hold | undefined): void {
    if (hold === undefined || !this.#holds.delete(hold)) return;
    if (hold.isBusy) hold.client?._addBusy(-1);
    hold.client?.conn.account.add(-hold.bytes);
    hold.onRelease?.();
    if (this.#holds.size === 0) this.#end();
  }

  #begin(): void {
    this.#host.keepAwake(
      new Promise<void>((resolve) => {
        this.#release = resolve;
      }),
    );
    this.#watch();
  }

  #end(): void {
    this.#host.timers.clear(this.#timer);
    this.#release?.();
  }

  /** One timer for all, and only while something is held. */
  #watch(): void {
    this.#timer = this.#host.timers.set(() => {
      const now = this.#host.now();
      this.#host.budget.touch();
      for (const hold of this.#holds) {
        if (now - hold.since >= this.#limitMs) this.release(hold);
        else if (!hold.isBusy && now - hold.since >= BUSY_AFTER_MS) {
          hold.isBusy = true;
          hold.client?._addBusy(1);
        }
      }
      if (this.#holds.size > 0) this.#watch();
    }, BUSY_AFTER_MS);
  }
}
