import { Manager } from "./manager.ts";
import { Socket } from "./socket.ts";
import type { ConnectOptions, DefaultEventsMap } from "./types.ts";
import { parseTarget } from "./url.ts";

/** The shared Managers by origin and path. */
const managers: Record<string, Manager> = {};

/**
 * Connects to a namespace, which is the path of the address. Namespaces of one server share a connection, unless
 * `forceNew` is true or `multiplex` is false.
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
  const manager = (!isAlone && managers[key]) || new Manager(origin, opts);
  if (!isAlone) managers[key] = manager;
  return manager.socket(nsp, opts) as unknown as Socket<Listen, Emit>;
}

/** The revision of the Socket.IO protocol that this client speaks. */
export const protocol = 5;

export type { Emitter } from "./emitter.ts";
export type { Engine } from "./engine.ts";
export type * from "./types.ts";
export { io as connect, io as default, Manager, Socket };
