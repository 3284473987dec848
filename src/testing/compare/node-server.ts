import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Server, ServerOptions } from "socket.io";
import { existingFile } from "../existing-file.ts";
import { loadPackage, loadTool, requireFrom } from "../optional.ts";
import type { EsbuildModule } from "../tools.ts";

/**
 * A function that gets `io`, a `Server` of `socket.io`; its parameter may also be declared as that of `socket.io-edge`.
 */
export type NodeSetup = (io: never) => unknown;

/** An app for Socket.IO on Node. */
export interface NodeApp {
  /** @default {} */
  options?: Partial<ServerOptions>;
  /** The function that gets `io`, or the path of a module whose default export it is. */
  setup: NodeSetup | string | URL;
}

interface SocketIoPackage {
  Server: new (server: object, options: Partial<ServerOptions>) => Server;
}

/** Runs an app on Socket.IO for Node, on a free port of the loopback interface. */
export async function startOnNode(app: NodeApp): Promise<{ url: string; close(): Promise<void> }> {
  const { Server } = await loadPackage<SocketIoPackage>("socket.io");
  const http = createServer();
  const io = new Server(http, { ...app.options });
  const { setup } = app;
  await (typeof setup === "function" ? setup : await loadSetup(setup))(io as never);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => io.close() };
}

/**
 * Returns a new copy of the function in a module, so that each has its own variables.
 * @throws Error when the module exports none
 */
async function loadSetup(path: string | URL): Promise<NodeSetup> {
  const file = existingFile(path, "node");
  const { build } = loadTool<EsbuildModule>("esbuild");
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    metafile: true,
    format: "cjs",
    platform: "node",
    packages: "external",
    logLevel: "silent",
  });
  const module: { exports: { default?: unknown } } = { exports: {} };
  const load = new Function("module", "exports", "require", outputFiles[0]?.text ?? "");
  load(module, module.exports, requireFrom(file));
  const { default: setup } = module.exports;
  if (typeof setup !== "function") {
    throw new Error(`${file} has to export the function that gets \`io\`: export default (io) => { ... }`);
  }
  return setup as NodeSetup;
}
