import type { SocketPacket } from "../../codec/index.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { DEEPEST_AUTH } from "../constants.ts";
import type { ServerLimits } from "../context.ts";

/** Clients of Socket.IO v2 append a query to the name of a namespace, in place of `auth`. */
export function readOldName(name: string): { nsp: string; auth: unknown } {
  // The name is parsed as a path behind a slash, so that no part of it is taken for a host.
  const url = new URL(`https://nsp.invalid/${name.replace("/", "")}`);
  return { nsp: url.pathname, auth: Object.fromEntries(url.searchParams) };
}

/** Why a client may not even ask for a namespace when it is in `count` of them, or about to be. */
export function toRefusal(
  { maxNamespaces, maxNamespaceLength, maxAuthBytes }: ServerLimits,
  count: number,
  name: string,
  auth: unknown,
): string | undefined {
  if (name.length > maxNamespaceLength) return "Namespace too long";
  if (count >= maxNamespaces) return "Too many namespaces";
  return estimateBytes(auth, DEEPEST_AUTH) > maxAuthBytes ? "Auth too large" : undefined;
}

/** What was wrong about a packet that cannot be delivered. */
export function toFault({ type }: SocketPacket, hasJoined: boolean): Error {
  const what = hasJoined ? "that has no place there" : "for a namespace that it has not joined";
  return new Error(`the client sent a packet of type ${type} ${what}`);
}
