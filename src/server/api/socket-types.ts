import type { CloseReason } from "../../engine/state.ts";
import type { Untyped } from "../../shared/untyped.ts";

/** Why a socket's connection to its namespace ended, in the words of the official server. */
export type DisconnectReason =
  | CloseReason
  | "server shutting down"
  | "forced server close"
  | "client namespace disconnect"
  | "server namespace disconnect";

/** What a socket emits itself. */
export interface SocketReservedEvents {
  disconnecting: (reason: DisconnectReason, description?: Untyped) => void;
  disconnect: (reason: DisconnectReason, description?: Untyped) => void;
  error: (err: Error) => void;
}

/**
 * What the fifth type parameter of a server may say of its connections; what it leaves out is not typed.
 * @example
 * type Io = Server<ClientEvents, ServerEvents, DefaultEventsMap, SocketData, { handshake: { user: string } }>;
 */
export interface ServerTypes {
  /** What the option `handshakeData` gives, and `socket.handshake.data` holds. */
  handshake?: Untyped;
  /** What the server keeps for all of its sockets together. */
  data?: Untyped;
}

export type HandshakeData<Types extends ServerTypes> = Types extends { handshake: infer Data }
  ? Data
  : Untyped;

/** What `next` of a middleware takes: `data` reaches the client with the `connect_error`. */
export interface ExtendedError extends Error {
  data?: Untyped;
}

export type Room = string;
export type SocketId = string;

export interface BroadcastFlags {
  volatile?: boolean;
  compress?: boolean;
  local?: boolean;
  broadcast?: boolean;
  binary?: boolean;
  timeout?: number;
  /** The acknowledgement is one socket's: its answer stands alone. */
  expectSingleResponse?: boolean;
}
