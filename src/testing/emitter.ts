import type { Emitter } from "../http/emitter.ts";
import type { ChainLink } from "./inside/protocol.ts";

/** The methods that return a promise; all others return another emitter. */
const OPERATIONS = new Set([
  "emit",
  "serverSideEmit",
  "socketsJoin",
  "socketsLeave",
  "disconnectSockets",
  "fetchSockets",
]);

/**
 * The Worker's emitter, for use outside: it records the chain of calls, which the Worker's own emitter then carries
 * out.
 */
export function remoteEmitter(
  perform: (chain: readonly ChainLink[]) => Promise<unknown>,
  chain: readonly ChainLink[] = [],
): Emitter {
  const get = (_: object, name: string | symbol) => {
    // An emitter must not look like a promise to `await`.
    if (typeof name === "symbol" || name === "then") return undefined;
    if (name === "volatile") return remoteEmitter(perform, [...chain, [name]]);
    return (...args: unknown[]) => {
      const longer: ChainLink[] = [...chain, [name, args]];
      return OPERATIONS.has(name) ? perform(longer) : remoteEmitter(perform, longer);
    };
  };
  return new Proxy({}, { get }) as Emitter;
}
