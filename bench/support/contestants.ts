import { Load } from "../load/client.ts";
import type { ServerProcess } from "./process.ts";
import { startNode, startWorkerd } from "./servers.ts";

/** A server that takes part in a comparison. */
export interface Entrant {
  readonly name: string;
  /** The path at which its WebSockets are opened. */
  readonly path: string;
  /** Whether it answers polls as well as WebSockets. */
  readonly polls: boolean;
  start(compression: boolean): Promise<ServerProcess>;
}

/** A running server, and the process that generates its load. */
export interface Contestant extends Entrant {
  readonly server: ServerProcess;
  readonly load: Load;
}

export const BARE = "bare object";
/** The control a second time, which shows how much two identical contestants differ. */
export const AGAIN = "bare again";
export const OURS = "ours";
export const PARTYSERVER = "PartyServer";
/** An older commit of this project. */
export const BASE = "base";

const PATH = "/socket.io/";

/**
 * The contestants: the control twice, ours, an older commit of ours if a checkout of it is given, and the peers. `only`
 * limits them to the given ones and the control.
 */
export function entrants({ checkout, only }: { checkout?: string; only?: readonly string[] }): Entrant[] {
  const worker = (name: string, file: string, options: Partial<Entrant> & { checkout?: string } = {}) => ({
    path: PATH,
    polls: false,
    ...options,
    name,
    start: (compression: boolean) =>
      startWorkerd(file, { name, compression, ...(options.checkout && { checkout: options.checkout }) }),
  });
  const all: Entrant[] = [
    worker(BARE, "control", { polls: true }),
    worker(OURS, "ours", { polls: true }),
    ...(checkout === undefined ? [] : [worker(BASE, "ours", { polls: true, checkout })]),
    worker(AGAIN, "control", { polls: true }),
    worker(PARTYSERVER, "partyserver", { path: "/parties/sessions/main" }),
    worker("Hono + object", "hono"),
    worker("crossws", "crossws"),
    { name: "Socket.IO on Node", path: PATH, polls: true, start: startNode },
  ];
  if (only === undefined) return all;
  return all.filter(({ name }) => name === BARE || name === AGAIN || only.includes(name));
}

/** Starts a server and its load generator. */
export async function enter(entrant: Entrant, compression: boolean): Promise<Contestant> {
  const server = await entrant.start(compression);
  return { ...entrant, server, load: new Load() };
}

export async function leave({ server, load }: Contestant): Promise<void> {
  load.stop();
  await server.stop();
}

/** Starts all contestants, each with a load generator of its own, and stops them when `run` has ended. */
export async function withAll<T>(
  all: readonly Entrant[],
  compression: boolean,
  run: (contestants: readonly Contestant[]) => Promise<T>,
): Promise<T> {
  const started: Contestant[] = [];
  try {
    for (const entrant of all) started.push(await enter(entrant, compression));
    return await run(started);
  } finally {
    await Promise.all(started.map(leave));
  }
}
