import type { Session } from "../engine/session.ts";
import { isThenable } from "../shared/event-emitter.ts";
import type { Timer, Timers } from "../shared/timers.ts";
import { Attempt } from "./attempt.ts";
import { guardContext } from "./guarded-context.ts";
import type { ObjectRuntime } from "./object-runtime.ts";

/** A replayed listener that has not settled by then goes on unmuted, ms. */
const REPLAY_LIMIT_MS = 10_000;
/** A setup function that has not settled by then has failed, ms: stock clients wait 20 s for a handshake. */
const SETUP_LIMIT_MS = 15_000;
/** How long a setup function that has failed is left alone, ms: twice as long after each failure. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/** The setup function has failed, and nobody is served before it succeeds. */
export class SetupFailed extends Error {
  readonly retryAt: number;

  constructor(why: string, retryAt: number) {
    super(`socket.io-edge: this object serves nobody, since its setup function ${why}`);
    this.retryAt = retryAt;
  }
}

/**
 * The user's code in this instance of the object: its setup function, and the engine's `connection` listeners.
 *
 *   waiting ── an event needs it ──► running ── settled ──► done, for the life of the instance
 *      ▲                                └─ threw, rejected, or 15 s are over ──► failed
 *      └───────────── the next event after a pause of 1, 2, 4 ... 60 s ─────────────┘
 *
 * Nobody is served before it is done:
 *
 *   running: requests, emitter calls and `ready()` wait; messages of sessions are held
 *   failed:  handshakes get 503 and `Retry-After`, emitter calls and `ready()` reject, and a session that needs the
 *            user's code ends as one whose transport was lost: its client comes back by itself. Others sleep on
 *
 * Each try has an `Attempt` of its own. Whatever completed in an earlier instance already is run again muted.
 */
export class UserCode<Api> {
  readonly #runtime: ObjectRuntime<Api>;
  readonly #env: Cloudflare.Env;
  #attempt: Attempt<Api>;
  #running: Promise<void> | undefined;
  #failure: SetupFailed | undefined;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(runtime: ObjectRuntime<Api>, env: Cloudflare.Env) {
    this.#runtime = runtime;
    this.#env = env;
    this.#attempt = new Attempt(runtime);
  }

  /** The current attempt, or the next one. */
  get attempt(): Attempt<Api> {
    return this.#attempt;
  }

  /**
   * Runs the user's setup function once an instance; undefined when it has run. The promise rejects with `SetupFailed`.
   * @throws SetupFailed
   */
  ready(): void | Promise<void> {
    if (this.#attempt.phase === "done") return undefined;
    if (this.#running !== undefined) return this.#running;
    if (this.#failure !== undefined && this.#runtime.now() < this.#failure.retryAt) throw this.#failure;
    return this.#begin(this.#attempt);
  }

  /** Runs `connection` listeners of the engine for a session that another instance opened. Rejects with `SetupFailed`. */
  resume(session: Session): void | Promise<void> {
    let ready: void | Promise<void>;
    try {
      ready = this.ready();
    } catch (error) {
      return Promise.reject(error);
    }
    if (ready !== undefined) return ready.then(() => this.#replayConnection(session));
    return this.#replayConnection(session);
  }

  #begin(attempt: Attempt<Api>): void | Promise<void> {
    this.#runtime.guard.check("this.io, this.engine or this.ready()");
    let resolve!: () => void;
    let reject!: (failure: SetupFailed) => void;
    const promise = new Promise<void>((...settle) => {
      [resolve, reject] = settle;
    });
    const heard = promise.catch(() => {
      // Logged, and told to everybody who waits.
    });
    this.#running = promise;
    attempt.phase = "running";
    let done: unknown;
    try {
      done = this.#run(attempt);
      if (!isThenable(done)) {
        this.#complete(attempt);
        resolve();
        return undefined;
      }
    } catch (error) {
      const failure = this.#fail(attempt, error);
      reject(failure);
      throw failure;
    }
    atMost(Promise.resolve(done), SETUP_LIMIT_MS, this.#runtime.timers)
      .then(() => this.#complete(attempt))
      .then(resolve, (error: unknown) => reject(this.#fail(attempt, error)));
    this.#runtime.keepAwake(heard);
    return promise;
  }

  #run(attempt: Attempt<Api>): unknown {
    const { definition, ctx, persists, identity } = this.#runtime;
    // Where nothing is left of an earlier instance there is nothing that a second run could repeat.
    attempt.isFirstRun = !persists || !identity.isKept;
    const { api } = attempt;
    const context = { env: this.#env, ctx: guardContext(ctx), ...identity.require() };
    const run = () => definition.setup(api, context);
    // Muted to the end: whoever is late has failed.
    return attempt.isFirstRun ? run() : attempt.mute.run(run, SETUP_LIMIT_MS + 1_000);
  }

  #complete(attempt: Attempt<Api>): void {
    attempt.phase = "done";
    this.#running = undefined;
    this.#failure = undefined;
  }

  #fail(attempt: Attempt<Api>, error: unknown): SetupFailed {
    attempt.fail();
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    const next = `it is tried again at the next event after ${pauseMs / 1_000} s`;
    const isHung = error instanceof HasHung;
    const what = isHung ? `has not settled in ${SETUP_LIMIT_MS / 1_000} s` : "failed";
    const text = `the setup function ${what}: nobody is served until it succeeds, and ${next}`;
    this.#runtime.log("error", text, isHung ? undefined : error);
    const why = isHung ? what : `failed (${toMessage(error)})`;
    const failure = new SetupFailed(`${why}; ${next}`, this.#runtime.now() + pauseMs);
    this.#failure = failure;
    this.#running = undefined;
    this.#attempt = new Attempt(this.#runtime);
    try {
      this.#runtime.table.renew();
    } catch (renewal) {
      // Whatever it is: those who wait have to hear of the failure.
      this.#runtime.log("error", "sessions could not be loaded again", renewal);
    }
    return failure;
  }

  #replayConnection(session: Session): void | Promise<void> {
    const { engine, mute } = this.#attempt;
    const listeners = engine.listeners("connection");
    if (listeners.length === 0) return undefined;
    const done = mute.run(
      () => Promise.all(listeners.map(async (listener) => listener(session))),
      REPLAY_LIMIT_MS,
    );
    return Promise.resolve(done).then(
      () => undefined,
      (error: unknown) => this.#runtime.log("error", 'a listener of "connection" failed', error),
    );
  }
}

class HasHung extends Error {}

/** Of whatever was thrown: there are objects that no string can be made of, and errors that throw when asked. */
function toMessage(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "what it threw has no message";
  }
}

/** Every wait has an end: else what hangs would hold each request, and the object in memory. */
function atMost(settled: Promise<unknown>, limitMs: number, timers: Timers): Promise<unknown> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = timers.set(() => reject(new HasHung()), limitMs);
  });
  return Promise.race([settled, late]).finally(() => timers.clear(timer));
}
