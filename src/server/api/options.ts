import type { EngineOptions } from "../../engine/options.ts";
import { withDefaults } from "../../shared/with-defaults.ts";
import type { RecoveryOptions } from "../recovery/recovery-options.ts";
import type { AdapterConstructor } from "../rooms/adapter.ts";
import type { ParserOption } from "../sockets/parser.ts";

/** Options of the Socket.IO layer, with the names and defaults of the official server. */
export interface SocketOptions {
  /** The path clients connect to. @default "/socket.io" */
  path?: string;
  /** The class, or a factory, of every namespace's adapter. @default Adapter */
  adapter?: AdapterConstructor;
  /** Another wire format, for example `socket.io-msgpack-parser`; clients need the same. */
  parser?: ParserOption;
  /** How long a connection may go without joining a namespace, ms. @default 45000 */
  connectTimeout?: number;
  /** Gives clients that were away for a moment back their id, rooms, data and missed packets. */
  connectionStateRecovery?: RecoveryOptions;
  /** Forgets a child of a dynamic namespace when its last socket has left. @default false */
  cleanupEmptyChildNamespaces?: boolean;
  /**
   * Namespaces one connection may be in at a time; a CONNECT beyond is refused, and after 10,000 refusals of any kind the
   * connection is closed.
   * @default 100
   */
  maxNamespaces?: number;
  /** The longest name of a namespace that clients may ask for, in characters; a longer one is refused. @default 256 */
  maxNamespaceLength?: number;
  /**
   * The largest `auth` that clients may give, in bytes, about as its JSON; a larger one is refused, as is one of more than
   * 500 levels. It is kept as long as its socket is there.
   * @default 16384
   */
  maxAuthBytes?: number;
  /** Rooms one socket may be in; `join` throws beyond. @default 10000 */
  maxRooms?: number;
  /**
   * Acknowledgements that handlers may owe one socket at a time. Who asks for more is closed with `transport error`.
   * @default 10000
   */
  maxOwedAcks?: number;
  /** How long an unanswered acknowledgement, or code that awaits, keeps the object awake, ms. @default 60000 */
  maxAwakeTime?: number;
}

export interface ServerOptions extends EngineOptions, SocketOptions {}

const DEFAULTS = {
  connectTimeout: 45_000,
  maxNamespaces: 100,
  maxNamespaceLength: 256,
  maxAuthBytes: 16_384,
  maxRooms: 10_000,
  maxOwedAcks: 10_000,
  maxAwakeTime: 60_000,
};

const RECOVERY_DEFAULTS: Required<RecoveryOptions> = {
  maxDisconnectionDuration: 120_000,
  skipMiddlewares: true,
  maxBytes: 50_000_000,
};

export type ResolvedOptions = ServerOptions &
  typeof DEFAULTS & { readonly recovery: Required<RecoveryOptions> | undefined };

export function resolveOptions(options: ServerOptions): ResolvedOptions {
  const { connectionStateRecovery: recovery } = options;
  return {
    ...withDefaults(options, DEFAULTS),
    // As on Node, 0 is none.
    connectTimeout: options.connectTimeout || DEFAULTS.connectTimeout,
    recovery: recovery && withDefaults(recovery, RECOVERY_DEFAULTS),
  };
}
