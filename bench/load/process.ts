import type { WebSocket } from "ws";
import { Polls } from "./polls.ts";
import { closeAll, Sockets } from "./sockets.ts";
import { upgradeAll } from "./upgrades.ts";

/** The tasks that the parent process can request. */
const sockets = new Sockets();
const polls = new Polls();
/** The polling clients that were upgraded. */
const upgraded: WebSocket[] = [];

const tasks = {
  /** Does nothing; the answer shows that the process has started. */
  start: () => {},
  openSockets: (port: number, count: number, query?: string, path?: string, asBrowsers?: boolean) =>
    sockets.open(port, count, query, path, asBrowsers),
  echo: (each: number, window: number, count?: number) => sockets.echo(each, window, count),
  broadcast: (frame: string, times: number) => sockets.broadcast(frame, times),
  call: (frame: string, from: number, count: number) => sockets.call(frame, from, count),
  first: (frame: string, from: number, receivers: number) => sockets.first(frame, from, receivers),
  listen: () => sockets.listen(),
  closeSockets: () => sockets.close(),
  openPolls: (port: number, count: number) => polls.open(port, count),
  roundTrips: (each: number) => polls.roundTrips(each),
  queue: () => polls.queue(),
  upgrade: async () => {
    upgraded.push(...(await upgradeAll(polls)));
    return upgraded.length;
  },
  closeUpgraded: async () => {
    polls.close();
    await closeAll(upgraded.splice(0));
  },
  idle: () => polls.idle(),
  closePolls: () => polls.close(),
};

export type Tasks = typeof tasks;

export interface Answer {
  readonly id: number;
  readonly error?: string;
  readonly result?: unknown;
}

process.on("message", async ({ id, name, args }: { id: number; name: keyof Tasks; args: unknown[] }) => {
  try {
    const run = tasks[name] as (...args: unknown[]) => unknown;
    process.send?.({ id, result: await run(...args) } satisfies Answer);
  } catch (error) {
    process.send?.({
      id,
      error: error instanceof Error ? (error.stack ?? "") : String(error),
    } satisfies Answer);
  }
});
process.on("disconnect", () => process.exit());
