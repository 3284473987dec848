import type { Admission } from "../shared/event-emitter.ts";
import { runSafely } from "../shared/run-safely.ts";
import { LONGEST_PATH, MAX_WARNINGS } from "./constants.ts";
import type { Host } from "./host.ts";

/** Reports what user code does wrong: errors that it throws, and things that will be gone once the object has slept. */
export class Diagnostics {
  readonly #host: Host;
  readonly #warned = new Set<string>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** Logs what user code threw. The session and the object go on. */
  readonly onError = (error: unknown, event: unknown): void => {
    this.#host.log("error", `a listener of "${String(event)}" failed`, error);
  };

  /**
   * Runs what may be user code (an adapter, a parser, values with getters) in the middle of work that has to be
   * completed. What it throws is logged under `name`.
   */
  attempt<T>(name: string, run: () => T): T | undefined {
    return runSafely(run, (error) => this.onError(error, name));
  }

  /** Logs each message once. Clients may choose names that are part of a message, so the number is limited. */
  warnOnce(message: string): void {
    if (this.#warned.has(message) || this.#warned.size === MAX_WARNINGS) return;
    this.#warned.add(message);
    this.#host.log("warn", message);
  }

  /** Warns of a value that cannot be stored. Clients may choose keys in `path`, so its length is limited. */
  warnLeftOut(path: string, value: unknown): void {
    const where = path.slice(0, LONGEST_PATH);
    this.warnOnce(
      `${where} cannot be stored (${describe(value)}) and is gone once the object has slept; keep plain data there`,
    );
  }

  /** Warns of something that is registered after setup, since the next instance will not know it. */
  admitLate(what: string, cure: string): Admission {
    if (!this.#host.isSetUp) return "add";
    this.#host.checkInstance("io or a socket");
    if (this.#host.hibernation && !this.#host.mute.active) {
      this.warnOnce(`${what} is gone once the object has slept; ${cure}`);
    }
    return "add";
  }
}

/** Names a value that cannot be stored. */
function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  const { name } = Object(Object.getPrototypeOf(value)).constructor ?? {};
  if (Array.isArray(value) || name === "Object") return "too deep, or mostly holes";
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an object of an unknown class";
}
