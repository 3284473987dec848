import { resolveEngineOptions } from "../engine/options.ts";
import type { SetupContext } from "../objects/definition.ts";
import { Placement, type Whom } from "../objects/placement/placement.ts";
import { createSessionObject, runtimeOf, type SessionObjectClass } from "../objects/session-object.ts";
import type { DefaultEventsMap, EventsMap } from "../server/api/events.ts";
import type {
  HandshakeData,
  Server,
  ServerTypes,
  ServerOptions as SocketServerOptions,
} from "../server/index.ts";
import { createSocketServer } from "../server/object-server.ts";
import type { Untyped } from "../shared/untyped.ts";
import { type App, createApp } from "./app.ts";
import { Emitter } from "./emitter.ts";
import { type EmitterCall, performCall } from "./emitter-call.ts";
import type { HttpOptions } from "./options.ts";
import { toSource } from "./source.ts";

/** Options of `defineServer`: those of the official server under their names, and a few that only exist here. */
export interface ServerOptions<Handshake = Untyped> extends SocketServerOptions, HttpOptions<Handshake> {}

/** What the object's class has besides what every Durable Object has. */
export interface ServerMembers<Io> {
  /** The live server of this object, for methods of your own. Throws until `await this.ready()` has been waited for. */
  readonly io: Io;
  /** Carries out one operation of an emitter. @internal */
  socketIoCall(call: EmitterCall): Promise<unknown>;
}

/** What `defineServer` gives: the object class to export, and the app that serves it. */
export interface ServerDefinition<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
> {
  /** Declare a class of your own from it: `export class SessionObject extends chat.SessionObject {}`. */
  readonly SessionObject: SessionObjectClass<
    ServerMembers<Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>>
  >;
  /** A Hono app: the default export of a Worker, or a part of yours with `app.route("/", chat.app)`. */
  readonly app: App;
  /**
   * Emits from outside the object: from a route, a cron trigger, a queue consumer. Without `name` to the server "main".
   * @throws Error when `name` is not well-formed text of 1 to 256 bytes
   */
  emitter(env: Cloudflare.Env, whom?: Whom): Emitter<EmitEvents, SocketData, ServerSideEvents, Types>;
  /**
   * The object of a server, to call methods of your own class.
   * @throws Error when `name` is not well-formed text of 1 to 256 bytes
   * @example await chat.object<SessionObject>(env, { name: "acme" }).announce("hello");
   */
  object<Class extends Rpc.DurableObjectBranded>(env: Cloudflare.Env, whom?: Whom): DurableObjectStub<Class>;
}

/**
 * Describes a Socket.IO server. `setup` runs once in each instance of the object that holds the sessions, when first
 * something needs your code; it may be async, events wait for it.
 * @example
 * const chat = defineServer({ cors: { origin: "*" } }, (io) => {
 *   io.on("connection", (socket) => {
 *     socket.on("message", (text) => io.emit("message", text));
 *   });
 * });
 * export class SessionObject extends chat.SessionObject {}
 * export default chat.app;
 */
export function defineServer<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = Untyped,
  Types extends ServerTypes = Untyped,
>(
  options: ServerOptions<HandshakeData<Types>>,
  setup: (
    io: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>,
    context: SetupContext,
  ) => unknown,
): ServerDefinition<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
  type Io = Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>;
  const placement = new Placement(toSource(options));
  const emitter = (env: Cloudflare.Env, whom?: Whom) =>
    new Emitter<EmitEvents, SocketData, ServerSideEvents, Types>(placement.finder(env, whom));
  const Base = createSessionObject<Io>({
    options: resolveEngineOptions(options),
    needsHandshakeData: options.handshakeData !== undefined,
    createServer: (host) => createSocketServer<Io>(options, host),
    setup,
  });
  class SessionObject extends Base implements ServerMembers<Io> {
    /** For `socket.io-edge/testing`, which finds nothing of a server but its class. */
    static readonly socketIoEmitter = emitter;

    get io(): Io {
      return runtimeOf(this).liveApi() as Io;
    }

    async socketIoCall(call: EmitterCall): Promise<unknown> {
      await runtimeOf(this).ready();
      return performCall(this.io, call);
    }
  }
  return {
    SessionObject,
    app: createApp({ path: "/socket.io", ...options }, placement),
    emitter,
    object: (env, whom) => placement.finder(env, whom)() as Untyped,
  };
}
