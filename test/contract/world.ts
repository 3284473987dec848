import type { Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { Running, TargetName } from "../support/app.ts";
import { type ClientVersion, clients, connected, type Mode, modeOptions } from "../support/clients.ts";
import { Monitor } from "../support/monitor.ts";
import { start } from "../support/targets.ts";
import type { World } from "./behaviours.ts";

/** Starts the contract application for the suite in which it is called, and disconnects every client at the end. */
export function worldOf(target: TargetName, version: ClientVersion, mode: Mode, shards = 1): World {
  let server: Running;
  let monitor: Monitor;
  let sockets: Socket[] = [];
  beforeAll(async () => {
    server = await start(target, "contract", "default", shards);
    monitor = await Monitor.connect(server);
  });
  afterEach(() => {
    for (const socket of sockets) socket.io.engine ? socket.io.engine.close() : socket.disconnect();
    for (const socket of sockets) socket.disconnect();
    sockets = [];
  });
  afterAll(async () => {
    monitor?.close();
    await server?.close();
  });
  const world: World = {
    get server() {
      return server;
    },
    get monitor() {
      return monitor;
    },
    open(nsp = "/", options = {}) {
      const socket = clients[version](server.url + nsp, {
        forceNew: true,
        reconnection: false,
        ...modeOptions(mode),
        ...options,
      });
      sockets.push(socket);
      return socket;
    },
    async connect(nsp, options) {
      const socket = world.open(nsp, options);
      await connected(socket);
      return socket;
    },
  };
  return world;
}
