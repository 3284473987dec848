import type { Session } from "../engine/session.ts";
import { isThenable } from "../shared/event-emitter.ts";
import { Mute } from "../shared/mute.ts";
import { findAsyncContext } from "./async-context.ts";
import { guardContext } from "./guarded-context.ts";
import type { ObjectRuntime } from "./object-runtime.ts";

/** A replayed listener that has not settled by then goes on unmuted, ms. */
const REPLAY_LIMIT_MS = 10_000;
/** A setup function that has not settled by then is no longer waited for, ms. */
const SETUP_LIMIT_MS = 30_000;
const META_KEY = "sio_meta";

/**
 * The user's code in this instance of the object: its setup function, and the engine's `connection` listeners.
 *
 *   waiting ── something needs it ──► running ──► done
 *
 * Whatever ran in an earlier instance already is run again muted.
 */
export class UserCode<Api> {
  readonly mute = new Mute(findAsyncContext());
  readonly #runtime: ObjectRuntime<Api>;
  readonly #env: Cloudflare.Env;
  #setup: "waiting" | "running" | "done" = "waiting";
  #setupDone: Promise<void> | undefined;
  #isFirstRun = false;

  constructor(runtime: ObjectRuntime<Api>, env: Cloudflare.Env) {
    this.#runtime = runtime;
    this.#env = env;
  }

  get isFirstRun(): boolean {
    return this.#isFirstRun;
  }

  get isSetUp(): boolean {
    return this.#setup === "done";
  }

  get setupDone(): Promise<void> | undefined {
    return this.#setupDone;
  }

  /** Runs the user's setup function once an instance; undefined when it has run. */
  ready(): void | Promise<void> {
    if (this.#setup === "done") return undefined;
    if (this.#setup === "running") return this.#setupDone;
    this.#setup = "running";
    const runtime = this.#runtime;
    // Without hibernation nothing of an earlier instance is left that a second run could repeat.
    this.#isFirstRun = !runtime.persists || this.#isFirst();
    const { api } = runtime.layer;
    const context = { env: this.#env, ctx: guardContext(runtime.ctx) };
    const run = () => runtime.definition.setup(api, context);
    let done: unknown;
    try {
      done = this.#isFirstRun ? run() : this.mute.run(run, REPLAY_LIMIT_MS);
    } catch (error) {
      runtime.log("error", "the setup function failed", error);
    }
    if (!isThenable(done)) {
      this.#setup = "done";
      return undefined;
    }
    const settled = Promise.resolve(done).catch((error: unknown) =>
      runtime.log("error", "the setup function failed", error),
    );
    this.#setupDone = this.#atMost(settled).then(() => {
      this.#setup = "done";
      this.#setupDone = undefined;
    });
    runtime.keepAwake(this.#setupDone);
    return this.#setupDone;
  }

  /** Every wait has an end: else a setup function that hangs would hold each request, and the object in memory. */
  #atMost(settled: Promise<unknown>): Promise<unknown> {
    let timer: Parameters<typeof clearTimeout>[0];
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#runtime.log("error", "the setup function has not settled in 30 s and is no longer waited for");
        resolve();
      }, SETUP_LIMIT_MS);
    });
    return Promise.race([settled, late]).finally(() => clearTimeout(timer));
  }

  /** Runs `connection` listeners of the engine for a session that another instance opened. */
  resume(session: Session): void | Promise<void> {
    const ready = this.ready();
    if (ready !== undefined) return ready.then(() => this.#replayConnection(session));
    return this.#replayConnection(session);
  }

  #replayConnection(session: Session): void | Promise<void> {
    const listeners = this.#runtime.engine.listeners("connection");
    if (listeners.length === 0) return undefined;
    const done = this.mute.run(
      () => Promise.all(listeners.map(async (listener) => listener(session))),
      REPLAY_LIMIT_MS,
    );
    return Promise.resolve(done).then(
      () => undefined,
      (error: unknown) => this.#runtime.log("error", 'a listener of "connection" failed', error),
    );
  }

  #isFirst(): boolean {
    const { storage, id } = this.#runtime.ctx;
    if (storage.kv.get(META_KEY) !== undefined) return false;
    storage.kv.put(META_KEY, { v: 1, name: id.name });
    return true;
  }
}
