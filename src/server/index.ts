export { Adapter, type AdapterConstructor, type BroadcastOptions, type SocketDetails } from "./adapter.ts";
export { BroadcastOperator, RemoteSocket } from "./broadcast-operator.ts";
export type { Client } from "./client.ts";
export type { DefaultEventsMap, Event, EventsMap } from "./events.ts";
export type { Handshake } from "./handshake.ts";
export { Namespace } from "./namespace.ts";
export { type RecoveryOptions, resolveOptions, type ServerOptions, type SocketOptions } from "./options.ts";
export { ParentNamespace } from "./parent-namespace.ts";
export type { ParserOption } from "./parser.ts";
export type { RecoveryEntry, RecoveryRecord, RecoveryStore, ServerHost } from "./ports.ts";
export { Server } from "./server.ts";
export type { NamespaceMatcher } from "./server-types.ts";
export { snapshot } from "./snapshot.ts";
export { Socket } from "./socket.ts";
export type {
  BroadcastFlags,
  DisconnectReason,
  ExtendedError,
  HandshakeData,
  Room,
  ServerTypes,
  SocketId,
} from "./socket-types.ts";
