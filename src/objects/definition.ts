import type { ObjectServer } from "../engine/object-server.ts";
import type { Observer } from "../engine/observed.ts";
import type { ResolvedEngineOptions } from "../engine/options.ts";
import type { Host } from "../server/host.ts";
import type { Placement } from "./placement/placement.ts";

/** What the setup function receives besides the server. */
export interface SetupContext {
  readonly env: Cloudflare.Env;
  /**
   * The object's context. What the library needs for itself (the alarm, sockets) throws an error that says what to use
   * instead.
   */
  readonly ctx: DurableObjectState;
  /** The name of the server: what the option `name` returned, "main" without it. */
  readonly name: string;
  /** Which of the server's objects this is: "0" for the first, or the only one. */
  readonly shard: string;
}

/** What `defineServer` and `defineEngine` create an object class from. */
export interface ObjectDefinition<Api> {
  readonly options: ResolvedEngineOptions;
  /** The option `handshakeData` is set: a session without its result may not exist. */
  readonly needsHandshakeData: boolean;
  /** The option `observe`. */
  readonly observe: Observer<Cloudflare.Env> | undefined;
  createServer(host: Host): ObjectServer<Api>;
  readonly placement: Placement;
  /** The user's setup function. */
  setup(api: Api, context: SetupContext): unknown;
}
