import type { CloseReason } from "../../engine/end-codes.ts";
import type { Untyped } from "../../shared/untyped.ts";

/**
 * Why a socket was disconnected, in the words of the official server.
 * @see https://socket.io/docs/v4/server-socket-instance/#disconnect
 */
export type DisconnectReason =
  | CloseReason
  | "server shutting down"
  | "forced server close"
  | "client namespace disconnect"
  | "server namespace disconnect";

/**
 * The events that a socket emits itself. `description` is whatever is known of the cause: an Error, in most cases. It
 * is untyped, as on Node.
 */
export interface SocketReservedEvents {
  /** The socket is about to be disconnected. It is still in its rooms. */
  disconnecting: (reason: DisconnectReason, description?: Untyped) => void;
  /** The socket is disconnected, and in no room any more. */
  disconnect: (reason: DisconnectReason, description?: Untyped) => void;
  /** A middleware has refused an event of the client, or the client has sent an invalid packet. */
  error: (err: Error) => void;
}

/**
 * What the fifth type parameter of a server may say about it. What it leaves out is untyped.
 * @example
 * type Types = { handshake: { user: string }; data: { games: Map<string, Game> } };
 * type Io = Server<ClientEvents, ServerEvents, DefaultEventsMap, SocketData, Types>;
 */
export interface ServerTypes {
  /** What the option `handshakeData` returns, which is then `socket.handshake.data`. */
  handshake?: Untyped;
  /** What `io.data` holds, and the data of other namespaces. */
  data?: Untyped;
}

/** The type of `socket.handshake.data`. */
export type HandshakeData<Types extends ServerTypes> = Types extends { handshake: infer Data }
  ? Data
  : Untyped;

/** The type of `io.data`. */
export type SharedData<Types extends ServerTypes> = Types extends { data: infer Data } ? Data : Untyped;

/**
 * The error with which a middleware refuses a client.
 * @example
 * next(Object.assign(new Error("not allowed"), { data: { retryAfter: 60 } }));
 */
export interface ExtendedError extends Error {
  /** Whatever the client is to get with `connect_error`. */
  data?: Untyped;
}

/** The name of a room. */
export type Room = string;
/** The id of a socket: see `Socket.id`. */
export type SocketId = string;

/** How an event is sent. An adapter gets these with each broadcast. */
export interface BroadcastFlags {
  /** The event is dropped for clients to which it cannot be sent at once. */
  volatile?: boolean;
  /** Has no effect. */
  compress?: boolean;
  /** The event is for sockets of this object only. */
  local?: boolean;
  /** Has no effect. */
  broadcast?: boolean;
  /** Has no effect. */
  binary?: boolean;
  /** How long acknowledgements may take, in milliseconds. */
  timeout?: number;
  /** The event is for one socket, so that the callback gets its answer alone and not in an array. */
  expectSingleResponse?: boolean;
}
