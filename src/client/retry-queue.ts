type Callback = (error: unknown, ...answer: unknown[]) => void;

/** An event, with the flags with which it was emitted. */
interface Attempt<Flags> {
  readonly args: unknown[];
  readonly flags: Flags;
  readonly callback: Callback | undefined;
  tries: number;
}

/**
 * The events of a socket with the option `retries`, in order: the next one is sent when the server has acknowledged the
 * one before it.
 *
 *     waiting --connected, first in the queue--> sent --acknowledged--> gone
 *        ^------- timeout, or disconnected --------|--after retries + 1 tries--> gone, with an error
 */
export class RetryQueue<Flags> {
  readonly #retries: number;
  readonly #send: (args: unknown[], flags: Flags) => void;
  readonly #queue: Attempt<Flags>[] = [];
  #isConnected = false;
  #isWaiting = false;

  constructor(retries: number, send: (args: unknown[], flags: Flags) => void) {
    this.#retries = retries;
    this.#send = send;
  }

  /** Adds an event. A function at the end of `args` is called with an error or null, and then the answer. */
  add(args: unknown[], flags: Flags): void {
    const last = args.at(-1);
    const callback = typeof last === "function" ? (args.pop() as Callback) : undefined;
    this.#queue.push({ args, flags, callback, tries: 0 });
    this.#sendFirst();
  }

  /** Starts or stops sending. An event that was sent and not acknowledged counts as lost with the connection. */
  connected(isConnected: boolean): void {
    this.#isConnected = isConnected;
    this.#isWaiting = false;
    this.#sendFirst();
  }

  #sendFirst(): void {
    const first = this.#queue[0];
    if (!first || !this.#isConnected || this.#isWaiting) return;
    this.#isWaiting = true;
    first.tries++;
    const settle: Callback = (error, ...answer) => {
      this.#isWaiting = false;
      if (!error || first.tries > this.#retries) {
        this.#queue.shift();
        first.callback?.(error, ...answer);
      }
      this.#sendFirst();
    };
    this.#send([...first.args, settle], first.flags);
  }
}
