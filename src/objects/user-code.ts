import type { Session } from "../engine/session.ts";
import { REPLAY_LIMIT_MS } from "../server/constants.ts";
import type { Host } from "../server/host.ts";
import { isThenable } from "../shared/event-emitter.ts";
import { inTime } from "../shared/timers.ts";
import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS, SETUP_LIMIT_MS } from "./constants.ts";
import type { ObjectDefinition } from "./definition.ts";
import { guardContext } from "./guarded-context.ts";
import { ObjectHost } from "./object-host.ts";
import type { Platform } from "./platform.ts";
import type { SessionTable } from "./sessions/session-table.ts";
import type { Turns } from "./turns.ts";

/** The setup function has failed, and nobody is served before it succeeds. */
export class SetupFailed extends Error {
  readonly retryAt: number;

  constructor(text: string, retryAt: number) {
    super(`socket.io-edge: ${text}`);
    this.retryAt = retryAt;
  }
}

/**
 * Runs the user's code in this instance of the object: the setup function, and the engine's `connection` listeners.
 *
 *   waiting ── an event needs it ──► running ── settled ──► done, for the life of the instance
 *      ▲                                └─ threw, rejected, or 15 s are over ──► failed
 *      └───────────── the next event after a pause of 1, 2, 4 ... 60 s ─────────────┘
 *
 * Nobody is served before it is done:
 *
 *   running: requests, emitter calls and `ready()` wait; messages of sessions wait as well
 *   failed:  handshakes get 503 and `Retry-After`, emitter calls and `ready()` reject, and a session that needs the
 *            user's code ends as if its transport had been lost: its client comes back by itself. Others hibernate on
 *
 * Each run has an `ObjectHost` of its own. In an object that an earlier instance has set up, setup runs muted.
 */
export class UserCode<Api> {
  readonly #platform: Platform;
  readonly #table: SessionTable;
  readonly #turns: Turns;
  readonly #definition: ObjectDefinition<Api>;
  readonly #env: Cloudflare.Env;
  #host: ObjectHost<Api>;
  #running: Promise<void> | undefined;
  #failure: SetupFailed | undefined;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(
    platform: Platform,
    table: SessionTable,
    turns: Turns,
    definition: ObjectDefinition<Api>,
    env: Cloudflare.Env,
  ) {
    this.#platform = platform;
    this.#table = table;
    this.#turns = turns;
    this.#definition = definition;
    this.#env = env;
    this.#host = this.#createHost();
  }

  /** The object as the current attempt sees it, or the next one. */
  get host(): ObjectHost<Api> {
    return this.#host;
  }

  /**
   * Runs the user's setup function once an instance; undefined when it has run. The promise rejects with `SetupFailed`.
   * @throws SetupFailed, or Error while the object does not know its name
   */
  ready(): void | Promise<void> {
    if (this.#host.phase === "done") return undefined;
    if (this.#running !== undefined) return this.#running;
    if (this.#failure !== undefined && this.#platform.now() < this.#failure.retryAt) throw this.#failure;
    return this.#begin(this.#host);
  }

  /**
   * Runs the `connection` listeners of the engine for a session that an earlier instance opened. When the setup
   * function fails, the session is abandoned.
   */
  resume(session: Session): void | Promise<void> {
    return this.#resume(session)?.catch(() => this.abandon(session));
  }

  /** Ends a session as if its transport had been lost, because the user's code is not there for it. */
  abandon(session: Session): void {
    session.abandon();
    // A client that had a socket on it may come back to that socket; if it does not, `disconnect` runs later.
    this.#platform.recovery?.lookAgain();
  }

  #createHost(): ObjectHost<Api> {
    const createServer = (host: Host) => this.#definition.createServer(host);
    return new ObjectHost(this.#platform, this.#table, this.#turns, this, createServer);
  }

  #resume(session: Session): void | Promise<void> {
    let ready: void | Promise<void>;
    try {
      ready = this.ready();
    } catch (error) {
      return Promise.reject(error);
    }
    if (ready !== undefined) return ready.then(() => this.#replayConnection(session));
    return this.#replayConnection(session);
  }

  #begin(host: ObjectHost<Api>): void | Promise<void> {
    this.#platform.checkInstance("this.io, this.engine or this.ready()");
    // An unknown name is no failure of the setup function, after which handshakes would be refused for a while.
    this.#platform.identity.require();
    let resolve!: () => void;
    let reject!: (failure: SetupFailed) => void;
    const promise = new Promise<void>((...settle) => {
      [resolve, reject] = settle;
    });
    const heard = promise.catch(() => {
      // The failure was logged, and those who wait are told.
    });
    this.#running = promise;
    host.phase = "running";
    let done: unknown;
    try {
      done = this.#run(host);
      if (!isThenable(done)) {
        this.#complete(host);
        resolve();
        return undefined;
      }
    } catch (error) {
      const failure = this.#fail(host, error);
      reject(failure);
      throw failure;
    }
    // A setup function that hangs would hold every request, and the object in memory.
    const hang = () => {
      throw new HasHung(`has not settled in ${SETUP_LIMIT_MS / 1_000} s`);
    };
    inTime(this.#platform.timers, SETUP_LIMIT_MS, done, hang)
      .then(() => this.#complete(host))
      .then(resolve, (error: unknown) => reject(this.#fail(host, error)));
    this.#platform.keepAwake(heard);
    return promise;
  }

  #run(host: ObjectHost<Api>): unknown {
    const { ctx, persists, identity } = this.#platform;
    // Where nothing is left of an earlier instance there is nothing that a second run could repeat.
    host.isFirstRun = !persists || !identity.isKept;
    const { api } = host;
    const context = { env: this.#env, ctx: guardContext(ctx), ...identity.require() };
    const run = () => this.#definition.setup(api, context);
    // A function that takes longer than its limit has failed, so it stays muted to the end.
    return host.isFirstRun ? run() : host.mute.run(run, SETUP_LIMIT_MS + 1_000);
  }

  #complete(host: ObjectHost<Api>): void {
    host.phase = "done";
    this.#running = undefined;
    this.#failure = undefined;
  }

  #fail(host: ObjectHost<Api>, error: unknown): SetupFailed {
    host.fail();
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    const isHung = error instanceof HasHung;
    const toText = (what: string) =>
      `this object serves nobody, since its setup function ${what}; it is tried again at the next event after ${pauseMs / 1_000} s`;
    this.#platform.log("error", toText(isHung ? error.message : "failed"), isHung ? undefined : error);
    const why = isHung ? error.message : `failed (${toMessage(error)})`;
    const failure = new SetupFailed(toText(why), this.#platform.now() + pauseMs);
    this.#failure = failure;
    this.#running = undefined;
    this.#host = this.#createHost();
    try {
      this.#table.renew();
    } catch (renewal) {
      // Caught, because those who wait have to be told of the failure.
      this.#platform.log("error", "sessions could not be loaded again", renewal);
    }
    return failure;
  }

  #replayConnection(session: Session): void | Promise<void> {
    const { engine, mute } = this.#host;
    const listeners = engine.listeners("connection");
    if (listeners.length === 0) return undefined;
    const done = mute.run(
      () => Promise.all(listeners.map(async (listener) => listener(session))),
      REPLAY_LIMIT_MS,
    );
    return Promise.resolve(done).then(
      () => undefined,
      (error: unknown) => this.#platform.log("error", 'a listener of "connection" failed', error),
    );
  }
}

class HasHung extends Error {}

/**
 * The message of whatever was thrown. Some objects cannot become a string, and some errors throw when they are read.
 */
function toMessage(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "what it threw has no message";
  }
}
