import type { Socket } from "socket.io-client";
import type { Emitter } from "../http/emitter.ts";
import { type ClientOptions, Clients } from "./clients.ts";
import { configure, type WorkerChoice } from "./configuration.ts";
import { remoteEmitter } from "./emitter.ts";
import type { StoredRow } from "./inside/protocol.ts";
import { NotIdle, type Prepared, prepare, Runtime } from "./runtime.ts";
import type { LogEntry } from "./tools.ts";

/** Options of `startServer`. */
export interface StartOptions extends WorkerChoice {
  /** The port on the loopback interface; 0 selects a free one. @default 0 */
  port?: number;
  /** How long `nap()` waits for work that is under way, in ms. @default 10000 */
  napTimeout?: number;
}

const NAP_TIMEOUT_MS = 10_000;
/** The prefix of messages from the part of the kit that runs in the Worker. */
const NOTE = "socket.io-edge/testing:";
/** So long a restart waits for what is under way, ms; then that ends with it. */
const GRACE_MS = 1_000;
const LOOK_AGAIN_MS = 10;
/** What the Worker logs takes another way than its answer, ms. */
const LONGEST_WAIT_FOR_LOG_MS = 500;

/** A Worker that runs on this machine for the time of a test. `startServer` creates it. */
export class TestServer {
  /** The origin without a trailing slash, for example `http://127.0.0.1:4000`. */
  readonly url: string;
  /** What the Worker has logged since the start, including warnings of the runtime. */
  readonly logs: readonly LogEntry[];
  /** Emits like the Worker's `emitter(env)`, from the test. */
  readonly emitter: Emitter;
  readonly #runtime: Runtime;
  readonly #clients: Clients;
  readonly #napTimeout: number;

  private constructor(runtime: Runtime, logs: readonly LogEntry[], napTimeout: number) {
    this.#runtime = runtime;
    this.#napTimeout = napTimeout;
    this.#clients = new Clients(runtime.url);
    this.url = runtime.url;
    this.logs = logs;
    this.emitter = remoteEmitter((chain) => runtime.ask({ type: "emit", chain }));
  }

  /** @internal */
  static async over(
    prepared: Prepared,
    { port = 0, napTimeout = NAP_TIMEOUT_MS }: Pick<StartOptions, "port" | "napTimeout">,
    onNote: (note: string) => void = () => {},
  ): Promise<TestServer> {
    const logs: LogEntry[] = [];
    const runtime = await Runtime.start(prepared, port, (entry) => {
      logs.push(entry);
      if (entry.message.startsWith(NOTE)) onNote(entry.message);
    });
    return new TestServer(runtime, logs, napTimeout);
  }

  /** @internal */
  get clients(): Clients {
    return this.#clients;
  }

  /**
   * Connects a stock client: the `socket.io-client` that is installed in your project. It keeps the events that it
   * receives until you listen. It reconnects quickly after a restart, and `stop()` closes it.
   * @throws what the server refuses it with, or an Error when `socket.io-client` is not installed
   * @example const ann = await server.client({ auth: { name: "ann" } });
   */
  async client(options: ClientOptions = {}): Promise<Socket> {
    try {
      return await this.#clients.connect(options);
    } catch (error) {
      throw await this.#explain(error as Error);
    }
  }

  /** Returns the emitter of the server with this name, for a Worker whose `defineServer` has the option `name`. */
  emitterFor(name: string): Emitter {
    return remoteEmitter((chain) => this.#runtime.ask({ type: "emit", chain, name }));
  }

  /**
   * Lets every object sleep and wake as it does in production: its WebSockets stay open, and everything in memory is
   * lost, including variables of the module. Before that it waits until everything that the clients of this server have
   * sent is handled, and until nothing is under way.
   * @throws Error when something keeps an object awake for longer than `napTimeout`, and names it
   */
  async nap(): Promise<void> {
    await this.#clients.settle();
    await this.#untilIdle(this.#napTimeout);
    await this.#runtime.nap(this.#napTimeout);
  }

  /**
   * A nap that keeps the module loaded, as the runtime's own does. @internal
   */
  async sleep(): Promise<void> {
    await this.#clients.settle();
    await this.#untilIdle(this.#napTimeout);
    await this.#runtime.sleep(this.#napTimeout);
  }

  /**
   * Ends every object and its WebSockets, and loads the module again, as a deploy does. Polling clients notice nothing,
   * and WebSocket clients lose their connection. When this resolves, the clients of this server are connected again,
   * unless they were created with `reconnection: false`.
   */
  async restart(): Promise<void> {
    await this.#clients.settle();
    const isIdle = await this.#untilIdle(GRACE_MS).then(
      () => true,
      () => false,
    );
    await this.#clients.reunite(() => this.#runtime.restart(isIdle));
  }

  /** Returns everything that the objects have stored, in `storage.kv` and in SQL tables. */
  async rows(): Promise<StoredRow[]> {
    const objects = await this.#runtime.look();
    const rows = objects.map((object) => this.#runtime.ask({ type: "rows", object }));
    return ((await Promise.all(rows)) as StoredRow[][]).flat();
  }

  /** Closes the clients, and the server. */
  async stop(): Promise<void> {
    this.#clients.close();
    await this.#runtime.dispose();
  }

  /** A server that fails tells its clients a status at most. The reason is in its log. */
  async #explain(error: Error): Promise<Error> {
    const { type } = (error.cause ?? error) as { type?: string };
    if (type !== "TransportError") return error;
    const until = Date.now() + LONGEST_WAIT_FOR_LOG_MS;
    const find = () => this.logs.findLast(({ level }) => level === "error");
    while (find() === undefined && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
    const [reason] = find()?.message.split("\n    at ") ?? [];
    if (reason === undefined) return error;
    return new Error(`${error.message}; the Worker logged: ${reason}`, { cause: error });
  }

  async #untilIdle(timeout: number): Promise<void> {
    const until = Date.now() + timeout;
    for (;;) {
      const busy = (await this.#runtime.look()).find(({ underWay }) => underWay.length > 0);
      if (busy === undefined) return;
      if (Date.now() > until) {
        const why = busy.underWay.join("; ");
        throw new NotIdle(
          `nap(): the object "${busy.name ?? busy.id}" did not become idle within ${timeout} ms: ${why}. ` +
            "In production it would stay awake, too, and be paid for.",
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }
}

/**
 * Runs a Worker on this machine, for tests in any runner on Node. The tools that it needs are installed together with
 * `wrangler`.
 * @throws Error with the cure, when a package is missing, an option cannot be meant, or the Worker cannot be bundled
 * @example
 * const server = await startServer({ worker: "src/worker.ts" });
 * const ann = await server.client();
 * await server.nap();
 * ann.emit("message", "hello");
 * await server.stop();
 */
export async function startServer(options: StartOptions = {}): Promise<TestServer> {
  requireWhole("port", options.port, 65_535);
  requireWhole("napTimeout", options.napTimeout, 2 ** 31 - 1);
  return TestServer.over(await prepare(configure(options)), options, (note) => console.warn(note));
}

function requireWhole(name: string, value: unknown, most: number): void {
  if (value === undefined || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most)) return;
  throw new Error(`startServer(): ${name} takes a whole number from 0 to ${most}, not ${value}`);
}
