import type { Admission } from "../../shared/event-emitter.ts";
import type { SocketScope } from "./socket-scope.ts";

/**
 * Decides about the listeners and middlewares that user code registers on one socket. What a `connection` listener
 * registers is there again after a replay; anything else is warned about. A replay leaves out `once` listeners that
 * have fired already.
 */
export class Registrations {
  readonly #scope: SocketScope;
  /** How many `once` listeners the current replay has yet to leave out, by event. */
  #fired: Map<string, number> | undefined;

  constructor(scope: SocketScope) {
    this.#scope = scope;
  }

  /** A replay begins. */
  onReplay(): void {
    this.#fired = this.#read();
  }

  /** A listener is about to be added. */
  admit(event: string | symbol, isOnce: boolean): Admission {
    if (!this.#scope.isSettingUp) {
      return this.admitLate(`a "${String(event)}" listener that is added to a socket late`);
    }
    if (!isOnce) return "add";
    const key = String(event);
    const left = this.#fired?.get(key) ?? 0;
    if (left === 0) return "track";
    this.#fired?.set(key, left - 1);
    return "skip";
  }

  /** Warns of `what`, unless a replay would register it again. */
  admitLate(what: string): Admission {
    if (this.#scope.isSettingUp || this.#scope.phase === "closed") return "add";
    return this.#scope.context.diagnostics.admitLate(what, "add it in the connection listener");
  }

  /** A `once` listener of a `connection` listener has fired: a replay has to leave it out. */
  onceFired(event: string | symbol): void {
    const { member, phase, context } = this.#scope;
    if (member.record === undefined || phase !== "connected" || !context.host.hibernation) return;
    const key = String(event);
    const fired = this.#read();
    member.record.fired = Object.fromEntries(fired.set(key, (fired.get(key) ?? 0) + 1));
    this.#scope.markDirty();
  }

  /** A Map, because an event may have the name of a member that every object has, such as "constructor". */
  #read(): Map<string, number> {
    return new Map(Object.entries(this.#scope.member.record?.fired ?? {}));
  }
}
