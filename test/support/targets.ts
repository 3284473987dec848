import type { Running, TargetName } from "./app.ts";
import { startEdge } from "./edge.ts";
import { startOfficial } from "./official.ts";

/**
 * The servers of a suite: Socket.IO on Node first, because a test that fails there is wrong itself. `TARGETS=official`
 * or `TARGETS=edge` limits a run to one of them.
 */
export const targets = (process.env.TARGETS ?? "official,edge").split(",") as TargetName[];

/** Over how many objects this project spreads a server where a test does not say it: `SHARDS=3`. */
export const SHARDS = Number(process.env.SHARDS ?? 1);

/** Starts an application on a target; this project may spread it over several objects. */
export function start(
  target: TargetName,
  app: string,
  variant = "default",
  shards = SHARDS,
): Promise<Running> {
  return target === "official" ? startOfficial(app, variant) : startEdge(app, variant, shards);
}

/** The expectation for a target where this project differs from the official server; a comment beside it says why. */
export function expected<T>(target: TargetName, by: { official: T; edge: T }): T {
  return by[target];
}

/** The same server, whose object sleeps before each request that is not started by hand. */
export function drowsy(server: Running): Running & { rest(): Promise<void> } {
  return { ...server, rest: () => server.evict("hibernate") };
}
