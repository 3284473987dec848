import { MOST_NAME_BYTES } from "../constants.ts";
import { parseShard } from "./shards.ts";

/** The server that serves everything unless the option `name` says something else. */
export const MAIN = "main";
/** The shard of a server that has one only, and the first of several. */
export const FIRST = "0";

/** Which object of a class: the server that it is a part of, and the part. */
export interface Address {
  readonly name: string;
  readonly shard: string;
}

/** Whether it names a server: well-formed text of 1 to 256 bytes. */
export function isServerName(name: unknown): name is string {
  if (typeof name !== "string" || name === "" || /\p{Surrogate}/u.test(name)) return false;
  return name.length <= MOST_NAME_BYTES && new TextEncoder().encode(name).length <= MOST_NAME_BYTES;
}

/** @throws Error that says what a name has to be */
export function requireServerName(name: unknown): string {
  if (isServerName(name)) return name;
  throw new Error("the name of a server has to be well-formed text of 1 to 256 bytes (UTF-8)");
}

/**
 * The name that the platform knows an object by. The first shard has that of its server, so that a server of one shard
 * is reached by its name alone. What stands for the separator in a name is escaped: whatever a tenant is called, its
 * objects are not those of another.
 */
export function toObjectName({ name, shard }: Address): string {
  const escaped = name.replaceAll("%", "%25").replaceAll("#", "%23");
  return shard === FIRST ? escaped : `${escaped}#${shard}`;
}

/** What {@link toObjectName} made the name from. */
export function toAddress(objectName: string): Address {
  const [, escaped = objectName, shard = FIRST] = /^([^#]*)#([^#]*)$/.exec(objectName) ?? [];
  // An object that user code has named by itself.
  if (parseShard(shard) === undefined) return { name: objectName, shard: FIRST };
  return { name: escaped.replaceAll("%23", "#").replaceAll("%25", "%"), shard };
}

export function isMain({ name, shard }: Address): boolean {
  return name === MAIN && shard === FIRST;
}
