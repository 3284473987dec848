import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { freePort, type ServerProcess, startProcess } from "../../../bench/support/process.ts";
import { workerdBinary } from "../../../bench/support/servers.ts";
import { bundle } from "../../support/edge.ts";
import { type Address, http } from "../../support/http.ts";
import type { Counts, Facts } from "./control.ts";

/** The memory that an isolate may use in production, in MB. */
const HEAP_MB = 128;
/**
 * The memory that the process may use in addition to what it used before the attack: the 128 MB of an isolate, and as
 * much again for what the kernel and the runtime keep of connections. The figure from outside is larger than what
 * production would count.
 */
export const MOST_GROWTH = 256_000_000;

/**
 * The memory that the isolate may use after a garbage collection, with buffers: the budget of its objects, and the
 * memory for code, connections and current work.
 */
export const MOST_HEAP = 84_000_000;
/** The same for variants of applications with a quarter of the budget. */
export const MOST_HEAP_OF_SMALL = 32_000_000;

/**
 * Longer than anything is kept for a client that is gone: the window of recovery, timeouts, the wait for a last poll.
 */
const LONG_AFTER_MS = 400_000;
/** The most ticks that follow each other, since each does a bounded part of its work. */
const MOST_TICKS = 60;

/** The path of the second server in the same isolate. */
export const OTHER_PATH = "/other/";

const app = (name: string) => fileURLToPath(new URL(`../apps/${name}.ts`, import.meta.url));
const source = (path: string) => JSON.stringify(fileURLToPath(new URL(path, import.meta.url)));

/**
 * The Worker: an application of `test/red/apps` with one of its variants of options, and the back door. It serves the
 * application a second time under another path, from another class of objects in the same isolate.
 */
function entry(name: string, variant: string): string {
  return `
import { defineServer } from ${source("../../../src/index.ts")};
import { controlled, withControl } from ${source("./control.ts")};
import * as app from ${JSON.stringify(app(name))};
const options = app.variants[${JSON.stringify(variant)}];
const server = defineServer(options, app.setup);
const other = defineServer({ ...options, path: ${JSON.stringify(OTHER_PATH)}, bindings: { sessions: "OTHERS" } }, app.setup);
export class SessionObject extends controlled(server.SessionObject) {}
export class OtherObject extends controlled(other.SessionObject) {}
server.app.route("/", other.app);
export default withControl(server.app);
`;
}

/**
 * A server in plain workerd with a heap as small as in production; what would end the isolate there ends the process
 * here.
 */
export class Victim implements Address {
  readonly host = "127.0.0.1";
  readonly port: number;
  /** The output of the runtime and the Worker. */
  output = "";
  readonly #folder: string;
  readonly #inspectorPort: number;
  #process: ServerProcess | undefined;
  #isDown = false;
  #before = 0;
  #highest = 0;
  #watch: ReturnType<typeof setInterval> | undefined;

  private constructor(port: number, inspectorPort: number, folder: string) {
    this.port = port;
    this.#inspectorPort = inspectorPort;
    this.#folder = folder;
  }

