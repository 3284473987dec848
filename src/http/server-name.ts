import { EngineError } from "../engine/errors.ts";
import type { EngineRequest } from "../engine/request.ts";
import { isServerName } from "../objects/placement/object-name.ts";
import type { Newcomer } from "../objects/placement/placement.ts";
import { askApplication } from "./handshake-data.ts";
import type { AppOptions, Visit } from "./options.ts";

/**
 * Calls the option `name` for the server of a new session. `data` is the JSON of what `handshakeData` returned.
 * @throws EngineError that refuses the client
 */
export async function toServerName(
  request: EngineRequest,
  options: AppOptions,
  env: Cloudflare.Env,
  data: string | undefined,
): Promise<string> {
  const name: unknown = await askApplication("name", () => options.name?.(request, env, parse(data)));
  if (isServerName(name)) return name;
  throw new EngineError("BAD_REQUEST", { name: "INVALID_SERVER_NAME" });
}

/** What decides to which of the server's objects a new session goes. @throws EngineError that refuses the client */
export async function toNewcomer(
  request: EngineRequest,
  address: string,
  { shardBy }: AppOptions,
  c: Visit,
  data: string | undefined,
): Promise<Newcomer> {
  const key =
    shardBy &&
    (await askApplication("shardBy", async () => toKey(await shardBy(request, c.env, parse(data)))));
  const { cf } = c.req.raw as { cf?: Newcomer["where"] };
  return { key, address, agent: request.headers.get("user-agent") ?? "", where: cf };
}

function parse(data: string | undefined): unknown {
  return data ? JSON.parse(data) : undefined;
}

function toKey(key: unknown): string {
  if (typeof key === "string") return key;
  throw new Error("shardBy has to return text");
}
