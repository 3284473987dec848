import { EngineError } from "../engine/errors.ts";
import type { EngineRequest } from "../engine/request.ts";
import { isPlain } from "../server/state/containers.ts";
import { MAX_DATA_BYTES } from "./constants.ts";
import type { AppContext, AppOptions } from "./options.ts";

/**
 * Calls the option `handshakeData` for a client that opens a session. Returns JSON: empty for nothing.
 * @throws EngineError that refuses the client
 */
export async function toHandshakeData(
  request: EngineRequest,
  options: AppOptions,
  c: AppContext,
): Promise<string> {
  return askApplication("handshakeData", async () =>
    toJson(await options.handshakeData?.(request, c.env, c)),
  );
}

/** Runs a function of the options. When it throws, the client is refused and is not told why. @throws EngineError */
export async function askApplication<T>(option: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    console.error(`socket.io-edge: ${option} failed, so the client was refused`, error);
    throw new EngineError("FORBIDDEN", { error });
  }
}

function toJson(data: unknown): string {
  const json = JSON.stringify(data, assertPlain) ?? "";
  const bytes = new TextEncoder().encode(json).length;
  if (bytes <= MAX_DATA_BYTES) return json;
  throw new Error(
    `handshakeData returned ${bytes} bytes of JSON and may return ${MAX_DATA_BYTES}: return an id, and look the rest up in the object`,
  );
}

/** Refuses what `JSON.stringify` would change silently: a Date becomes text, a Map an empty object. */
function assertPlain(this: Record<string, unknown>, key: string, json: unknown): unknown {
  const value = this[key];
  if (value === undefined || isJson(value)) return json;
  throw new Error(`handshakeData returned what JSON cannot hold, at "${key}": return plain objects`);
}

function isJson(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "string" || typeof value === "boolean" || value === null || isPlain(value);
}
