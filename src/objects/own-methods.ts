import { ESCAPING_RAW } from "../server/state/raw.ts";
import { withoutProxies } from "../server/state/without-proxies.ts";
import { isThenable } from "../shared/event-emitter.ts";

/**
 * Lets the methods of a user's class return values of sockets (`return socket.data.user`), which may be proxies: those
 * cannot be sent to a caller in the Worker or in another object. Code of the class calls the same methods, so it gets
 * the value itself and not a copy; changes of it are found when handlers and methods have settled.
 */
export function returnPlainValues(
  prototype: object,
  base: object,
  seen: WeakSet<object>,
  onSettled: (object: object) => void,
): void {
  for (let own = prototype; own !== base && !seen.has(own); own = Object.getPrototypeOf(own)) {
    seen.add(own);
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(own))) {
      const method: unknown = descriptor.value;
      if (name === "constructor" || typeof method !== "function" || !descriptor.configurable) continue;
      const value = function (this: object, ...args: unknown[]): unknown {
        const settle = (result: unknown) => {
          onSettled(this);
          return withoutProxies(result, ESCAPING_RAW);
        };
        const result: unknown = method.apply(this, args);
        return isThenable(result) ? result.then(settle) : settle(result);
      };
      Object.defineProperty(own, name, { ...descriptor, value });
    }
  }
}
