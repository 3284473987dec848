export { BroadcastOperator, RemoteSocket } from "./api/broadcast-operator.ts";
export type { DefaultEventsMap, Event, EventsMap } from "./api/events.ts";
export { Namespace } from "./api/namespace.ts";
export {
  resolveOptions,
  type ServerOptions,
  type SocketOptions,
} from "./api/options.ts";
export { ParentNamespace } from "./api/parent-namespace.ts";
export { Server } from "./api/server.ts";
export type { NamespaceMatcher } from "./api/server-types.ts";
export { snapshot } from "./api/snapshot.ts";
export { Socket } from "./api/socket.ts";
export type {
  BroadcastFlags,
  DisconnectReason,
  ExtendedError,
  HandshakeData,
  Room,
  ServerTypes,
  SocketId,
} from "./api/socket-types.ts";
export type { Host } from "./host.ts";
export type { RecoveredSession } from "./recovery/recovery.ts";
export type { RecoveryOptions } from "./recovery/recovery-options.ts";
export type { RecoveryEntry, RecoveryRecord, RecoveryStore } from "./recovery/recovery-store.ts";
export {
  Adapter,
  type AdapterConstructor,
  type BroadcastOptions,
  type SocketDetails,
} from "./rooms/adapter.ts";
export type { Client } from "./sockets/client.ts";
export type { Handshake } from "./sockets/handshake.ts";
export type { ParserOption } from "./sockets/parser.ts";
