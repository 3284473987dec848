import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { inject } from "vitest";
import { MAIN, toObjectName } from "../../src/objects/placement/object-name.ts";
import { type ShardsOption, toShardNames } from "../../src/objects/placement/shards.ts";
import type { Running } from "./app.ts";
import { forWorkers } from "./prebundle.ts";
import { keysOf } from "./shard-keys.ts";

const WORKER = "edge";

/** The Worker that a user would write around an application, which is the module `app.js`. */
function entry(variant: string): string {
  return `
import { defineServer } from "./library.js";
import * as app from "./app.js";
const chosen = app.variants?.[${JSON.stringify(variant)}];
const server = defineServer({ ...chosen?.shared, ...chosen?.edge }, app.setup);
export class SessionObject extends server.SessionObject {}
export default server.app;
`;
}

/**
 * The same over several shards, which can be cut off. A client that names no shard by a key gets the one after that of
 * the client before it. The Worker reopens a broken poll after a random time of up to a second, so that a restarting
 * object is not flooded; a hundredth of that is enough for few clients.
 */
function shardedEntry(variant: string, shards: number): string {
  return `
import { defineServer } from "./library.js";
import { breakable, withSwitch } from "./breakable.js";
import * as app from "./app.js";
const { random } = Math;
Math.random = () => random() / 100;
const chosen = app.variants?.[${JSON.stringify(variant)}];
const keys = ${JSON.stringify(keysOf(shards))};
let next = 0;
const shardBy = ({ _query }) => _query.key ?? keys[next++ % keys.length];
const server = defineServer({ ...chosen?.shared, ...chosen?.edge, shards: ${shards}, shardBy }, app.setup);
export class SessionObject extends breakable(server.SessionObject) {}
export default withSwitch(server.app);
`;
}

/** Bundles a Worker's source as wrangler does. */
export async function bundle(contents: string): Promise<string> {
  const result = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "ts" },
    ...forWorkers,
    write: false,
  });
  return result.outputFiles[0]!.text;
}

/** Runs an application on this project, in workerd, over several objects if a number of shards is given. */
export async function startEdge(name: string, variant = "default", shards = 1): Promise<Running> {
  const read = (file: string) => readFile(join(inject("bundles"), file), "utf8");
  const modules: Record<string, string> = {
    "worker.js": shards > 1 ? shardedEntry(variant, shards) : entry(variant),
    "library.js": await read("library.js"),
    "app.js": await read(`apps/${name}.js`),
  };
  if (shards > 1) modules["breakable.js"] = await read("breakable.js");
  return startWorker(modules, undefined, undefined, shards);
}

type Configuration = Record<string, { className: string; useSQLite: boolean }>;

/**
 * Runs a Worker whose class `SessionObject` holds the sessions, unless its configuration says otherwise: one bundle, or
 * the sources of its modules by name, the main one first.
 */
export async function startWorker(
  source: string | Record<string, string>,
  durableObjects: Configuration = { SESSIONS: { className: "SessionObject", useSQLite: true } },
  bindings: Record<string, string> = {},
  option: ShardsOption = 1,
): Promise<Running> {
  const shards = toShardNames(option);
  const modules = typeof source === "string" ? { "worker.js": source } : source;
  const complaints: string[] = [];
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({
      name: WORKER,
      host: "127.0.0.1",
      port: 0,
      log: new Log(LogLevel.NONE),
      modules: Object.entries(modules).map(([path, contents]) => ({ type: "ESModule", path, contents })),
      compatibilityDate: "2026-10-23",
      compatibilityFlags: ["enable_request_signal"],
      durableObjects,
      bindings,
    }),
    handleStructuredLogs: ({ level, message }) => {
      if (level === "warn" || level === "error") complaints.push(`${level}: ${message}`);
    },
  });
  const ready = await miniflare.ready;
  return {
    target: "edge",
    url: ready.origin,
    host: ready.hostname,
    port: Number(ready.port),
    complaints,
    evict: async (webSockets, only) => {
      for (const [i, shard] of shards.entries()) {
        if (only !== undefined && only !== i) continue;
        const name = toObjectName({ name: MAIN, shard });
        try {
          await miniflare.unsafeEvictDurableObject(WORKER, "SessionObject", { name, webSockets });
        } catch (error) {
          // An object that is not in memory needs nothing.
          if (!/not currently running|not found|does not exist/i.test(String(error))) throw error;
        }
      }
    },
    cutOff: async (shard) => {
      const response = await fetch(new URL(`/cut-off?shard=${shard}&of=${shards.length}`, ready));
      return (await response.json()) as { broken: number; faultless: number };
    },
    close: () => miniflare.dispose(),
  };
}
