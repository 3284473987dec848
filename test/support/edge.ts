import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { MAIN, toObjectName } from "../../src/objects/placement/object-name.ts";
import { type ShardsOption, toShardNames } from "../../src/objects/placement/shards.ts";
import { appUrl, type Running } from "./app.ts";
import { keysOf } from "./shard-keys.ts";

const WORKER = "edge";
const index = fileURLToPath(new URL("../../src/index.ts", import.meta.url));
const breakable = fileURLToPath(new URL("./breakable.ts", import.meta.url));

/** The Worker that a user would write around an application. */
function entry(name: string, variant: string): string {
  return `
import { defineServer } from ${JSON.stringify(index)};
import * as app from ${JSON.stringify(fileURLToPath(appUrl(name)))};
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
function shardedEntry(name: string, variant: string, shards: number): string {
  return `
import { defineServer } from ${JSON.stringify(index)};
import { breakable, withSwitch } from ${JSON.stringify(breakable)};
import * as app from ${JSON.stringify(fileURLToPath(appUrl(name)))};
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
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*", "workerd:*"],
    write: false,
    logLevel: "silent",
  });
  return result.outputFiles[0]!.text;
}

/** Runs an application on this project, in workerd, over several objects if a number of shards is given. */
export async function startEdge(name: string, variant = "default", shards = 1): Promise<Running> {
  const source = shards > 1 ? shardedEntry(name, variant, shards) : entry(name, variant);
  return startWorker(await bundle(source), undefined, undefined, shards);
}

type Configuration = Record<string, { className: string; useSQLite: boolean }>;

/** Runs a bundled Worker whose class `SessionObject` holds the sessions, unless its configuration says otherwise. */
export async function startWorker(
  contents: string,
  durableObjects: Configuration = { SESSIONS: { className: "SessionObject", useSQLite: true } },
  bindings: Record<string, string> = {},
  option: ShardsOption = 1,
): Promise<Running> {
  const shards = toShardNames(option);
  const complaints: string[] = [];
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({
      name: WORKER,
      host: "127.0.0.1",
      port: 0,
      log: new Log(LogLevel.NONE),
      modules: [{ type: "ESModule", path: "worker.js", contents }],
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
