export type { CodecError, SocketPacket } from "./codec/index.ts";
export type { EndCode } from "./engine/end-codes.ts";
export type { Engine } from "./engine/engine.ts";
export type { DropCode, ObservedEvent, RecoveryCode, RefusalCode } from "./engine/observed.ts";
export type { EngineOptions } from "./engine/options.ts";
export type { EngineRequest } from "./engine/request.ts";
export type { Session } from "./engine/session.ts";
export type { App } from "./http/app.ts";
export type { CorsDelegate, CorsOptions } from "./http/cors.ts";
export { defineEngine, type EngineDefinition } from "./http/define-engine.ts";
export {
  defineServer,
  type ServerDefinition,
  type ServerOptions,
} from "./http/define-server.ts";
export { Emitter, type RemoteDetails } from "./http/emitter.ts";
export type { CookieOptions, HttpOptions, RefusedConnection } from "./http/options.ts";
export type { ClientFiles } from "./http/serve-client.ts";
export {
  type FailedStats,
  type NamedStats,
  PRICES,
  type Prices,
  type ServerStats,
  type StatsOptions,
} from "./http/stats.ts";
export type { SetupContext } from "./objects/definition.ts";
export type { ObjectStats } from "./objects/object-runtime.ts";
export {
  Adapter,
  type AdapterConstructor,
  type AdapterNamespace,
  type BroadcastFlags,
  BroadcastOperator,
  type BroadcastOptions,
  type Client,
  type DefaultEventsMap,
  type DisconnectReason,
  type Event,
  type EventsMap,
  type ExtendedError,
  type Handshake,
  Namespace,
  type NamespaceMatcher,
  type ParentNamespace,
  type ParserOption,
  type RecoveredSession,
  type RecoveryOptions,
  RemoteSocket,
  type Room,
  Server,
  type ServerTypes,
  Socket,
  type SocketDetails,
  type SocketId,
  type SocketMap,
  snapshot,
} from "./server/index.ts";
