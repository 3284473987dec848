import type { Frame } from "../codec/index.ts";
import { Engine } from "../engine/engine.ts";
import { longestQuietMs } from "../engine/heartbeat.ts";
import type { ObjectServer } from "../engine/object-server.ts";
import type { Session } from "../engine/session.ts";
import type { SessionRules } from "../engine/state.ts";
import type { Mesh, MeshServer } from "../server/cluster/mesh.ts";
import { ACK_BLOCK } from "../server/constants.ts";
import type { DataRows } from "../server/data/data-rows.ts";
import type { Host } from "../server/host.ts";
import type { RecoveryStore } from "../server/recovery/recovery-store.ts";
import type { ByteBudget } from "../shared/byte-budget.ts";
import type { SessionId } from "../shared/ids.ts";
import { Mute } from "../shared/mute.ts";
import type { Timers } from "../shared/timers.ts";
import { findAsyncContext } from "./async-context.ts";
import { ACKS } from "./identity.ts";
import type { Platform } from "./platform.ts";
import { RecoveryLog } from "./recovery/recovery-log.ts";
import type { SessionTable } from "./sessions/session-table.ts";
import { MemoryRows } from "./storage/memory-rows.ts";
import type { Turns } from "./turns.ts";

/** Stands in for a server that could not be created: what is stored of the sessions stays as it is. */
const NO_SERVER = { connectTimeout: undefined, open() {}, load() {} };

/** What runs the user's code in an object. */
interface SetupRunner {
  ready(): void | Promise<void>;
  resume(session: Session): void | Promise<void>;
}

/**
 * The object as the server and the sessions of one attempt at the setup function see it, with what is created for that
 * attempt alone: an engine, a mute, and the server. Once the attempt has failed they find no session, and nothing that
 * they do reaches a client, though timers and promises of the user's code may hold them.
 */
export class ObjectHost<Api> implements Host {
  readonly engine: Engine;
  readonly rules: SessionRules;
  readonly timers: Timers;
  readonly budget: ByteBudget;
  readonly hibernation: boolean;
  readonly observe: Platform["observe"];
  readonly checkInstance: Platform["checkInstance"];
  readonly log: Platform["log"];
  readonly mute: Mute;
  isFirstRun = false;
  phase: "waiting" | "running" | "done" | "failed" = "waiting";
  readonly #platform: Platform;
  readonly #table: SessionTable;
  readonly #turns: Turns;
  readonly #setup: SetupRunner;
  readonly #create: (host: Host) => ObjectServer<Api>;
  #server: ObjectServer<Api> | undefined;
  #broken: { error: unknown } | undefined;

  constructor(
    platform: Platform,
    table: SessionTable,
    turns: Turns,
    setup: SetupRunner,
    createServer: (host: Host) => ObjectServer<Api>,
  ) {
    this.rules = platform.rules;
    this.timers = platform.timers;
    this.budget = platform.budget;
    this.hibernation = platform.persists;
    this.observe = platform.observe;
    this.checkInstance = platform.checkInstance;
    this.log = platform.log;
    this.#platform = platform;
    this.#table = table;
    this.#turns = turns;
    this.#setup = setup;
    this.#create = createServer;
    const Context = findAsyncContext();
    this.mute = new Mute(Context && new Context(), platform.timers);
    const isReached = () => {
      platform.checkInstance("the engine");
      return this.phase !== "failed";
    };
    const directory = {
      count: () => (isReached() ? table.count() : 0),
      all: () => (isReached() ? table.all() : []),
    };
    this.engine = new Engine(platform.options, directory, (error, event) =>
      platform.log("error", `a listener of "${String(event)}" failed`, error),
    );
  }

  /** The server on the sessions. It is created when it is first needed: a tick needs it without setup. */
  get server(): ObjectServer<Api> {
    this.#server ??= this.#createServer();
    return this.#server;
  }

  /**
   * What the setup function is called with. @throws what a part of the server (an adapter) threw when it was created
   */
  get api(): Api {
    if (this.#broken !== undefined) this.#retryServer();
    const { api } = this.server;
    if (this.#broken !== undefined) throw this.#broken.error;
    return api;
  }

  /** A tick needed the server when it could not be created: the sessions were given its stand-in. */
  #retryServer(): void {
    this.#broken = undefined;
    this.#server = undefined;
    this.#table.reload();
  }

  #createServer(): ObjectServer<Api> {
    try {
      return this.#create(this);
    } catch (error) {
      this.#broken = { error };
      return NO_SERVER as unknown as ObjectServer<Api>;
    }
  }

  get isSetUp(): boolean {
    return this.phase === "done";
  }

  fail(): void {
    this.phase = "failed";
    this.mute.silence();
  }

  serveMesh(server: MeshServer): void {
    this.#platform.cluster.serve(server);
  }

  get mesh(): Mesh | undefined {
    return this.phase === "failed" ? undefined : this.#platform.cluster.mesh;
  }

  get dataRows(): DataRows {
    return this.#platform.ctx.storage.kv;
  }

  willWrite(): void {
    this.#turns.willWrite();
  }

  tickBy(time: number): void {
    this.#platform.ticker.ensureBy(time);
  }

  now(): number {
    return this.#platform.now();
  }

  turn(): number {
    return this.#turns.current();
  }

  keepAwake(promise: Promise<unknown>): void {
    this.#platform.keepAwake(promise);
  }

  async ready(): Promise<void> {
    if (this.phase === "failed") throw new Error("the setup function that created this server has failed");
    await this.#setup.ready();
  }

  resume(session: Session): void | Promise<void> {
    return this.#setup.resume(session);
  }

  toBinary(bytes: Uint8Array): Uint8Array {
    const { Buffer } = globalThis;
    return Buffer === undefined ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  visitSleeping(visit: (sid: SessionId, stored: unknown) => boolean): void {
    if (this.phase !== "failed") this.#table.visitRecords(visit);
  }

  sendAsleep(sid: SessionId, frames: readonly Frame[], isVolatile: boolean): boolean {
    return this.phase !== "failed" && this.#table.sendAsleep(sid, frames, isVolatile);
  }

  session(sid: SessionId): Session | undefined {
    return this.phase === "failed" ? undefined : this.#table.get(sid)?.session;
  }

  endedSession(sid: SessionId, handshakeData: unknown): Session {
    return this.#table.endedSession(sid, handshakeData);
  }

  nextAckBlock(nsp: string): number {
    const { kv } = this.#platform.ctx.storage;
    const key = ACKS + nsp;
    const first = kv.get<number>(key) ?? ACK_BLOCK;
    // Clients in other languages hold ids in 32 bits.
    kv.put(key, (first + ACK_BLOCK) % (2 ** 31 - ACK_BLOCK));
    return first;
  }

  openRecovery(windowMs: number, maxBytes: number): RecoveryStore {
    const { persists, ctx, ticker, log, identity } = this.#platform;
    const host = {
      now: () => this.now(),
      hasSession: (sid: SessionId) => this.#table.has(sid),
      isAnybodyKnown: () => !persists || identity.isKept,
      log,
      tickSoon: () => ticker.ensureBy(this.now()),
      willWrite: () => (persists ? this.#turns.willWrite() : this.#turns.endLater()),
    };
    const { observe } = this;
    const limits = { windowMs, maxBytes, quietMs: 2 * longestQuietMs(this.rules), observe };
    this.#platform.recovery ??= new RecoveryLog(persists ? ctx.storage.kv : new MemoryRows(), host, limits);
    return this.#platform.recovery;
  }
}
