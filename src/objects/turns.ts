import { descriptionOf } from "../engine/end-codes.ts";
import type { Session } from "../engine/session.ts";
import { runSafely } from "../shared/run-safely.ts";
import { SETTLED } from "../shared/settled.ts";
import { MOST_SHED, SHED_TO_SHARE } from "./constants.ts";
import type { Platform } from "./platform.ts";
import { StateTooLarge } from "./storage/session-store.ts";

/** Nothing is ever stored under this key. */
const NOTHING = "sio_nothing";

/** A session whose changes are saved at the end of a turn. */
interface Saved {
  readonly session: Session;
  /** Writes what has changed. @throws StateTooLarge */
  save(): void;
}

/** What else there is to do at the end of a turn. */
interface TurnHooks {
  /** Writes what does not belong to a session in memory. */
  flush(): void;
  /** Sees to it that a tick comes for a session that is closing. */
  ensureTick(session: Session): void;
  /** The session of an id, loaded if necessary. */
  find(sid: string): Session | undefined;
}

/**
 * The turns of the event loop. In one microtask at the end of a turn, whatever happened in it, waiting polls are
 * answered with what was sent, and what has changed is written.
 */
export class Turns {
  readonly #platform: Platform;
  readonly #hooks: TurnHooks;
  #changed = new Set<Saved>();
  #turn = 0;
  /** Frames and packets that this instance had stored when the last turn ended. */
  #writes = 0;
  readonly #end = () => this.end();
  #isEnding = false;
  /** Whether what is sent waits for what this turn writes. */
  #holdsOutput = false;

  constructor(platform: Platform, hooks: TurnHooks) {
    this.#platform = platform;
    this.#hooks = hooks;
  }

  /** The number of the current turn. */
  current(): number {
    this.endLater();
    return this.#turn;
  }

  /** Saves a session, and answers its waiting poll, at the end of this turn. */
  saveLater(session: Saved): void {
    this.#changed.add(session);
    this.endLater();
  }

  /**
   * Something will be written at the end of this turn, and what is sent from now on waits until that is stored. A
   * client must not be told of what a crash can undo, since the code that told it would run again. The runtime holds
   * only what is sent after a write, so this makes one that changes nothing: it costs no row.
   */
  willWrite(): void {
    this.endLater();
    if (this.#holdsOutput) return;
    this.#holdsOutput = true;
    try {
      this.#platform.ctx.storage.kv.delete(NOTHING);
    } catch {
      // Storage fails. What is written at the end of the turn fails as well, and says so.
    }
  }

  /** A session has ended: nothing of it is to be saved. */
  forget(session: Saved): void {
    this.#changed.delete(session);
  }

  /** Makes {@link end} run when the code at hand has finished. */
  endLater(): void {
    if (this.#isEnding) return;
    this.#platform.checkInstance("io, a socket or a session");
    this.#isEnding = true;
    SETTLED.then(this.#end);
  }

  end(): void {
    const willWrite = this.#holdsOutput;
    this.#isEnding = false;
    this.#holdsOutput = false;
    this.#turn++;
    this.#hooks.flush();
    this.#saveChanged();
    const { store, recovery, cluster } = this.#platform;
    const writes = store.rows.writes + (recovery?.writes ?? 0);
    cluster.settle(willWrite || writes > this.#writes);
    this.#writes = writes;
  }

  #saveChanged(): void {
    if (this.#changed.size === 0) return;
    const changed = this.#changed;
    this.#changed = new Set();
    const now = this.#platform.now();
    for (const item of changed) {
      const { session } = item;
      if (session.state.poll !== null) session.dispatch({ type: "flush", now });
      this.#save(item);
      if (session.readyState === "closing") this.#hooks.ensureTick(session);
    }
    if (this.#platform.store.rows.isOver(this.#platform.options.maxStoredBytes)) this.#shed();
  }

  #save(item: Saved): void {
    try {
      item.save();
    } catch (error) {
      const isTooLarge = error instanceof StateTooLarge;
      const code = isTooLarge ? "STATE_TOO_LARGE" : "SAVE_FAILED";
      const text = isTooLarge ? "holds more than a row can (2 MB)" : "could not be saved";
      this.#platform.log("error", `a session ${text} and is closed`, isTooLarge ? undefined : error);
      // Where storage fails its rows may not be removed either, and the sessions after it still have to be saved.
      runSafely(
        () => item.session.dispatch({ type: "transport-gone", code }),
        (again) => this.#platform.log("error", "a session could not be closed", again),
      );
    }
  }

  /**
   * Closes the sessions that take most on disk until there is some room again, so that not each row that follows brings
   * this about.
   */
  #shed(): void {
    const { store, options, log } = this.#platform;
    const goal = SHED_TO_SHARE * options.maxStoredBytes;
    log("warn", `sessions are closed: ${descriptionOf("STORED_BYTES")}`);
    for (const { owner } of store.rows.largest(MOST_SHED)) {
      if (store.rows.total() <= goal) return;
      const session = this.#hooks.find(owner);
      if (session === undefined) store.rows.drop(owner);
      else session.dispatch({ type: "transport-gone", code: "STORED_BYTES" });
    }
  }
}
