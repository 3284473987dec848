import type { ObjectAddress, StoredRow } from "./protocol.ts";
import type { TimerWatch } from "./timer-watch.ts";

type Handler = (this: object, ...args: unknown[]) => unknown;

/** The methods that the runtime calls when something happens to an object. */
const HANDLERS = ["fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"] as const;

/** The part of a `SessionObject` that shows whether a timer of the library is pending. */
interface SessionObjectLike {
  socketIoIsWaiting?(): boolean;
}

/** An instance of a Durable Object, and the number of things that it is doing. */
export class LiveObject {
  readonly className: string;
  readonly ctx: DurableObjectState;
  /** The copy of the module that created it. */
  readonly generation: number;
  instance: object | undefined;
  /** The kit has ended it, as a restart does. */
  isEnded = false;
  readonly #timerWatch: TimerWatch;
  readonly #timers = new Set<unknown>();
  #events = 0;
  #promises = 0;

  constructor(className: string, ctx: DurableObjectState, generation: number, timerWatch: TimerWatch) {
    this.className = className;
    this.ctx = ctx;
    this.generation = generation;
    this.#timerWatch = timerWatch;
    const waitUntil = ctx.waitUntil.bind(ctx);
    const count = (promise: Promise<unknown>) => {
      this.#promises++;
      waitUntil(promise);
      const done = () => void this.#promises--;
      promise.then(done, done);
    };
    Object.defineProperty(ctx, "waitUntil", { value: count, configurable: true, writable: true });
  }

  get id(): string {
    return this.ctx.id.toString();
  }

  get address(): ObjectAddress {
    return { className: this.className, id: this.id, name: this.ctx.id.name };
  }

  get label(): string {
    return this.ctx.id.name ?? this.id;
  }

  /** The reasons for which the runtime would not let it sleep now, as far as they are known from inside. */
  get underWay(): string[] {
    const reasons: string[] = [];
    if ((this.instance as SessionObjectLike | undefined)?.socketIoIsWaiting?.()) {
      reasons.push(
        "an acknowledgement, an upgrade or half a packet is awaited, or `hibernation: false` is set",
      );
    } else if (this.#timers.size > 0) reasons.push("a timer is pending (setTimeout, setInterval)");
    if (this.#events > 0) reasons.push("a request or a message is being handled");
    if (this.#promises > 0) reasons.push("a handler, or a promise given to waitUntil, has not settled");
    return reasons;
  }

  /** Counts what the instance is handling, and answers the kit's own requests in its place. */
  watch(instance: object, onCommand: (request: Request) => Promise<Response> | undefined): void {
    this.instance = instance;
    const handlers = instance as Record<string, Handler | undefined>;
    for (const name of HANDLERS) {
      const handler = handlers[name];
      if (handler === undefined && name !== "fetch") continue;
      const value = (...args: unknown[]): unknown => {
        const answer = name === "fetch" ? onCommand(args[0] as Request) : undefined;
        if (answer !== undefined) return answer;
        if (handler === undefined) throw new Error(`the class ${this.className} has no fetch()`);
        return this.#count(() => handler.apply(instance, args));
      };
      Object.defineProperty(instance, name, { value, configurable: true, writable: true });
    }
  }

  /** Runs code of the object, so that the timers that it sets are attributed to it. */
  run<R>(code: () => R): R {
    return this.#timerWatch.run(this.#timers, code);
  }

  #count(run: () => unknown): unknown {
    this.#events++;
    const done = () => void this.#events--;
    try {
      const result = this.run(run);
      if (!(result instanceof Promise)) {
        done();
        return result;
      }
      result.then(done, done);
      return result;
    } catch (error) {
      done();
      throw error;
    }
  }

  /** Returns everything that it has stored. Runs in the object's own context. */
  rows(): StoredRow[] {
    const { storage } = this.ctx;
    const rows: StoredRow[] = [];
    for (const [key, value] of storage.kv.list()) rows.push({ object: this.label, table: "kv", key, value });
    const tables = storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .toArray()
      .filter(({ name }) => !name.startsWith("_cf_") && !name.startsWith("sqlite_"));
    for (const { name } of tables) {
      const found = storage.sql.exec(`SELECT * FROM "${name.replaceAll('"', '""')}"`).toArray();
      for (const value of found) rows.push({ object: this.label, table: name, value });
    }
    return rows;
  }
}
