import type { EngineOptions } from "../../engine/options.ts";
import { requireNumber, withDefaults } from "../../shared/with-defaults.ts";
import type { DataTtl } from "../data/data-writer.ts";
import type { RecoveryOptions } from "../recovery/recovery-options.ts";
import type { AdapterConstructor } from "../rooms/adapter.ts";
import type { ParserOption } from "../sockets/parser.ts";

/** Options of the Socket.IO layer, with the names and defaults of the official server. */
export interface SocketOptions {
  /** The path that clients connect to. @default "/socket.io" */
  path?: string;
  /**
   * A class that extends `Adapter`, or a function that creates such an adapter: each namespace gets one of its own.
   * @default Adapter
   * @see https://socket.io/docs/v4/adapter/
   */
  adapter?: AdapterConstructor;
  /**
   * Another wire format, for example `socket.io-msgpack-parser`. Clients have to use the same.
   * @default the format of the Socket.IO protocol
   * @see https://socket.io/docs/v4/custom-parser/
   */
  parser?: ParserOption;
  /**
   * How long a client may stay connected without joining a namespace, in milliseconds. It is checked at each heartbeat.
   * @default 45000
   */
  connectTimeout?: number;
  /**
   * Gives clients that were away for a short time back their id, rooms and data, and the packets that they have missed.
   * @default undefined: every client that reconnects starts anew
   * @see https://socket.io/docs/v4/connection-state-recovery
   */
  connectionStateRecovery?: RecoveryOptions;
  /** Whether a child of a dynamic namespace is removed when its last socket has left. @default false */
  cleanupEmptyChildNamespaces?: boolean;
  /**
   * How many namespaces a client may be in at a time. When it asks for more it gets `connect_error`; after 10,000
   * refusals of any kind its connection is closed.
   * @default 100
   */
  maxNamespaces?: number;
  /**
   * How many characters the name of a namespace may have that a client asks for. A longer one is refused.
   * @default 256
   */
  maxNamespaceLength?: number;
  /**
   * How large the `auth` of a client may be, in bytes, about as large as its JSON. A larger one is refused, as is one
   * with more than 500 levels. It is stored with the socket.
   * @default 16384
   */
  maxAuthBytes?: number;
  /** How many rooms a socket may be in. Beyond that `join` throws. @default 10000 */
  maxRooms?: number;
  /**
   * How many acknowledgements your handlers may owe a socket at a time. A client that asks for more is disconnected
   * with the reason `transport error`.
   * @default 10000
   */
  maxOwedAcks?: number;
  /**
   * How much `io.data` and the data of all other namespaces may take on disk, bytes. What would exceed it is not saved,
   * which is logged, and to add another property or entry throws.
   * @default 10000000
   */
  maxDataBytes?: number;
  /**
   * How long properties of `io.data` and `nsp.data` stay after their last change, ms: all of them, or by name. In a Map
   * or plain object each entry expires by itself. What has expired is removed within a minute. Without it, data stays.
   * @example
   * defineServer({ dataTtl: { games: 24 * 60 * 60 * 1000 } }, setup);
   */
  dataTtl?: DataTtl;
  /**
   * How long an acknowledgement that does not arrive, or a handler that does not settle, keeps the object awake, in
   * milliseconds.
   * @default 60000
   */
  maxAwakeTime?: number;
}

/** Options of Engine.IO and of Socket.IO together. */
export interface ServerOptions extends EngineOptions, SocketOptions {}

export const DEFAULT_PATH = "/socket.io";

const DEFAULTS = {
  path: DEFAULT_PATH,
  connectTimeout: 45_000,
  maxNamespaces: 100,
  maxNamespaceLength: 256,
  maxAuthBytes: 16_384,
  maxRooms: 10_000,
  maxOwedAcks: 10_000,
  maxDataBytes: 10_000_000,
  maxAwakeTime: 60_000,
};

const RECOVERY_DEFAULTS: Required<RecoveryOptions> = {
  maxDisconnectionDuration: 120_000,
  skipMiddlewares: true,
  maxBytes: 50_000_000,
};

/** Options with their defaults. */
export type ResolvedOptions = ServerOptions &
  typeof DEFAULTS & { readonly recovery: Required<RecoveryOptions> | undefined };

/** @throws Error that names an option with a value that cannot be meant */
export function resolveOptions(options: ServerOptions): ResolvedOptions {
  const { connectionStateRecovery: recovery, dataTtl, connectTimeout } = options;
  const ttls = typeof dataTtl === "object" ? dataTtl : { "": dataTtl };
  for (const [name, ttl] of Object.entries(ttls ?? {})) {
    if (ttl != null) requireNumber(`dataTtl${name && ` of ${name}`}`, ttl, "data that never expires");
  }
  return {
    // As on Node, a connectTimeout of 0 means that it is not given.
    ...withDefaults(
      { ...options, connectTimeout: connectTimeout === 0 ? undefined : connectTimeout },
      DEFAULTS,
    ),
    recovery: recovery && withDefaults(recovery, RECOVERY_DEFAULTS),
  };
}
