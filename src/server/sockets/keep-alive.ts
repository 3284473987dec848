import type { Session } from "../../engine/session.ts";
import type { Timer } from "../../shared/timers.ts";
import type { Host } from "../host.ts";

/**
 * How long a handler may await before its session counts as busy: a restart would leave its client without an answer.
 */
const BUSY_AFTER_MS = 1_000;

/** The connection that pending work belongs to. */
export interface WorkOwner {
  readonly conn: Session;
  /** Counts work after which a restart has to end the session. */
  addBusy(count: 1 | -1): void;
}

/** Something under way that cannot be stored. */
export interface PendingWork {
  readonly owner: WorkOwner | undefined;
  readonly since: number;
  isBusy: boolean;
  /** What the owner's client makes the object hold meanwhile. */
  readonly bytes: number;
  onEnd?: () => void;
}

/**
 * Keeps the object awake while work is under way that cannot be stored, and marks the sessions concerned as busy.
 *
 * acknowledgement: begins as busy                 --> answered, or the time limit is reached --> ends
 * handler:         begins --> busy after a second --> settled, or the time limit is reached  --> ends
 */
export class KeepAlive {
  readonly #host: Host;
  readonly #limitMs: number;
  readonly #pending = new Set<PendingWork>();
  #allow: (() => void) | undefined;
  #timer: Timer | undefined;

  constructor(host: Host, limitMs: number) {
    this.#host = host;
    this.#limitMs = limitMs;
  }

  /** `bytes` count for the owner's session until the work ends. The session may be closed for them. */
  begin(owner: WorkOwner | undefined, isBusy: boolean, bytes = 0): PendingWork {
    const work: PendingWork = { owner, since: this.#host.now(), isBusy, bytes };
    if (this.#pending.size === 0) this.#preventSleep();
    this.#pending.add(work);
    if (isBusy) owner?.addBusy(1);
    owner?.conn.account.add(bytes);
    return work;
  }

  end(work: PendingWork | undefined): void {
    if (work === undefined || !this.#pending.delete(work)) return;
    if (work.isBusy) work.owner?.addBusy(-1);
    work.owner?.conn.account.add(-work.bytes);
    work.onEnd?.();
    if (this.#pending.size > 0) return;
    this.#host.timers.clear(this.#timer);
    this.#allow?.();
  }

  #preventSleep(): void {
    this.#host.keepAwake(
      new Promise<void>((resolve) => {
        this.#allow = resolve;
      }),
    );
    this.#watch();
  }

  /** One timer watches all pending work. There is none while nothing is pending. */
  #watch(): void {
    this.#timer = this.#host.timers.set(() => {
      const now = this.#host.now();
      this.#host.budget.touch();
      for (const work of this.#pending) {
        if (now - work.since >= this.#limitMs) this.end(work);
        else if (!work.isBusy && now - work.since >= BUSY_AFTER_MS) {
          work.isBusy = true;
          work.owner?.addBusy(1);
        }
      }
      if (this.#pending.size > 0) this.#watch();
    }, BUSY_AFTER_MS);
  }
}
