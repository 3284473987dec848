/**
 * The parts of miniflare, esbuild and wrangler that the kit uses. With the tools' own types, these would become part of
 * this package.
 */

export interface LogEntry {
  /** `"log"`, `"info"`, `"debug"`, `"warn"` or `"error"`. */
  readonly level: string;
  readonly message: string;
}

interface Fetcher {
  fetch(url: string, init?: { method?: string; body?: string }): Promise<{ text(): Promise<string> }>;
}

export interface Miniflare {
  readonly ready: Promise<URL>;
  getWorker(name: string): Promise<Fetcher>;
  /** Exists since wrangler 4.111, and puts an object to sleep whose WebSockets are open since 4.125 at the latest. */
  unsafeEvictDurableObject?(
    worker: string,
    className: string,
    options: ({ id: string } | { name: string }) & { webSockets: "hibernate" | "close" },
  ): Promise<void>;
  dispose(): Promise<void>;
}

export interface MiniflareModule {
  Miniflare: new (options: object) => Miniflare;
  Log: new (level: number) => object;
  LogLevel: { NONE: number };
  /** Converts options in the form of miniflare 4. Exists since miniflare 5, whose options have another form. */
  convertV4MiniflareOptions?(options: object): object;
}

/** A Worker as miniflare 4 describes it, which is also what wrangler returns. */
export interface WorkerOptions {
  [option: string]: unknown;
  compatibilityDate?: string;
  compatibilityFlags?: string[];
  bindings?: Record<string, unknown>;
  durableObjects?: Record<string, DurableObjectOptions | string>;
  additionalUnboundDurableObjects?: DurableObjectOptions[];
}

export interface DurableObjectOptions {
  className: string;
  scriptName?: string;
  useSQLite?: boolean;
}

/** A rule of a wrangler file that says of which type imported files are. */
export interface ModuleRule {
  readonly type: string;
  readonly include: readonly string[];
  readonly fallthrough?: boolean;
}

export interface WranglerModule {
  unstable_readConfig(
    args: { config: string; env?: string | undefined },
    options?: { hideWarnings?: boolean },
  ): { alias?: Record<string, string>; build?: { command?: string } };
  unstable_getMiniflareWorkerOptions(
    configPath: string,
    environment?: string,
  ): {
    workerOptions: WorkerOptions;
    define: Record<string, string>;
    main?: string;
    externalWorkers: WorkerOptions[];
  };
}

export interface WorkerdModule {
  /** The newest date that the runtime accepts without a warning. */
  compatibilityDate: string;
}

interface Import {
  path: string;
  kind: string;
  external?: boolean;
}

interface ResolveArgs {
  path: string;
  kind: string;
  resolveDir: string;
  pluginData?: unknown;
}

interface ResolveResult {
  path: string;
  external?: boolean;
  errors?: unknown[];
}

export interface PluginBuild {
  onResolve(
    options: { filter: RegExp },
    callback: (args: ResolveArgs) => Promise<ResolveResult | undefined> | ResolveResult | undefined,
  ): void;
  resolve(path: string, options: object): Promise<ResolveResult>;
}

export interface EsbuildModule {
  build(options: object): Promise<{
    outputFiles: { text: string }[];
    metafile: {
      inputs: Record<string, unknown>;
      outputs: Record<string, { imports: Import[]; exports: string[] }>;
    };
  }>;
}
