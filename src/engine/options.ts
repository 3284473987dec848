import { refuse, withDefaults } from "../shared/with-defaults.ts";
import { SHORTEST_SLEEP_MS } from "./constants.ts";
import type { EngineRequest } from "./request.ts";
import type { SessionRules, TransportName } from "./state.ts";

/** Options of Engine.IO, with the names and defaults of the official server. Times are in ms. */
export interface EngineOptions {
  /**
   * How often the server pings a client, ms: every 0.9 of it. From 10,001 on, the object may hibernate in between.
   * Clients are told the value, and take the connection for lost when no ping has come for it and `pingTimeout`
   * together.
   * @default 25000
   */
  pingInterval?: number;
  /**
   * How long a client may take to answer a ping, ms. After that its session ends with `ping timeout`.
   * @default 20000
   */
  pingTimeout?: number;
  /**
   * How long an upgrade to WebSocket may take, ms; more than 10,000 counts as 10,000. After that the WebSocket is
   * closed, and the session goes on polling.
   * @default 10000
   */
  upgradeTimeout?: number;
  /**
   * The largest POST body or WebSocket message that a client may send, bytes. A larger body is answered with 413, a
   * larger message closes the WebSocket with 1009; the session ends with `transport error`.
   * @default 1000000
   */
  maxHttpBufferSize?: number;
  /**
   * The transports that clients may use. A request for another one gets 400 and code 0.
   * @default ["polling", "websocket"]
   */
  transports?: readonly TransportName[];
  /** Whether the handshake offers the upgrade to WebSocket. @default true */
  allowUpgrades?: boolean;
  /** A message that every client gets right after the handshake. @default none */
  initialPacket?: string | Uint8Array;
  /**
   * Accepts clients of Socket.IO v2 (Engine.IO v3) too; otherwise they get 400 and code 5. As on Node, their
   * `socket.id` is the id of their session, which is a secret: do not show it to anybody else.
   * @default false
   */
  allowEIO3?: boolean;
  /**
   * Creates the random part of a session id: 1 to 128 letters, digits, `-` and `_` that nobody can guess. A client for
   * whom it throws, or returns anything else or an id that is in use, gets 400 and code 3.
   * @default 22 random letters (132 bits)
   */
  generateId?(request: EngineRequest): string | Promise<string>;
  /**
   * How many bytes may wait for a client that does not read. When more have waited for 5 s, its session is closed with
   * `transport error`.
   * @default 16000000
   */
  maxQueuedBytes?: number;
  /**
   * The largest headers of a handshake, including its URL, bytes: a session keeps them. A client with larger ones gets
   * 431, as on Node.
   * @default 16384
   */
  maxHeaderBytes?: number;
  /**
   * How many bytes the clients of one object may make it hold in memory, all together: packets that wait to be sent or
   * handled, headers, `auth`, and at least 4 kB for each session in memory. Beyond it the session that holds most is
   * closed with `transport error`. A new client gets 403 and "Too many bytes are held" when nine tenths are in use. The
   * default has room for about 10,000 sessions in memory at a time.
   * @default 56000000
   */
  maxHeldBytes?: number;
  /**
   * The same limit for all objects that share the memory of one isolate, bytes. Beyond it an object that holds more
   * than an equal share closes its own largest session.
   * @default 72000000
   */
  maxIsolateBytes?: number;
  /**
   * How many bytes the clients of one object may make it store, all together: packets that wait for polls, incomplete
   * packets, and rows of more than 32 kB. Beyond it the sessions that store most are closed with `transport error`.
   * What is stored for recovery has a limit of its own.
   * @default 500000000
   */
  maxStoredBytes?: number;
  /**
   * How many sessions one object accepts. A client beyond that gets 403 and "Too many sessions". The runtime's own
   * limit is 32,768 sockets, waiting polls included.
   * @default 30000
   */
  maxSessions?: number;
  /**
   * `false` keeps the object in memory while anybody is connected, for code that keeps its state in closures. Nothing
   * is stored then, and sessions end with the instance, as on Node.
   * @default true
   */
  hibernation?: boolean;
}

/** The options with their defaults. */
export type ResolvedEngineOptions = Readonly<
  Required<Omit<EngineOptions, "initialPacket" | "generateId">> &
    Pick<EngineOptions, "initialPacket" | "generateId">
>;

const DEFAULTS: ResolvedEngineOptions = {
  pingInterval: 25_000,
  pingTimeout: 20_000,
  upgradeTimeout: 10_000,
  maxHttpBufferSize: 1_000_000,
  transports: ["polling", "websocket"],
  allowUpgrades: true,
  allowEIO3: false,
  maxQueuedBytes: 16_000_000,
  maxHeaderBytes: 16_384,
  maxHeldBytes: 56_000_000,
  maxIsolateBytes: 72_000_000,
  maxStoredBytes: 500_000_000,
  maxSessions: 30_000,
  hibernation: true,
};

/** @throws Error that names an option with a value that cannot be meant */
export function resolveEngineOptions(options: EngineOptions): ResolvedEngineOptions {
  const resolved = withDefaults(options, DEFAULTS);
  const { transports } = resolved;
  if (!DEFAULTS.transports.some((known) => [transports].flat().includes(known))) {
    refuse("transports", transports, 'list with "polling" or "websocket"', "both");
  }
  // All objects of the isolate share them, and user code gets them as `engine.opts`.
  return Object.freeze(resolved);
}

export function toRules(options: ResolvedEngineOptions): SessionRules {
  return {
    pingInterval: options.pingInterval,
    pingTimeout: options.pingTimeout,
    coalescesPings: options.hibernation && options.pingInterval > SHORTEST_SLEEP_MS,
    maxQueuedBytes: options.maxQueuedBytes,
  };
}
