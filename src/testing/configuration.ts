import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { BundleOptions } from "./bundle.ts";
import { existingFile } from "./existing-file.ts";
import { loadTool } from "./optional.ts";
import type { ModuleRule, WorkerdModule, WorkerOptions, WranglerModule } from "./tools.ts";

/**
 * The Worker to be tested, and what it is given. One of `worker` and `config` is needed, or a wrangler file in the
 * working directory.
 */
export interface WorkerChoice {
  /**
   * The path of the Worker's main module, relative to the working directory. Without `config` its Durable Object
   * classes are found, and bound by their names: `SessionObject` as `SESSIONS`, and any other such as `ChatRoom` as
   * `CHAT_ROOM`.
   */
  worker?: string | URL;
  /** The path of a wrangler.toml, .json or .jsonc, which defines main module, bindings, variables, flags and assets. */
  config?: string | URL;
  /** One of the environments that the wrangler file describes. */
  environment?: string;
  /** Variables and secrets, added to those of the wrangler file. */
  vars?: Record<string, unknown>;
  /** Bindings of Durable Objects, name to class, added to the configured ones. */
  durableObjects?: Record<string, string>;
  /** @default what the wrangler file says, or the newest that the installed runtime knows */
  compatibilityDate?: string;
  /** @default what the wrangler file says, or `["enable_request_signal"]` */
  compatibilityFlags?: string[];
}

/** The configuration of a Worker, as far as it is known without running the Worker. */
export interface Configuration {
  readonly main: string;
  readonly bundling: BundleOptions;
  readonly options: WorkerOptions;
  readonly otherWorkers: readonly WorkerOptions[];
  /** The classes have yet to be found. */
  readonly isInferred: boolean;
}

const WRANGLER_FILES = ["wrangler.jsonc", "wrangler.json", "wrangler.toml"];

/** @throws Error when nothing says which Worker is meant, or what is named does not exist */
export function configure(choice: WorkerChoice): Configuration {
  const found = choice.worker === undefined ? findWranglerFile() : undefined;
  const config = choice.config === undefined ? found : existingFile(choice.config, "config");
  const base = config === undefined ? inferred() : fromWrangler(config, choice.environment);
  const main = choice.worker === undefined ? base.main : existingFile(choice.worker, "worker");
  if (main === undefined) {
    throw new Error(
      config === undefined
        ? 'startServer() needs a Worker: startServer({ worker: "src/worker.ts" }), or a wrangler file'
        : `${config} names no \`main\` module; add it, or pass \`worker\``,
    );
  }
  const options: WorkerOptions = {
    ...base.options,
    bindings: { ...base.options.bindings, ...choice.vars },
    durableObjects: { ...base.options.durableObjects, ...bound(choice.durableObjects) },
  };
  if (choice.compatibilityDate !== undefined) options.compatibilityDate = choice.compatibilityDate;
  if (choice.compatibilityFlags !== undefined) options.compatibilityFlags = choice.compatibilityFlags;
  return { ...base, main, options, isInferred: config === undefined };
}

function inferred(): Omit<Configuration, "main" | "isInferred"> & { main: undefined } {
  const { compatibilityDate } = loadTool<WorkerdModule>("workerd");
  const options = { compatibilityDate, compatibilityFlags: ["enable_request_signal"] };
  return { main: undefined, bundling: {}, options, otherWorkers: [] };
}

function fromWrangler(config: string, environment: string | undefined) {
  const wrangler = loadTool<WranglerModule>("wrangler");
  const { workerOptions, define, main, externalWorkers } = wrangler.unstable_getMiniflareWorkerOptions(
    config,
    environment,
  );
  const { alias, build } = wrangler.unstable_readConfig({ config, env: environment }, { hideWarnings: true });
  if (build?.command !== undefined) {
    console.warn(
      `socket.io-edge/testing does not run the build command of ${config}: run "${build.command}" before the tests`,
    );
  }
  // Modules are found by the kit, from the main one on, so wrangler's root folder is not needed.
  const { modulesRules: rules, rootPath: _, ...options } = workerOptions;
  return {
    main,
    bundling: { define, alias: alias ?? {}, root: dirname(config), rules: rules as ModuleRule[] },
    options,
    otherWorkers: externalWorkers,
  };
}

function bound(classes: Record<string, string> = {}): WorkerOptions["durableObjects"] {
  return Object.fromEntries(
    Object.entries(classes).map(([name, className]) => [name, { className, useSQLite: true }]),
  );
}

/** The binding of a class for which no configuration defines one. */
export function bindingFor(className: string): string {
  if (className === "SessionObject") return "SESSIONS";
  return className.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toUpperCase();
}

function findWranglerFile(): string | undefined {
  return WRANGLER_FILES.map((name) => join(process.cwd(), name)).find(existsSync);
}
