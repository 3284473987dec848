import { toBase64Url } from "../../shared/ids.ts";
import { MAIN } from "../placement/object-name.ts";

/** A session id that names its object: the random part, a dot, and the object's id (32 bytes, base64url). */
const ROUTED = /^[\w-]{1,128}\.([\w-]{43})$/;
const PLAIN = /^[\w-]{1,128}$/;

/**
 * Finds the object of a session. Returns undefined when no object can have created that id: `idFromString` refuses ids
 * that the namespace did not create, so a client cannot invent an object.
 */
export function findObject<T extends Rpc.DurableObjectBranded | undefined>(
  namespace: DurableObjectNamespace<T>,
  sid: string,
): DurableObjectId | undefined {
  if (PLAIN.test(sid)) return namespace.idFromName(MAIN);
  const match = ROUTED.exec(sid);
  if (match?.[1] === undefined) return undefined;
  try {
    return namespace.idFromString(fromBase64Url(match[1]));
  } catch {
    return undefined;
  }
}

/** Hexadecimal to base64url. */
export function hexToBase64Url(hex: string): string {
  return toBase64Url(hex.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? []);
}

function fromBase64Url(text: string): string {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Array.from(binary, (char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}
