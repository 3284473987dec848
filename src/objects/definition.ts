import type { ObjectServer } from "../engine/object-server.ts";
import type { ResolvedEngineOptions } from "../engine/options.ts";
import type { Host } from "../server/host.ts";

/** What `defineServer` and `defineEngine` make an object class from. */
export interface ObjectDefinition<Api> {
  readonly engine: ResolvedEngineOptions;
  /** The option `handshakeData` is set: a session without its result may not exist. */
  readonly needsHandshakeData: boolean;
  createServer(host: Host): ObjectServer<Api>;
  /** The user's function. */
  setup(api: Api, context: { env: Cloudflare.Env; ctx: DurableObjectState }): unknown;
}
