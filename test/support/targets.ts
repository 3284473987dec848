import type { Running, TargetName } from "./app.ts";
import { startEdge } from "./edge.ts";
import { startOfficial } from "./official.ts";

/**
 * The servers a suite runs over: Socket.IO on Node first, since a test that fails there judges nobody.
 * `TARGETS=official` or `TARGETS=edge` limits a run to one of them.
 */
export const targets = (process.env.TARGETS ?? "official,edge").split(",") as TargetName[];

/** Starts an application on a target; this project's may be spread over several objects. */
export function start(target: TargetName, app: string, variant = "default", shards = 1): Promise<Running> {
  return target === "official" ? startOfficial(app, variant) : startEdge(app, variant, shards);
}

/** What a target is expected to do where the project decided otherwise than the original; say why beside it. */
export function expected<T>(target: TargetName, by: { official: T; edge: T }): T {
  return by[target];
}

/** The same server, whose object sleeps before each request that is not started by hand. */
export function drowsy(server: Running): Running & { rest(): Promise<void> } {
  return { ...server, rest: () => server.evict("hibernate") };
}
