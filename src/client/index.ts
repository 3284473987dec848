import { Manager } from "./manager.ts";
import { Socket } from "./socket.ts";
import type { ConnectOptions, DefaultEventsMap } from "./types.ts";
import { toUrl } from "./url.ts";

const managers = new Map<string, Manager>();

/**
 * Connects to a namespace: the path of the address. Namespaces of one server share a connection.
 * @example
 * const socket = io("https://example.com/chat", { auth: { token } });
 */
export function io<Listen = DefaultEventsMap, Emit = Listen>(
  address?: string | URL | ConnectOptions,
  options?: ConnectOptions,
): Socket<Listen, Emit> {
  const isOptions = typeof address === "object" && !(address instanceof URL);
  const opts = { ...(isOptions ? address : options) };
  const url = toUrl(isOptions ? undefined : address);
  const nsp = decodeURI(url.pathname);
  const key = url.origin + opts.path;
  let manager = managers.get(key);
  const isAlone = opts.forceNew || opts.multiplex === false || manager?.nsps[nsp];
  if (isAlone || !manager) manager = new Manager(url, opts);
  if (!isAlone) managers.set(key, manager);
  return manager.socket(nsp, opts) as unknown as Socket<Listen, Emit>;
}
export { io as connect, io as default, Manager, Socket };
export const protocol = 5;
export type * from "./types.ts";
