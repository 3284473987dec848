import type { ObjectServer } from "../engine/object-server.ts";
import type { ResolvedEngineOptions } from "../engine/options.ts";
import type { Host } from "../server/host.ts";

/** What the setup function gets besides the server. */
export interface SetupContext {
  readonly env: Cloudflare.Env;
  /** The object's context. What the library needs for itself (alarm, sockets) throws and says what to use instead. */
  readonly ctx: DurableObjectState;
  /** Which server this is: what the option `name` gave, "main" without it. */
  readonly name: string;
  /** Which of the server's objects this is: "0" where it has one. */
  readonly shard: string;
}

/** What `defineServer` and `defineEngine` make an object class from. */
export interface ObjectDefinition<Api> {
  readonly options: ResolvedEngineOptions;
  /** The option `handshakeData` is set: a session without its result may not exist. */
  readonly needsHandshakeData: boolean;
  createServer(host: Host): ObjectServer<Api>;
  /** The user's function. */
  setup(api: Api, context: SetupContext): unknown;
}
