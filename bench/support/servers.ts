import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { freePort, type ServerProcess, startProcess } from "./process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface WorkerdOptions {
  /** What the server is called in tables and errors. @default the Worker's name */
  readonly name?: string;
  /** Whether clients that offer compression get it. @default false */
  readonly compression?: boolean;
  /** Another checkout of this repository, whose Worker and sources run instead of ours. */
  readonly checkout?: string;
  /** Flags of workerd. */
  readonly flags?: readonly string[];
  readonly v8Flags?: readonly string[];
}

/** Runs a Worker of `bench/workers` in workerd itself, without a development proxy in front. */
export async function startWorkerd(worker: string, options: WorkerdOptions = {}): Promise<ServerProcess> {
  const { name = worker, checkout = root, flags = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), "socket.io-edge-bench-"));
  const port = await freePort();
  mkdirSync(join(folder, "data"));
  await build({
    entryPoints: [resolve(checkout, "bench/workers", `${worker}.ts`)],
    outfile: join(folder, "worker.js"),
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    nodePaths: [join(root, "node_modules")],
    logLevel: "error",
  });
  writeFileSync(join(folder, "config.capnp"), toConfig(port, options));
  const server = await startProcess(name, port, workerdBinary(), [
    "serve",
    join(folder, "config.capnp"),
    `--directory-path=disk=${join(folder, "data")}`,
    ...flags,
  ]);
  return {
    ...server,
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs the same application on Socket.IO for Node. */
export async function startNode(compression: boolean): Promise<ServerProcess> {
  const port = await freePort();
  const args = [join(root, "bench/workers/node.ts"), String(port), compression ? "compress" : ""];
  return startProcess("node", port, process.execPath, args);
}

/** The same workerd that wrangler and miniflare run. */
export function workerdBinary(): string {
  const fromMiniflare = createRequire(createRequire(import.meta.url).resolve("miniflare"));
  return (fromMiniflare("workerd") as { default: string }).default;
}

function toConfig(port: number, { v8Flags = [], compression = false }: WorkerdOptions): string {
  const compatibilityFlags = ["enable_request_signal", ...(compression ? [] : ["no_web_socket_compression"])];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = ${JSON.stringify(v8Flags)},
  services = [ (name = "main", worker = .worker), (name = "disk", disk = (writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ] );
const worker :Workerd.Worker = (
  modules = [ (name = "worker", esModule = embed "worker.js") ],
  compatibilityDate = "2026-10-23",
  compatibilityFlags = ${JSON.stringify(compatibilityFlags)},
  bindings = [ (name = "SESSIONS", durableObjectNamespace = "SessionObject") ],
  durableObjectNamespaces = [ (className = "SessionObject", uniqueKey = "bench", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk") );
`;
}
