import { withDefaults } from "../shared/with-defaults.ts";
import type { EngineRequest } from "./request.ts";
import type { SessionRules, TransportName } from "./state.ts";

/** Options of the Engine.IO layer, with the names and defaults of the official server. */
export interface EngineOptions {
  /**
   * How often the server asks a client for a sign of life, ms. Pings go out at 0.9 of it.
   * From 10,001 on the object may sleep in between.
   * @default 25000
   */
  pingInterval?: number;
  /** How long a ping may stay unanswered, ms. @default 20000 */
  pingTimeout?: number;
  /** How long an upgrade may take, ms; at most 10,000 count. @default 10000 */
  upgradeTimeout?: number;
  /** The largest POST body or WebSocket message a client may send, bytes. @default 1000000 */
  maxHttpBufferSize?: number;
  /** @default ["polling", "websocket"] */
  transports?: readonly TransportName[];
  /** Whether the handshake offers the upgrade to WebSocket. @default true */
  allowUpgrades?: boolean;
  /** A message every client gets right after the handshake. */
  initialPacket?: string | Uint8Array;
  /**
   * Accepts clients of Socket.IO v2 (Engine.IO v3) too. As on Node, their `socket.id` is the id of their session, and so
   * a secret: show it to nobody.
   * @default false
   */
  allowEIO3?: boolean;
  /**
   * Makes the session id; it has to be unguessable and may hold letters, digits, `-` and `_`.
   * @default 16 random bytes
   */
  generateId?(request: EngineRequest): string | Promise<string>;
  /**
   * Bytes that may wait for a client that does not read. When more have waited for 5 s, its session is closed with
   * `transport error`.
   * @default 16000000
   */
  maxQueuedBytes?: number;
  /**
   * The largest headers of a handshake, its URL included, in bytes: they are kept as long as the session is there. Who
   * brings larger ones gets 431. As on Node.
   * @default 16384
   */
  maxHeaderBytes?: number;
  /**
   * Bytes that the clients of one object may make it hold in memory, all together: what waits for them, what they have
   * sent and is not dealt with yet, headers, `auth`, at least 4 kB for each connection that is awake. The connection that
   * takes most is closed with `transport error` when they become more; nine tenths are for newcomers, who get 403 beyond.
   * The default has room for about 10,000 connections that are awake at a time.
   * @default 56000000
   */
  maxHeldBytes?: number;
  /**
   * The same for all objects that share the memory of one isolate: one that holds more than its share gives way.
   * @default 72000000
   */
  maxIsolateBytes?: number;
  /**
   * Bytes that the clients of one object may make it keep on disk, all together: what waits for those that poll, halves of
   * packets, rows of more than 32 kB. The connection that takes most is closed with `transport error` when they become
   * more. What is kept for recovery has a bound of its own.
   * @default 500000000
   */
  maxStoredBytes?: number;
  /** Sessions one object takes; the runtime's own limit is 32,768 sockets, waiting polls included. @default 30000 */
  maxSessions?: number;
  /**
   * `false` keeps the object in memory while anybody is connected: for code that holds its state in closures.
   * Nothing is stored then, and sessions end with the instance, as on Node.
   * @default true
   */
  hibernation?: boolean;
}

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

/** An object that is woken more often than this cannot sleep in between: the runtime waits 10 s before it hibernates. */
const SHORTEST_SLEEP_MS = 10_000;

export function resolveEngineOptions(options: EngineOptions): ResolvedEngineOptions {
  // They belong to every object of the isolate, and user code gets hold of them as `engine.opts`.
  return Object.freeze(withDefaults(options, DEFAULTS));
}

export function toRules(options: ResolvedEngineOptions): SessionRules {
  return {
    pingInterval: options.pingInterval,
    pingTimeout: options.pingTimeout,
    sharesRhythm: options.hibernation && options.pingInterval > SHORTEST_SLEEP_MS,
    maxQueuedBytes: options.maxQueuedBytes,
  };
}
