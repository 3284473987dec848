import { longestQuietMs } from "../engine/heartbeat.ts";
import type { ObservedFact, Observer } from "../engine/observed.ts";
import { type ResolvedEngineOptions, toRules } from "../engine/options.ts";
import type { SessionRules } from "../engine/state.ts";
import { ByteBudget } from "../shared/byte-budget.ts";
import { runSafely } from "../shared/run-safely.ts";
import { Timers } from "../shared/timers.ts";
import { findAsyncContext } from "./async-context.ts";
import { ClusterLink } from "./cluster/cluster-link.ts";
import { Identity } from "./identity.ts";
import { createInstanceGuard, type InstanceGuard } from "./instance-guard.ts";
import type { Placement } from "./placement/placement.ts";
import type { RecoveryLog } from "./recovery/recovery-log.ts";
import { Ticker } from "./sessions/ticker.ts";
import { SessionStore } from "./storage/session-store.ts";
import { Tally } from "./tally.ts";

interface PlatformDefinition {
  readonly options: ResolvedEngineOptions;
  readonly needsHandshakeData: boolean;
  readonly placement: Placement;
  readonly observe: Observer<Cloudflare.Env> | undefined;
}

/** What an object has of its platform, for the parts of it: context, storage, alarm, timers, memory budget, log. */
export class Platform {
  readonly ctx: DurableObjectState;
  readonly options: ResolvedEngineOptions;
  readonly rules: SessionRules;
  /** `hibernation`: sessions are stored, and outlive the instance. */
  readonly persists: boolean;
  /** The option `handshakeData` is set: a session without its result may not exist. */
  readonly needsHandshakeData: boolean;
  readonly store: SessionStore;
  readonly budget: ByteBudget;
  readonly timers = new Timers(findAsyncContext()?.bind);
  readonly ticker: Ticker;
  readonly checkInstance: InstanceGuard;
  readonly identity: Identity;
  readonly cluster: ClusterLink;
  readonly tally: Tally;
  /** Tells the option `observe`; undefined without it. */
  readonly observe: ((fact: ObservedFact) => void) | undefined;
  /** The storage of connection state recovery, once a server has opened it. */
  recovery: RecoveryLog | undefined;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env, definition: PlatformDefinition) {
    const { options, needsHandshakeData, placement, observe } = definition;
    this.ctx = ctx;
    this.options = options;
    this.rules = toRules(options);
    this.persists = options.hibernation;
    this.needsHandshakeData = needsHandshakeData;
    this.tally = new Tally(ctx.storage, this.rules);
    this.store = new SessionStore(ctx);
    this.checkInstance = createInstanceGuard(ctx.id);
    this.identity = new Identity(ctx);
    this.observe =
      observe &&
      ((fact) => {
        const address = runSafely(
          () => this.identity.address,
          () => {
            // Storage has failed, and whoever needs it says so.
          },
        );
        observe({ ...fact, where: "object", time: this.now(), ...address }, env, (task) =>
          this.keepAwake(task),
        );
      });
    this.cluster = new ClusterLink(this, env, placement);
    const { maxHeldBytes: object, maxIsolateBytes: isolate } = options;
    const onOver = (why: string) => this.log("warn", `a session is closed: ${why}`);
    this.budget = new ByteBudget(ctx.id.toString(), { object, isolate }, onOver);
    const onAlarmError = (error: unknown) => this.log("error", "the alarm could not be set", error);
    this.ticker = new Ticker(ctx.storage, longestQuietMs(this.rules), onAlarmError);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("3", "6"));
  }

  now(): number {
    return Date.now();
  }

  /** Keeps the object in memory until the promise settles. A rejection is logged. */
  keepAwake(promise: Promise<unknown>): void {
    this.ctx.waitUntil(promise.catch((error: unknown) => this.log("error", "a task failed", error)));
  }

  readonly log = (level: "warn" | "error", message: string, error?: unknown): void => {
    const text = `socket.io-edge: ${message}`;
    if (error === undefined) console[level](text);
    else console[level](text, error);
    this.observe?.({ type: "error", level, message, error });
  };
}
