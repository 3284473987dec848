import { randomUUID } from "node:crypto";
import { type Bundle, bundle } from "./bundle.ts";
import { bindingFor, type Configuration } from "./configuration.ts";
import { fromText, toText } from "./inside/plain-values.ts";
import { ABORT_REASON, type Command, type ObjectAddress, type ObjectReport } from "./inside/protocol.ts";
import { loadTool } from "./optional.ts";
import type { DurableObjectOptions, LogEntry, Miniflare, MiniflareModule, WorkerOptions } from "./tools.ts";
import { within } from "./within.ts";
import { ENTRYPOINT, probeModules, renewableModules } from "./worker-modules.ts";

/** Thrown when something keeps an object awake. */
export class NotIdle extends Error {}

const DEFAULT_NAME = "worker";
/** How long the runtime waits until it puts an object to sleep, plus a second, in ms. */
const HIBERNATION_MS = 11_000;
const LONGEST_HIBERNATION_MS = 60_000;

/** Passes each command on to the Worker that is tested. */
const CONTROL = "export default { fetch: (request, env) => env.WORKER.fetch(request) };";

/** A Worker that can be started, any number of times. */
export interface Prepared {
  readonly app: Bundle;
  readonly options: WorkerOptions;
  readonly otherWorkers: readonly WorkerOptions[];
}

/** Bundles a Worker, and finds its classes if no configuration names them. */
export async function prepare(configuration: Configuration): Promise<Prepared> {
  const { main, bundling, options, otherWorkers, isInferred } = configuration;
  const app = await bundle(main, bundling);
  if (!isInferred) return { app, options, otherWorkers };
  return { app, options: withClasses(options, await findClasses(options, app)), otherWorkers };
}

/** The Worker that is tested, in miniflare. */
export class Runtime {
  readonly url: string;
  readonly canEvict: boolean;
  readonly #miniflare: Miniflare;
  readonly #name: string;
  readonly #control: string;

  private constructor(miniflare: Miniflare, url: URL, name: string, control: string) {
    this.#miniflare = miniflare;
    this.#name = name;
    this.#control = control;
    this.url = url.origin;
    this.canEvict = miniflare.unsafeEvictDurableObject !== undefined;
  }

  static async start(
    { app, options, otherWorkers }: Prepared,
    port: number,
    onLog: (entry: LogEntry) => void,
  ): Promise<Runtime> {
    const name = String(options.name ?? DEFAULT_NAME);
    // The names that lead to the kit cannot be guessed: that of the Worker in between, and the header in front of an
    // object.
    const control = `control-${randomUUID()}`;
    const secret = `x-${randomUUID()}`;
    const modules = await renewableModules(app, classesOf(options), secret);
    const miniflare = await startMiniflare(
      [
        { ...options, name, modules },
        {
          name: control,
          modules: [{ type: "ESModule", path: "control.js", contents: CONTROL }],
          compatibilityDate: options.compatibilityDate,
          serviceBindings: { WORKER: { name, entrypoint: ENTRYPOINT } },
        },
        ...otherWorkers,
      ],
      port,
      onLog,
    );
    return new Runtime(miniflare, await miniflare.ready, name, control);
  }

  /** @throws Error with what the Worker says */
  async ask(command: Command): Promise<unknown> {
    const worker = await this.#miniflare.getWorker(this.#control);
    const response = await worker.fetch("http://control/", { method: "POST", body: toText(command) });
    const answer = fromText(await response.text()) as { result?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }

  async look(): Promise<ObjectReport[]> {
    return (await this.ask({ type: "look" })) as ObjectReport[];
  }

  /**
   * Loads the module again, and then puts all objects to sleep that run the previous copy, so that they wake with the
   * new one.
   */
  async nap(timeout: number): Promise<void> {
    await this.#evict(await this.#renew(), timeout);
  }

  /**
   * Loads the module again, and ends all objects that run the previous copy, together with what is under way in them
   * unless everything is idle.
   */
  async restart(isIdle: boolean): Promise<void> {
    const objects = await this.#renew();
    const end = (object: ObjectAddress) =>
      // An eviction waits until nothing is under way, which a deploy does not.
      isIdle && this.canEvict ? this.#evictOne(object, "close") : this.#abort(object);
    await Promise.all(objects.map(end));
  }

  /** Puts all objects to sleep, and keeps the module loaded. */
  async sleep(timeout: number): Promise<void> {
    await this.#evict(await this.look(), timeout);
  }

  dispose(): Promise<void> {
    return this.#miniflare.dispose();
  }

  async #renew(): Promise<ObjectAddress[]> {
    return (await this.ask({ type: "renew" })) as ObjectAddress[];
  }

