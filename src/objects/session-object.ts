import { DurableObject } from "cloudflare:workers";
import type { ObjectDefinition } from "./definition.ts";
import { guardContext } from "./guarded-context.ts";
import { ObjectRuntime } from "./object-runtime.ts";
import { returnPlainValues } from "./own-methods.ts";

/** What the object class adds to a Durable Object. */
export interface SessionObjectMembers {
  /**
   * The name of the server that this object belongs to: what the option `name` returned, "main" without it.
   * @throws Error in an object without sessions that was only reached by its id, since it does not know its name
   */
  readonly name: string;
  fetch(request: Request): Promise<Response>;
  alarm(info?: AlarmInvocationInfo): Promise<void>;
  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void;
  webSocketClose(socket: WebSocket, code: number, reason: string, wasClean: boolean): void;
  webSocketError(socket: WebSocket, error: unknown): void;
  /**
   * Runs the setup function if it has not run, and waits until it has completed. Await it in methods of your own before
   * you use `this.io` or `this.engine`. It rejects when the setup function fails.
   * @example
   * async announce(text: string) {
   *   await this.ready();
   *   this.io.emit("news", text);
   * }
   */
  ready(): Promise<void>;
  /**
   * Calls `onSchedule()` at `time` (ms since 1970, or a Date), also when the object hibernates until then. A second
   * call replaces the first; undefined cancels it. Use it in place of the object's alarm, which the heartbeat needs.
   * @throws RangeError when `time` is an invalid date
   */
  schedule(time: number | Date | undefined): void;
  /**
   * Called once when the time given to `schedule` has come; override it. The heartbeat goes on meanwhile. An error is
   * logged, and the method is not called again: if it may fail (`await this.ready()` may), schedule another time.
   */
  onSchedule(): void | Promise<void>;
}

/** The class that `defineServer` creates: extend it, and export the subclass from the main module. */
export type SessionObjectClass<Members> = new (
  ctx: DurableObjectState,
  env: Cloudflare.Env,
) => DurableObject<Cloudflare.Env> & SessionObjectMembers & Members;

/** The runtime of each object, kept outside so that a subclass has no members of the library. */
const runtimes = new WeakMap<object, ObjectRuntime<unknown>>();

/** The runtime of an object whose class `createSessionObject` has created. @throws Error for any other object */
export function runtimeOf(object: object): ObjectRuntime<unknown> {
  const runtime = runtimes.get(object);
  if (runtime === undefined) throw new Error("the class of this object was not created by socket.io-edge");
  return runtime;
}

export function createSessionObject<Api>(definition: ObjectDefinition<Api>): SessionObjectClass<unknown> {
  if (typeof definition.setup !== "function") {
    throw new Error("defineServer(options, setup) needs a setup function");
  }
  const seen = new WeakSet<object>();
  return class SessionObject extends DurableObject<Cloudflare.Env> implements SessionObjectMembers {
    constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
      super(ctx, env);
      requireSqlite(ctx);
      runtimes.set(this, new ObjectRuntime(ctx, env, definition) as ObjectRuntime<unknown>);
      this.ctx = guardContext(ctx as typeof this.ctx);
      returnPlainValues(new.target.prototype, SessionObject.prototype, seen, onSettled);
    }

    get name(): string {
      return runtimeOf(this).platform.identity.require().name;
    }

    override fetch(request: Request): Promise<Response> {
      return runtimeOf(this).requests.fetch(request);
    }

    override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
      runtimeOf(this).sockets.onMessage(socket, message);
    }

    override webSocketClose(socket: WebSocket, code: number, reason: string): void {
      runtimeOf(this).sockets.onClose(socket, code, reason);
    }

    override webSocketError(socket: WebSocket, error: unknown): void {
      runtimeOf(this).sockets.onError(socket, error);
    }

    override async alarm(info?: AlarmInvocationInfo): Promise<void> {
      const scheduled = (info as { scheduledTime?: number } | undefined)?.scheduledTime;
      const lateness = scheduled === undefined ? 0 : Math.max(0, Date.now() - scheduled);
      const runtime = runtimeOf(this);
      if (!runtime.onAlarm(lateness)) return;
      const { platform } = runtime;
      const run = async () => this.onSchedule();
      // Not awaited: no other alarm comes while this one is at work, and nobody would be pinged.
      platform.keepAwake(run().catch((error: unknown) => platform.log("error", "onSchedule failed", error)));
    }

    async ready(): Promise<void> {
      await runtimeOf(this).ready();
    }

    schedule(time: number | Date | undefined): void {
      // Stored, it would make the time of the next heartbeat invalid as well.
      if (time !== undefined && Number.isNaN(Number(time))) throw new RangeError("schedule() needs a time");
      const { identity, ticker } = runtimeOf(this).platform;
      // Stored, because the alarm does not tell the object its name.
      if (time !== undefined) identity.keep();
      ticker.schedule(time === undefined ? undefined : Number(time));
    }

    onSchedule(): void | Promise<void> {}

    /** For `socket.io-edge/testing`: whether a timer of the library keeps the object awake. */
    socketIoIsWaiting(): boolean {
      return runtimeOf(this).platform.timers.isWaiting;
    }
  };
}

function onSettled(object: object): void {
  runtimeOf(object).onSettled();
}

function requireSqlite({ storage }: DurableObjectState): void {
  try {
    // `sql` exists with the old storage too, and throws when it is used. This reads no row.
    void storage.sql.databaseSize;
  } catch {
    throw new Error(
      "socket.io-edge: the object needs SQLite storage; in wrangler.toml the migration has to say " +
        'new_sqlite_classes = ["SessionObject"] instead of new_classes (a class that has data needs a new name)',
    );
  }
}
