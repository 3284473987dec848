import { givenOptions, requireType } from "../shared/with-defaults.ts";

const FUNCTION = "function";
const BOOLEAN = "boolean";

/** The types of the options that have no default. What they return is checked when they are called. */
const TYPES: Readonly<Record<string, string>> = {
  adapter: FUNCTION,
  allowRequest: FUNCTION,
  generateId: FUNCTION,
  handshakeData: FUNCTION,
  name: FUNCTION,
  observe: FUNCTION,
  onConnectionError: FUNCTION,
  shardBy: FUNCTION,
  addTrailingSlash: BOOLEAN,
  checkOrigin: BOOLEAN,
  cleanupEmptyChildNamespaces: BOOLEAN,
  connectionStateRecovery: "object or boolean",
  cookie: "object or boolean",
  cors: "object, function or boolean",
  bindings: "object",
  initialPacket: "string or object",
  parser: "object",
  path: "string",
  locationHint: "string",
  jurisdiction: "string",
};

/**
 * Returns the options that are given: as on Node, null counts as left out.
 * @throws Error that names the first option of another type, and says which types it may have
 */
export function checkOptions<T extends object>(options: T): T {
  const given = givenOptions(options);
  for (const [name, value] of Object.entries(given)) {
    const types = TYPES[name];
    if (types !== undefined) requireType(name, value, types, "the default");
  }
  return given;
}
