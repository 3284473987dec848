import { io as io48, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { io as io31 } from "socket.io-client-3.1";
import { io as io40 } from "socket.io-client-4.0";
import { io as io45 } from "socket.io-client-4.5";
import { io as small } from "../../src/client/index.ts";
import { within } from "./within.ts";

export type ClientOptions = Partial<ManagerOptions & SocketOptions>;
type Connect = (url: string, options: ClientOptions) => Socket;

/** The stock clients by version, and our small one. Old versions have the same methods for what we use. */
export const clients = {
  "3.1": io31 as unknown as Connect,
  "4.0": io40 as unknown as Connect,
  "4.5": io45 as unknown as Connect,
  "4.8": io48 as Connect,
  small: small as unknown as Connect,
} as const;
export type ClientVersion = keyof typeof clients;

/** The sets of transports of a client. "default" is what users write: no option at all. */
export const modes = {
  default: {},
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
} as const satisfies Record<string, { transports?: readonly string[] }>;
export type Mode = keyof typeof modes;

/** The options of a mode, in the mutable form that clients require. */
export function modeOptions(mode: Mode): ClientOptions {
  const { transports } = modes[mode] as { transports?: readonly string[] };
  return transports ? { transports: [...transports] } : {};
}

/** The arguments of the next event with this name. */
export function nextEvent<Args extends unknown[] = unknown[]>(
  socket: Socket,
  event: string,
  ms = 5_000,
): Promise<Args> {
  const came = new Promise<Args>((resolve) => {
    socket.once(event, ((...args: Args) => resolve(args)) as never);
  });
  return within(came, `event "${event}"`, ms);
}

/** Emits an event and waits for the acknowledgement, with clients of every version. */
export function ask<T = unknown>(socket: Socket, event: string, ...args: unknown[]): Promise<T> {
  const answered = new Promise<T>((resolve) => {
    socket.emit(event, ...args, (answer: T) => resolve(answer));
  });
  return within(answered, `answer to "${event}"`);
}

/** The name of the transport in use. */
export function transportOf(socket: Socket): string {
  return socket.io.engine.transport.name;
}

/** Resolves when a socket has connected; rejects with what the server said. */
export function connected(socket: Socket, ms = 5_000): Promise<void> {
  if (socket.connected) return Promise.resolve();
  const came = new Promise<void>((resolve, reject) => {
    socket.once("connect", () => resolve());
    socket.once("connect_error", reject);
  });
  return within(came, "connection", ms);
}

/** Resolves when the connection of this socket has moved to WebSocket. */
export function upgraded(socket: Socket, ms = 5_000): Promise<void> {
  if (transportOf(socket) === "websocket") return Promise.resolve();
  return within(
    new Promise<void>((resolve) => socket.io.engine.once("upgrade", () => resolve())),
    "upgrade",
    ms,
  );
}
