import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TargetName } from "./app.ts";
import { startEdge } from "./edge.ts";
import { keysOf } from "./shard-keys.ts";
import { within } from "./within.ts";

/** Several servers that are one. */
export interface RunningCluster {
  /** Where, and with which query, a client reaches one of them. */
  readonly servers: readonly { readonly url: string; readonly query: Record<string, string> }[];
  /** Puts one of them to sleep, or ends it with its WebSockets. Does nothing on Node. */
  evict(webSockets: "hibernate" | "close", server: number): Promise<void>;
  /** Cuts one of them off from the others for a moment, as `Running` does. */
  cutOff?(server: number): Promise<{ broken: number; faultless: number }>;
  close(): Promise<void>;
}

/** Runs test/fixtures/apps/cluster.ts: in three processes of Node, or over three objects. */
export function startCluster(target: TargetName): Promise<RunningCluster> {
  return target === "official" ? startOfficialCluster() : startEdgeCluster("cluster", 3);
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

/** Runs an application over so many objects. */
export async function startEdgeCluster(name: string, count: number): Promise<RunningCluster> {
  const { url, evict, cutOff, close } = await startEdge(name, "default", count);
  return {
    servers: keysOf(count).map((key) => ({ url, query: { key } })),
    evict,
    ...(cutOff && { cutOff }),
    close,
  };
}
