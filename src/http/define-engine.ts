import type { Engine } from "../engine/engine.ts";
import type { ObjectServer } from "../engine/object-server.ts";
import { type EngineOptions, resolveEngineOptions } from "../engine/options.ts";
import type { SetupContext } from "../objects/definition.ts";
import { Placement } from "../objects/placement/placement.ts";
import { createSessionObject, runtimeOf, type SessionObjectClass } from "../objects/session-object.ts";
import { type App, createApp } from "./app.ts";
import type { HttpOptions } from "./options.ts";
import { toSource } from "./source.ts";

/** What `defineEngine` gives: the object class to export, and the app that serves it. */
export interface EngineDefinition {
  /** Declare a class of your own from it: `export class SessionObject extends definition.SessionObject {}`. */
  readonly SessionObject: SessionObjectClass<{ readonly engine: Engine }>;
  /** A Hono app: the default export of a Worker, or a part of yours with `app.route("/", definition.app)`. */
  readonly app: App;
}

/**
 * Engine.IO alone, as the `engine.io` package is on Node: sessions over polling and WebSocket, without namespaces,
 * events or rooms.
 * @example
 * const { SessionObject: Base, app } = defineEngine({ path: "/engine.io" }, (engine) => {
 *   engine.on("connection", (session) => session.on("message", (data) => session.send(data)));
 * });
 */
export function defineEngine(
  options: EngineOptions & HttpOptions,
  setup: (engine: Engine, context: SetupContext) => unknown,
): EngineDefinition {
  const Base = createSessionObject<Engine>({
    options: resolveEngineOptions(options),
    needsHandshakeData: options.handshakeData !== undefined,
    createServer: ({ engine }) => createBareServer(engine),
    setup,
  });
  class SessionObject extends Base {
    /** The live Engine.IO server of this object. Throws until `await this.ready()` has been waited for. */
    get engine(): Engine {
      return runtimeOf(this).liveApi() as Engine;
    }
  }
  return {
    SessionObject,
    app: createApp({ path: "/engine.io", ...options }, new Placement(toSource(options))),
  };
}

/** Has no server on the sessions: user code listens to them itself. */
function createBareServer(engine: Engine): ObjectServer<Engine> {
  return { api: engine, connectTimeout: undefined, open() {}, load() {} };
}
