// These are constants of their own, because a bundler replaces constants by their numbers, but not the members of a
// table.
export const CONNECT = 0;
export const DISCONNECT = 1;
export const EVENT = 2;
export const ACK = 3;
export const CONNECT_ERROR = 4;
export const BINARY_EVENT = 5;
export const BINARY_ACK = 6;

/** Packet types of the Socket.IO protocol, revision 5; the number is the digit on the wire. */
export const PacketType = {
  CONNECT,
  DISCONNECT,
  EVENT,
  ACK,
  CONNECT_ERROR,
  BINARY_EVENT,
  BINARY_ACK,
} as const;

export type PacketType = (typeof PacketType)[keyof typeof PacketType];

/** One Socket.IO packet. */
export interface SocketPacket {
  type: PacketType;
  /** Namespace, `/` for the main one. */
  nsp: string;
  data?: unknown;
  /** In an EVENT, asks for an acknowledgement with this id. In an ACK, the id of the event that it answers. */
  id?: number;
  /** How many binary messages follow. The encoder reads it only for packets that already have a BINARY type. */
  attachments?: number;
}

/** Names that have a meaning of their own in the client or the server, so that they cannot be sent as events. */
export const RESERVED_EVENTS: ReadonlySet<unknown> = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);
