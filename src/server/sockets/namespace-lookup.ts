import type { SocketPacket } from "../../codec/index.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { type Middleware, runMiddlewares } from "../api/middlewares.ts";
import type { AnyNamespace } from "../api/namespace.ts";
import type { Core, NamespaceFamily } from "../core.ts";

/** Levels of `auth` that are kept: as many as of `socket.data`. */
const DEEPEST_AUTH = 500;

/** Which namespace a packet is for, and as whom. Clients of Socket.IO v2 send a query along with the name. */
export function readNamespace(packet: SocketPacket, protocol: 3 | 4): { nsp: string; auth: unknown } {
  if (protocol !== 3) return { nsp: packet.nsp, auth: packet.data };
  // Behind a slash nothing is taken for a host, and every text is a path.
  const url = new URL(`https://nsp.invalid/${packet.nsp.replace("/", "")}`);
  return { nsp: url.pathname, auth: Object.fromEntries(url.searchParams) };
}

/** Why a client that is in `count` namespaces, or about to be, may not even ask for one. */
export function toRefusal(
  { maxNamespaces, maxNamespaceLength, maxAuthBytes }: Core["options"],
  count: number,
  name: string,
  auth: unknown,
): string | undefined {
  if (name.length > maxNamespaceLength) return "Namespace too long";
  if (count >= maxNamespaces) return "Too many namespaces";
  return estimateBytes(auth, DEEPEST_AUTH) > maxAuthBytes ? "Auth too large" : undefined;
}

/**
 * Finds the namespace that a client asks for: one that exists, or the child of the first parent that allows it. Parents
 * are asked in the order of their registration, and may take their time.
 */
export function findNamespace(
  core: Core,
  name: string,
  auth: unknown,
  found: (nsp: AnyNamespace | undefined) => void,
): void {
  const parents = core.families.map(
    (family): Middleware<string> =>
      (asked, next) => {
        // It may have been created while a parent thought about it.
        if (core.existing(asked) !== undefined) next(family);
        else return family.matches(asked, auth, (error, isAllowed) => next(!error && isAllowed && family));
      },
  );
  runMiddlewares(
    parents,
    name,
    (thrown) => core.onError(thrown, `of ${name}`),
    (family) => found(core.attempt(`of ${name}`, () => core.existing(name) ?? make(family))),
  );

  /** It runs code of the user's adapter. Who cannot be let in is told so. */
  function make(family: unknown): AnyNamespace | undefined {
    return (family as NamespaceFamily | undefined)?.parent.createChild(name);
  }
}

/** What a client did wrong whose packet cannot be delivered. */
export function toFault({ type }: SocketPacket, hasJoined: boolean): Error {
  const what = hasJoined ? "that has no place there" : "for a namespace that it has not joined";
  return new Error(`the client sent a packet of type ${type} ${what}`);
}
