import type { Emitter } from "../http/emitter.ts";
import type { ChainLink } from "./inside/protocol.ts";

/** What is answered with a promise; everything else of an emitter gives another emitter. */
const OPERATIONS = new Set([
  "emit",
  "serverSideEmit",
  "socketsJoin",
  "socketsLeave",
  "disconnectSockets",
  "fetchSockets",
]);

/** The emitter of the Worker, from outside: it notes the chain of calls, which the Worker's own then carries out. */
export function remoteEmitter(
  perform: (chain: readonly ChainLink[]) => Promise<unknown>,
  chain: readonly ChainLink[] = [],
): Emitter {
  const get = (_: object, name: string | symbol) => {
    // An emitter is no promise, whoever may ask.
    if (typeof name === "symbol" || name === "then") return undefined;
    if (name === "volatile") return remoteEmitter(perform, [...chain, [name]]);
    return (...args: unknown[]) => {
      const longer: ChainLink[] = [...chain, [name, args]];
      return OPERATIONS.has(name) ? perform(longer) : remoteEmitter(perform, longer);
    };
  };
  return new Proxy({}, { get }) as Emitter;
}
