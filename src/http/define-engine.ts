import type { Engine } from "../engine/engine.ts";
import type { ObjectServer } from "../engine/object-server.ts";
import { createObserver } from "../engine/observed.ts";
import { type EngineOptions, resolveEngineOptions } from "../engine/options.ts";
import type { SetupContext } from "../objects/definition.ts";
import { Placement } from "../objects/placement/placement.ts";
import { createSessionObject, runtimeOf, type SessionObjectClass } from "../objects/session-object.ts";
import { type App, createApp } from "./app.ts";
import { checkOptions } from "./check-options.ts";
import { type HttpOptions, resolveAppOptions } from "./options.ts";
import { toSource } from "./source.ts";

const DEFAULT_PATH = "/engine.io";

/** What `defineEngine` returns: the object class to export, and the app that serves it. */
export interface EngineDefinition {
  /** The base of your object class: `export class SessionObject extends definition.SessionObject {}`. */
  readonly SessionObject: SessionObjectClass<{ readonly engine: Engine }>;
  /** A Hono app: the default export of a Worker, or a part of yours with `app.route("/", definition.app)`. */
  readonly app: App;
}

/**
 * Defines an Engine.IO server, as the `engine.io` package is on Node: sessions over polling and WebSocket, without
 * namespaces, events or rooms.
 * @param setup registers listeners on the engine. It runs once in each instance of an object, before anything is
 * served, and may be async. When it throws or takes longer than 15 s, clients are refused with 503, and the next event
 * after a pause of 1 to 60 s runs it again.
 * @throws Error when `setup` is no function, or an option has a value that cannot be meant
 * @example
 * const { SessionObject: Base, app } = defineEngine({ path: "/engine.io" }, (engine) => {
 *   engine.on("connection", (session) => session.on("message", (data) => session.send(data)));
 * });
 */
export function defineEngine(
  options: EngineOptions & HttpOptions,
  setup: (engine: Engine, context: SetupContext) => unknown,
): EngineDefinition {
  const given = checkOptions(options);
  const engineOptions = resolveEngineOptions(given);
  const placement = new Placement(toSource(given));
  const observe = createObserver(given.observe);
  const Base = createSessionObject<Engine>({
    options: engineOptions,
    needsHandshakeData: given.handshakeData !== undefined,
    placement,
    observe,
    createServer: ({ engine }) => createBareServer(engine),
    setup,
  });
  class SessionObject extends Base {
    /** The Engine.IO server of this object. @throws Error before `await this.ready()` */
    get engine(): Engine {
      return runtimeOf(this).liveApi() as Engine;
    }
  }
  return {
    SessionObject,
    app: createApp(resolveAppOptions(given, engineOptions, DEFAULT_PATH), placement, observe),
  };
}

/** Has no server on the sessions: user code listens to them itself. */
function createBareServer(engine: Engine): ObjectServer<Engine> {
  return { api: engine, connectTimeout: undefined, open() {}, load() {} };
}