  static async start(variant = "default", name = "believer", heapMb = HEAP_MB): Promise<Victim> {
    const folder = mkdtempSync(join(tmpdir(), "socket.io-edge-red-"));
    mkdirSync(join(folder, "data"));
    const victim = new Victim(await freePort(), await freePort(), folder);
    writeFileSync(join(folder, "worker.js"), await bundle(entry(name, variant)));
    writeFileSync(join(folder, "config.capnp"), toConfig(victim.port, heapMb));
    await victim.#run();
    return victim;
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  /** Whether the process has ended by itself. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /**
   * Ends the process as a crash does, and starts it again on the same disk; `meanwhile` receives the files of the
   * objects.
   */
  async restart(meanwhile?: (files: string[]) => void): Promise<void> {
    await this.#end();
    if (meanwhile !== undefined) {
      const names = readdirSync(this.#folder, { recursive: true, encoding: "utf8" });
      const isObject = (name: string) => /[0-9a-f]{64}\.sqlite$/.test(name);
      meanwhile(names.filter(isObject).map((name) => join(this.#folder, name)));
    }
    await this.#run();
  }

  /** Removes the object from memory: with its WebSockets open, or with all of them closed as a deploy does. */
  async evict(sockets: "hibernate" | "close"): Promise<void> {
    const reply = await http(this, `/red/evict?sockets=${sockets}`, { ms: 35_000 });
    // An object that is not in memory needs nothing.
    if (reply.status === 200 || /not currently running|not found|does not exist/i.test(reply.body)) return;
    throw new Error(`evict: ${reply.status} ${reply.body}`);
  }

  /** Runs the alarm, once. */
  async tick(): Promise<void> {
    await this.ask("tick");
  }

  /** Lets time pass, and runs ticks until none is due. */
  async settle(): Promise<void> {
    for (let i = 0; i < MOST_TICKS; i++) {
      await this.advance(LONG_AFTER_MS);
      await this.tick();
      if (i > 2 && (await this.facts()).alarm === null) return;
    }
  }

  /** Sets the clock of the isolate forward. */
  async advance(ms: number): Promise<void> {
    await this.ask(`advance?ms=${ms}`);
  }

  async facts(): Promise<Facts> {
    return (await this.ask("facts")) as Facts;
  }

  async counts(): Promise<Counts> {
    return (await this.ask("counts")) as Counts;
  }

  async ask(path: string, ms = 30_000): Promise<unknown> {
    const { status, body } = await http(this, `/red/${path}`, { ms });
    if (status !== 200) throw new Error(`/red/${path}: ${status} ${body} ${this.output.slice(-800)}`);
    return JSON.parse(body);
  }

  /** Begins to record the maximum of memory. */
  beginAttack(): void {
    this.#before = this.rss();
    this.#highest = this.#before;
  }

  /** The maximum of the process's memory in bytes, above what it had when the attack began. */
  get growth(): number {
    this.#look();
    return this.#highest - this.#before;
  }

  rss(): number {
    return this.#isDown ? 0 : (this.#process?.rssBytes() ?? 0);
  }

  /**
   * The memory of the isolate in bytes after a garbage collection: objects, and buffers, for which no heap limit
   * exists.
   */
  async heap(): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    // Buffers are freed a moment after their objects are gone.
    for (let i = 0; i < 4; i++) {
      const now = await this.#usedBytes();
      if (now > 0.95 * least) return Math.min(now, least);
      least = now;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return least;
  }

  async #usedBytes(): Promise<number> {
    await this.ask("gc");
    const targets = (await (await fetch(`http://127.0.0.1:${this.#inspectorPort}/json`)).json()) as {
      webSocketDebuggerUrl: string;
    }[];
    const socket = new WebSocket(targets.at(-1)!.webSocketDebuggerUrl);
    const answer = await new Promise<string>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (data) => resolve(String(data)));
      socket.on("open", () => socket.send(JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" })));
    });
    socket.terminate();
    const { result } = JSON.parse(answer) as { result: Record<string, number> };
    const { usedSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 } = result;
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #run(): Promise<void> {
    this.#isDown = false;
    const process = await startProcess(
      "the victim",
      this.port,
      workerdBinary(),
      [
        "serve",
        join(this.#folder, "config.capnp"),
        "--experimental",
        `--inspector-addr=127.0.0.1:${this.#inspectorPort}`,
        `--directory-path=disk=${join(this.#folder, "data")}`,
      ],
      (text) => (this.output += text),
    );
    this.#process = process;
    void process.exited.then(() => {
      if (this.#process === process) this.#isDown = true;
    });
    this.#watch = setInterval(() => this.#look(), 50);
    this.#watch.unref();
    this.beginAttack();
  }

  async #end(): Promise<void> {
    clearInterval(this.#watch);
    const process = this.#process;
    this.#process = undefined;
    await process?.stop();
  }

  #look(): void {
    try {
      this.#highest = Math.max(this.#highest, this.rss());
    } catch {
      // The process has ended between the two reads.
    }
  }
}

function toConfig(port: number, heapMb: number): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = ["--max-heap-size=${heapMb}", "--expose-gc"],
  services = [ (name = "main", worker = .worker), (name = "disk", disk = (writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ] );
const worker :Workerd.Worker = (
  modules = [ (name = "worker", esModule = embed "worker.js") ],
  compatibilityDate = "2026-10-23",
  compatibilityFlags = ["enable_request_signal", "unsafe_module"],
  bindings = [
    (name = "SESSIONS", durableObjectNamespace = "SessionObject"),
    (name = "OTHERS", durableObjectNamespace = "OtherObject") ],
  durableObjectNamespaces = [
    (className = "SessionObject", uniqueKey = "red", enableSql = true),
    (className = "OtherObject", uniqueKey = "other", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk") );
`;
}
