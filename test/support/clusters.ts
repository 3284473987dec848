import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { appUrl, type TargetName } from "./app.ts";
import { bundle, startWorker } from "./edge.ts";
import { keysOf } from "./shard-keys.ts";
import { within } from "./within.ts";

/** Several servers that are one. */
export interface RunningCluster {
  /** Where, and with which query, a client reaches one of them. */
  readonly servers: readonly { readonly url: string; readonly query: Record<string, string> }[];
  /** Puts one of them to sleep, or ends it with its WebSockets. Does nothing on Node. */
  evict(webSockets: "hibernate" | "close", server: number): Promise<void>;
  close(): Promise<void>;
}

const index = fileURLToPath(new URL("../../src/index.ts", import.meta.url));

/** Runs test/fixtures/apps/cluster.ts: in three processes of Node, or over three objects. */
export function startCluster(target: TargetName, name = "cluster"): Promise<RunningCluster> {
  return target === "official" ? startOfficialCluster() : startEdgeCluster(name);
}

async function startOfficialCluster(): Promise<RunningCluster> {
  const script = fileURLToPath(new URL("../fixtures/official-cluster.ts", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const ports = await within(
    new Promise<number[]>((resolve) => {
      child.stdout.once("data", (line: Buffer) => resolve(JSON.parse(line.toString()) as number[]));
    }),
    "cluster of Node",
    20_000,
  );
  return {
    servers: ports.map((port) => ({ url: `http://127.0.0.1:${port}`, query: {} })),
    evict: async () => {},
    close: async () => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill();
      await gone;
    },
  };
}

async function startEdgeCluster(name: string): Promise<RunningCluster> {
  const count = 3;
  const contents = await bundle(`
import { defineServer } from ${JSON.stringify(index)};
import * as app from ${JSON.stringify(fileURLToPath(appUrl(name)))};
const server = defineServer({ shards: ${count}, shardBy: ({ _query }) => _query.key }, app.setup);
export class SessionObject extends server.SessionObject {}
export default server.app;
`);
  const running = await startWorker(contents, undefined, undefined, count);
  return {
    servers: keysOf(count).map((key) => ({ url: running.url, query: { key } })),
    evict: (webSockets, server) => running.evict(webSockets, server),
    close: () => running.close(),
  };
}
