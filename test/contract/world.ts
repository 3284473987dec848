import type { Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { Running, TargetName } from "../support/app.ts";
import {
  ask,
  type ClientVersion,
  clients,
  connected,
  type Mode,
  modeOptions,
  transportOf,
  upgraded,
} from "../support/clients.ts";
import { Monitor } from "../support/monitor.ts";
import { keysOf } from "../support/shard-keys.ts";
import { SHARDS, start } from "../support/targets.ts";
import { within } from "../support/within.ts";
import type { World } from "./behaviours.ts";

/** What happens to one of the objects before each question of a client, and after each connection. */
export type WorldInterruption = "none" | "asleep" | "restarted" | "cut off";

interface WorldOptions {
  /** The number of objects; each client is on the next one. */
  readonly shards?: number;
  readonly interruption?: WorldInterruption;
}

/** Starts the contract application for the suite in which it is called, and disconnects every client at the end. */
export function worldOf(
  target: TargetName,
  version: ClientVersion,
  mode: Mode,
  { shards = SHARDS, interruption = "none" }: WorldOptions = {},
): World {
  // Clients with a WebSocket lose it when their object restarts, and recovery brings everything back.
  const isRecovering = interruption === "restarted" && mode !== "polling";
  const keys = keysOf(shards);
  const shardOf = new Map<Socket, number>();
  let server: Running;
  let monitor: Monitor;
  let turn = 0;
  beforeAll(async () => {
    const variant = interruption === "restarted" ? "recovery" : "default";
    server = await start(target, "contract", variant, shards);
    monitor = await Monitor.connect(server, { reconnection: interruption === "restarted", key: keys[0]! });
  });
  afterEach(() => {
    for (const socket of shardOf.keys()) socket.io.engine ? socket.io.engine.close() : socket.disconnect();
    for (const socket of shardOf.keys()) socket.disconnect();
    shardOf.clear();
  });
  afterAll(async () => {
    monitor?.close();
    await server?.close();
  });

  /** Interrupts an object when everything that clients have sent is done, since a WebSocket takes that with it. */
  async function interruptOne(): Promise<void> {
    const all = [...shardOf.keys()].filter((socket) => socket.connected);
    for (const socket of all) await settled(socket);
    const shard = turn++ % shards;
    if (interruption === "asleep") await server.evict("hibernate", shard);
    else if (interruption === "cut off") await server.cutOff?.(shard);
    else await restart(shard, all);
  }

  async function settled(socket: Socket): Promise<void> {
    if (mode === "default") await upgraded(socket);
    const { nsp } = socket as unknown as { nsp: string };
    if (nsp !== "/admin") await ask(socket, "echo", "settled");
  }

  async function restart(shard: number, all: readonly Socket[]): Promise<void> {
    const affected = all.filter((it) => shardOf.get(it) === shard && transportOf(it) === "websocket");
    if (shard === 0) affected.push(monitor.socket);
    const lost = affected.map((socket) =>
      within(new Promise((resolve) => socket.once("disconnect", resolve)), "loss of a connection"),
    );
    await server.evict("close", shard);
    await Promise.all(lost);
    for (const socket of affected) {
      await connected(socket);
      if (!socket.recovered) throw new Error("a client was not recovered");
      if (mode === "default" && socket !== monitor.socket) await upgraded(socket);
    }
  }

  /** Questions that are asked together are one step. */
  let interrupting: Promise<void> | undefined;
  function interrupt(): Promise<void> {
    if (interruption === "none") return Promise.resolve();
    interrupting ??= interruptOne().finally(() => {
      interrupting = undefined;
    });
    return interrupting;
  }

  const world: World = {
    get server() {
      return server;
    },
    get monitor() {
      return monitor;
    },
    open(nsp = "/", options = {}) {
      const shard = (shardOf.size + 1) % shards;
      const socket = clients[version](server.url + nsp, {
        forceNew: true,
        reconnection: isRecovering,
        reconnectionDelay: 10,
        ...modeOptions(mode),
        ...options,
        query: { key: keys[shard], ...options.query },
      });
      shardOf.set(socket, shard);
      return socket;
    },
    async connect(nsp, options) {
      const socket = world.open(nsp, options);
      await connected(socket);
      await interrupt();
      return socket;
    },
    async ask(socket, event, ...args) {
      await interrupt();
      return ask(socket, event, ...args);
    },
  };
  return world;
}
