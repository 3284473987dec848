/** Packet types of the Socket.IO protocol, revision 5; the number is the digit on the wire. */
export const PacketType = {
  CONNECT: 0,
  DISCONNECT: 1,
  EVENT: 2,
  ACK: 3,
  CONNECT_ERROR: 4,
  BINARY_EVENT: 5,
  BINARY_ACK: 6,
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
