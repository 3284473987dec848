import type { Host } from "../host.ts";

/** Knows whether listeners of `disconnecting` or `disconnect` are running. */
export class Disconnecting {
  readonly #host: Host;
  #isActive = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Sockets that are about to leave are still there for these listeners, as on Node. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** Runs such listeners. They are not muted, although a replay may have brought the end about. */
  run(listeners: () => void): void {
    const before = this.#isActive;
    this.#isActive = true;
    this.#host.mute.lift(listeners);
    this.#isActive = before;
  }
}
