export { BroadcastOperator, RemoteSocket } from "./api/broadcast-operator.ts";
export type { Client } from "./api/client.ts";
export type { DefaultEventsMap, Event, EventsMap } from "./api/events.ts";
export { Namespace } from "./api/namespace.ts";
export {
  resolveOptions,
  type ServerOptions,
  type SocketOptions,
} from "./api/options.ts";
export { ParentNamespace } from "./api/parent-namespace.ts";
export { type NamespaceMatcher, Server } from "./api/server.ts";
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
export { ClusterAdapter as Adapter } from "./cluster/cluster-adapter.ts";
export type { Host } from "./host.ts";
export type { SocketMap } from "./namespaces/socket-map.ts";
export type { RecoveredSession } from "./recovery/recovery.ts";
export type { RecoveryOptions } from "./recovery/recovery-options.ts";
export type { RecoveryEntry, RecoveryRecord, RecoveryStore } from "./recovery/recovery-store.ts";
export type {
  AdapterConstructor,
  AdapterNamespace,
  BroadcastOptions,
  SocketDetails,
} from "./rooms/adapter.ts";
export type { Handshake } from "./sockets/handshake.ts";
export type { ParserOption } from "./sockets/parser.ts";
