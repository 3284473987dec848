// Constants of their own beside the table: a bundler puts the numbers where they are used and drops the names.
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
  /** Of an EVENT: asks for an acknowledgement. Of an ACK: the event it answers. */
  id?: number;
  /** How many binary messages follow; read only where a packet is already of a BINARY type. */
  attachments?: number;
}

/** Names with a meaning of their own on either side: nobody may send them as events. */
export const RESERVED_EVENTS: ReadonlySet<unknown> = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);
