import { createManager, type LooseManager, Manager } from "./manager.ts";
import { Socket } from "./socket.ts";
import type { ConnectOptions, DefaultEventsMap } from "./types.ts";
import { parseTarget } from "./url.ts";

const managers: Record<string, LooseManager | undefined> = {};

/**
 * Connects to a namespace: the path of the address. Namespaces of one server share a connection.
 * @example
 * const socket = io("https://example.com/chat", { auth: { token } });
 */
export function io<Listen = DefaultEventsMap, Emit = Listen>(
  address?: string | ConnectOptions,
  options?: ConnectOptions,
): Socket<Listen, Emit> {
  const [{ origin, pathname }, opts] = parseTarget(address, options);
  const nsp = decodeURI(pathname);
  const key = origin + opts.path;
  const isAlone = opts.forceNew || opts.multiplex === false || managers[key]?.nsps[nsp];
  const shelf = isAlone ? {} : managers;
  shelf[key] ??= createManager(origin, opts);
  return shelf[key].socket(nsp, opts) as unknown as Socket<Listen, Emit>;
}

/** Revision of the Socket.IO protocol. */
export const protocol = 5;

export type { Emitter, Engine } from "./api.ts";
export type * from "./types.ts";
export { io as connect, io as default, Manager, Socket };
