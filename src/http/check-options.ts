import { requireType } from "../shared/with-defaults.ts";

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

/** @throws Error that names the first option of another type, and says which types it may have */
export function checkOptions(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    const types = TYPES[name];
    if (types !== undefined && value !== undefined) requireType(name, value, types, "the default");
  }
}
