import type { Frame } from "../codec/index.ts";
import type { Engine } from "../engine/engine.ts";
import type { Session } from "../engine/session.ts";
import type { SessionRules } from "../engine/state.ts";
import type { Host } from "../server/host.ts";
import type { RecoveryStore } from "../server/recovery/recovery-store.ts";
import type { ByteBudget } from "../shared/byte-budget.ts";
import type { SessionId } from "../shared/ids.ts";
import type { Mute } from "../shared/mute.ts";
import type { Timers } from "../shared/timers.ts";
import type { Attempt } from "./attempt.ts";
import { ACKS } from "./identity.ts";
import type { ObjectRuntime } from "./object-runtime.ts";

const ACK_BLOCK = 1_000;

/**
 * What the server and the sessions of one attempt see of the object: no session, once the attempt has failed.
 */
export class ObjectHost<Api> implements Host {
  readonly rules: SessionRules;
  readonly timers: Timers;
  readonly budget: ByteBudget;
  readonly hibernation: boolean;
  readonly #runtime: ObjectRuntime<Api>;
  readonly #attempt: Attempt<Api>;

  constructor(runtime: ObjectRuntime<Api>, attempt: Attempt<Api>) {
    this.rules = runtime.rules;
    this.timers = runtime.timers;
    this.budget = runtime.budget;
    this.hibernation = runtime.persists;
    this.#runtime = runtime;
    this.#attempt = attempt;
  }

  get engine(): Engine {
    return this.#attempt.engine;
  }

  get mute(): Mute {
    return this.#attempt.mute;
  }

  get isFirstRun(): boolean {
    return this.#attempt.isFirstRun;
  }

  get isSetUp(): boolean {
    return this.#attempt.phase === "done";
  }

  now(): number {
    return this.#runtime.now();
  }

  turn(): number {
    return this.#runtime.turn();
  }

  checkInstance(what: string, nsp?: string): void {
    this.#runtime.guard.check(what, nsp);
  }

  log(level: "warn" | "error", message: string, error?: unknown): void {
    this.#runtime.log(level, message, error);
  }

  keepAwake(promise: Promise<unknown>): void {
    this.#runtime.keepAwake(promise);
  }

  async ready(): Promise<void> {
    if (this.#hasFailed) throw new Error("the setup function that made this failed");
    await this.#runtime.ready();
  }

  resume(session: Session): void | Promise<void> {
    return this.#runtime.resume(session);
  }

  toBinary(bytes: Uint8Array): Uint8Array {
    const { Buffer } = globalThis;
    return Buffer === undefined ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  visitSleeping(visit: (sid: SessionId, stored: unknown) => boolean): void {
    if (!this.#hasFailed) this.#runtime.table.visitRecords(visit);
  }

  sendAsleep(sid: SessionId, frames: readonly Frame[], isVolatile: boolean): boolean {
    return !this.#hasFailed && this.#runtime.table.sendAsleep(sid, frames, isVolatile);
  }

  session(sid: SessionId): Session | undefined {
    return this.#hasFailed ? undefined : this.#runtime.table.get(sid)?.session;
  }

  endedSession(sid: SessionId, handshakeData: unknown): Session {
    return this.#runtime.table.endedSession(sid, handshakeData);
  }

  nextAckBlock(nsp: string): number {
    const { kv } = this.#runtime.ctx.storage;
    const key = ACKS + nsp;
    const first = kv.get<number>(key) ?? ACK_BLOCK;
    // Clients in other languages hold ids in 32 bits.
    kv.put(key, (first + ACK_BLOCK) % (2 ** 31 - ACK_BLOCK));
    return first;
  }

  openRecovery(windowMs: number, maxBytes: number): RecoveryStore {
    return this.#runtime.openRecovery(windowMs, maxBytes);
  }

  get #hasFailed(): boolean {
    return this.#attempt.phase === "failed";
  }
}
