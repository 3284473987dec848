import type { Host } from "../host.ts";
import type { RecoveryStore } from "../recovery/recovery-store.ts";

/** The smallest difference between two moments, ms. Numbers can express it exactly until the year 2248. */
const STEP = 2 ** -10;

/**
 * Writes a moment as text that sorts in the order of time: nine base-36 digits of milliseconds (enough until the year
 * 5188), and three for the steps within one millisecond.
 */
export function toOffset(stamp: number): string {
  const ms = Math.floor(stamp);
  const step = Math.floor((stamp - ms) / STEP);
  return ms.toString(36).padStart(9, "0") + step.toString(36).padStart(3, "0");
}

/** What the clock needs of the object. */
type ClockHost = Pick<Host, "now" | "log">;

/**
 * The moments at which something happens, such as a socket that joins or is sent something: no two are the same, and
 * they follow each other in the order of these events even when the clock of the machine goes back.
 */
export class LogicalClock {
  readonly #host: ClockHost;
  readonly #packets: Pick<RecoveryStore, "latest"> | undefined;
  #last = 0;
  /** Namespaces whose latest logged offset has been read. */
  readonly #known = new Set<string>();

  /** `packets`: where packets are logged, if all moments have to follow them. */
  constructor(host: ClockHost, packets?: Pick<RecoveryStore, "latest">) {
    this.#host = host;
    this.#packets = packets;
  }

  /** The current time, or the moment just after the last one; later than all that was logged for the namespace. */
  next(nsp: string): number {
    if (!this.#known.has(nsp)) this.#readLatest(nsp);
    this.#last = Math.max(Math.floor(this.#host.now()), this.#last + STEP);
    return this.#last;
  }

  /** Makes all later moments come after this one. */
  advance(stamp: number): void {
    this.#last = Math.max(this.#last, stamp);
  }

  /** A namespace was removed. */
  forget(nsp: string): void {
    this.#known.delete(nsp);
  }

  /** Goes on after the last packet that an earlier instance of the object has logged for a namespace. */
  #readLatest(nsp: string): void {
    this.#known.add(nsp);
    try {
      const latest = this.#packets?.latest(nsp);
      if (latest !== undefined) this.advance(Number.parseInt(latest.slice(0, 9), 36) + 1);
    } catch (error) {
      this.#host.log("error", "recovery could not be read", error);
    }
  }
}
