import { createObserver } from "../engine/observed.ts";
import { resolveEngineOptions } from "../engine/options.ts";
import { EmitterQueues } from "../objects/cluster/emitter-queue.ts";
import type { SetupContext } from "../objects/definition.ts";
import type { ObjectStats } from "../objects/object-runtime.ts";
import { Placement, type Whom } from "../objects/placement/placement.ts";
import { createSessionObject, runtimeOf, type SessionObjectClass } from "../objects/session-object.ts";
import type { DefaultEventsMap, EventsMap } from "../server/api/events.ts";
import { DEFAULT_PATH, resolveOptions } from "../server/api/options.ts";
import type { ObjectAnswer, ObjectCall } from "../server/cluster/messages.ts";
import type {
  HandshakeData,
  Server,
  ServerTypes,
  ServerOptions as SocketServerOptions,
} from "../server/index.ts";
import { createSocketServer } from "../server/object-server.ts";
import { createParser } from "../server/sockets/parser.ts";
import type { Untyped } from "../shared/untyped.ts";
import { type App, createApp } from "./app.ts";
import { checkOptions } from "./check-options.ts";
import { Emitter } from "./emitter.ts";
import { type HttpOptions, resolveAppOptions, type ShardOptions } from "./options.ts";
import { toSource } from "./source.ts";
import { fetchStats, type ServerStats, type StatsOptions } from "./stats.ts";

/** Options of `defineServer`: those of the official server under their names, and some that exist only here. */
export interface ServerOptions<Handshake = Untyped>
  extends SocketServerOptions,
    HttpOptions<Handshake>,
    ShardOptions<Handshake> {}

/** What the object class adds to a Durable Object. */
export interface ServerMembers<Io> {
  /** The Socket.IO server of this object, for methods of your own. @throws Error before `await this.ready()` */
  readonly io: Io;
  /** What other objects of the server say, and emitters. @internal */
  socketIoPeer(call: ObjectCall): Promise<ObjectAnswer>;
  /** What the object has and has done. @internal */
  socketIoStats(): Promise<ObjectStats>;
}

/** What `defineServer` returns: the object class to export, and the app that serves it. */
export interface ServerDefinition<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
> {
  /** The base of your object class: `export class SessionObject extends chat.SessionObject {}`. */
  readonly SessionObject: SessionObjectClass<
    ServerMembers<Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>>
  >;
  /** A Hono app: the default export of a Worker, or a part of yours with `app.route("/", chat.app)`. */
  readonly app: App;
  /**
   * Emits from outside the object: from a route, a cron trigger or a queue consumer. Without `name` it emits to the
   * server "main".
   * @throws Error when `name` is not well-formed text of 1 to 256 bytes, or the option `shards` does not name `shard`
   * @example await chat.emitter(env).to("news").emit("headline", text);
   */
  emitter(env: Cloudflare.Env, whom?: Whom): Emitter<EmitEvents, SocketData, ServerSideEvents, Types>;
  /**
   * What the objects of a server have and have done: clients by transport, rooms, wakes, messages, rows written, bytes
   * that wait, for each object and in sum, and what that has cost at list prices. It asks each shard of "main", or of
   * the servers that are named, since nobody can list names. An object that sleeps wakes for it, which costs a request,
   * and does not run the setup function.
   * An object that fails or does not answer within `timeout` is named in `failed`, and the others are added up.
   * @throws Error when a name is not well-formed text of 1 to 256 bytes, or an option has a value that cannot be meant
   * @example const { sum, cost, failed } = await chat.stats(env, { name: ["acme", "umbrella"] });
   */
  stats(env: Cloudflare.Env, options?: StatsOptions): Promise<ServerStats>;
  /**
   * The object of a server, to call methods of your own class. Without `name` it is the server "main". An object that
   * a client has woken with the id of an ended session does not know its name until a handshake or a call of an emitter
   * tells it; until then `ready()` and `this.name` throw, which only a name without clients can meet.
   * @throws Error when `name` is not well-formed text of 1 to 256 bytes, or no server could have `shard`
   * @example await chat.object<SessionObject>(env, { name: "acme" }).announce("hello");
   */
  object<Class extends Rpc.DurableObjectBranded>(env: Cloudflare.Env, whom?: Whom): DurableObjectStub<Class>;
}

/**
 * Defines a Socket.IO server.
 * @param setup registers listeners and middlewares on `io`, as the main module does on Node. It runs once in each
 * instance of an object, before anything is served, and may be async; events wait for it. In an object that has run it
 * before, what it emits is skipped. When it throws or takes longer than 15 s, clients are refused with 503, and the
 * next event after a pause of 1 to 60 s runs it again.
 * @throws Error when `setup` is no function, or an option has a value that cannot be meant
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
  const given = checkOptions(options);
  // Each object resolves them by itself; this is for the errors, which a Worker throws at its start.
  resolveOptions(given);
  const engineOptions = resolveEngineOptions(given);
  const placement = new Placement(toSource(given), given.shards);
  const observe = createObserver(given.observe);
  const emitter = (env: Cloudflare.Env, whom?: Whom) =>
    new Emitter<EmitEvents, SocketData, ServerSideEvents, Types>({
      queues: new EmitterQueues(placement.finder(env, whom, placement.shards)),
      parser: createParser(given.parser),
    });
  const Base = createSessionObject<Io>({
    options: engineOptions,
    needsHandshakeData: given.handshakeData !== undefined,
    placement,
    observe,
    createServer: (host) => createSocketServer<Io>(given, host),
    setup,
  });
  class SessionObject extends Base implements ServerMembers<Io> {
    /** For `socket.io-edge/testing`, which finds nothing of a server but its class. */
    static readonly socketIoEmitter = emitter;

    get io(): Io {
      return runtimeOf(this).liveApi() as Io;
    }

    socketIoPeer(call: ObjectCall): Promise<ObjectAnswer> {
      return runtimeOf(this).receive(call);
    }

    async socketIoStats(): Promise<ObjectStats> {
      return runtimeOf(this).stats();
    }
  }
  return {
    SessionObject,
    app: createApp(resolveAppOptions(given, engineOptions, DEFAULT_PATH), placement, observe),
    emitter,
    stats: (env, options) => fetchStats(placement, env, options),
    // The caller names its own class, which nothing here can check.
    object: (env, whom) => placement.finder(env, whom)().stub as Untyped,
  };
}