  /** @throws NotIdle when the runtime waits for longer than `timeout`, ms, for something that the kit cannot see */
  async #evict(objects: readonly ObjectAddress[], timeout: number): Promise<void> {
    if (!this.canEvict) {
      await Promise.all(objects.map((object) => this.#waitForSleep(object)));
      return;
    }
    const evicted = Promise.all(objects.map((object) => this.#evictOne(object, "hibernate")));
    await within(evicted, "objects to become idle", timeout).catch((error: Error) => {
      const what = "a request, a timer, a fetch() or a WebSocket that the object has opened itself";
      throw new NotIdle(`${error.message}: something keeps one awake, such as ${what}`, { cause: error });
    });
  }

  async #evictOne({ className, id, name }: ObjectAddress, webSockets: "hibernate" | "close"): Promise<void> {
    const options = { ...(name === undefined ? { id } : { name }), webSockets };
    try {
      await this.#miniflare.unsafeEvictDurableObject?.(this.#name, className, options);
    } catch (error) {
      // An object that is not in memory needs nothing.
      if (!/not currently running|not found|does not exist/i.test(String(error))) throw error;
    }
  }

  async #abort(object: ObjectAddress): Promise<void> {
    await this.ask({ type: "abort", object }).catch((error: Error) => {
      if (!error.message.includes(ABORT_REASON)) throw error;
    });
  }

  /** Older versions of the runtime put objects to sleep only by themselves. */
  async #waitForSleep(object: ObjectAddress): Promise<void> {
    const until = Date.now() + LONGEST_HIBERNATION_MS;
    while (Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, HIBERNATION_MS));
      if (!(await this.ask({ type: "is-old", object }))) return;
    }
    throw new Error(
      "this miniflare cannot put an object to sleep, and the runtime has not done so within a minute; " +
        "wrangler 4.125 or newer, on Node 22 or newer, can",
    );
  }
}

function classesOf(options: WorkerOptions): Set<string> {
  const bound = Object.values(options.durableObjects ?? {})
    .map((binding): DurableObjectOptions => (typeof binding === "string" ? { className: binding } : binding))
    .filter(({ scriptName }) => scriptName === undefined || scriptName === options.name);
  const all = [...bound, ...(options.additionalUnboundDurableObjects ?? [])];
  return new Set(all.map(({ className }) => className));
}

/** The exported classes that are Durable Objects, which only the runtime can determine. */
async function findClasses(options: WorkerOptions, app: Bundle): Promise<string[]> {
  const { bindings, compatibilityDate, compatibilityFlags } = options;
  const worker = {
    name: "probe",
    modules: await probeModules(app),
    bindings,
    compatibilityDate,
    compatibilityFlags,
  };
  const miniflare = await startMiniflare([worker], 0, () => {});
  try {
    const response = await fetch(await miniflare.ready);
    const kinds = (await response.json()) as Record<string, string>;
    return Object.keys(kinds).filter((name) => kinds[name] === "DurableObject");
  } finally {
    await miniflare.dispose();
  }
}

function withClasses(options: WorkerOptions, classes: string[]): WorkerOptions {
  const given = classesOf(options);
  const found = classes
    .filter((className) => !given.has(className))
    .map((className) => [bindingFor(className), { className, useSQLite: true }] as const);
  return { ...options, durableObjects: { ...Object.fromEntries(found), ...options.durableObjects } };
}

async function startMiniflare(
  workers: object[],
  port: number,
  onLog: (entry: LogEntry) => void,
): Promise<Miniflare> {
  const { Miniflare, Log, LogLevel, convertV4MiniflareOptions } = loadTool<MiniflareModule>("miniflare");
  const options = {
    host: "127.0.0.1",
    port,
    log: new Log(LogLevel.NONE),
    handleStructuredLogs: ({ level, message }: LogEntry) => onLog({ level, message }),
    workers,
  };
  const miniflare = new Miniflare(convertV4MiniflareOptions?.(options) ?? options);
  try {
    await miniflare.ready;
    return miniflare;
  } catch (error) {
    await miniflare.dispose().catch(() => {
      // The Worker has not started.
    });
    const [, thrown] = /Uncaught ((?:[^"\\]|\\(?!n))*)/.exec(String(error)) ?? [];
    if (thrown === undefined) throw error;
    throw new Error(`the Worker throws while its modules are loaded: ${thrown}`, { cause: error });
  }
}
