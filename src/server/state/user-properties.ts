/** Keeps a value that user code assigns to an object. Returns false when it is to become an ordinary property. */
type Keep<T> = (holder: T, name: string, value: unknown) => boolean;

/**
 * Calls `keep` for every assignment to a property that no class in the prototype chain defines. The proxy that notices
 * them takes the place of the prototype above `prototype`, so that access to members of `prototype` costs nothing.
 * Those that it inherits are found through the proxy, which takes long enough to avoid it for each message.
 */
export function guardUserProperties<T extends object>(prototype: T, keep: Keep<T>): void {
  const parent = Object.getPrototypeOf(prototype) as object;
  const guarded = new Proxy(parent, {
    set(target, name, value, holder: T) {
      if (typeof name === "string" && !(name in target) && keep(holder, name, value)) return true;
      return Reflect.defineProperty(holder, name, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    },
  });
  Object.setPrototypeOf(prototype, guarded);
}
