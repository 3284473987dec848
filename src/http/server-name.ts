import { EngineError } from "../engine/errors.ts";
import type { EngineRequest } from "../engine/request.ts";
import { isServerName, MAIN } from "../objects/placement/object-name.ts";
import { askApplication } from "./handshake-data.ts";
import type { AppContext, AppOptions } from "./options.ts";

/**
 * Calls the option `name` for the server of a new session. `data` is the JSON of what `handshakeData` returned.
 * @throws EngineError that refuses the client
 */
export async function toServerName(
  request: EngineRequest,
  options: AppOptions,
  c: AppContext,
  data: string | undefined,
): Promise<string> {
  if (options.name === undefined) return MAIN;
  const known: unknown = data ? JSON.parse(data) : undefined;
  const name: unknown = await askApplication("name", () => options.name?.(request, c.env, known));
  if (isServerName(name)) return name;
  throw new EngineError("BAD_REQUEST", { name: "INVALID_SERVER_NAME" });
}
