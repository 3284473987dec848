/** Keeps a value that user code assigns to an object; false: nobody keeps it, it becomes a property like any other. */
type Keep<T> = (holder: T, name: string, value: unknown) => boolean;

/**
 * Tells of every assignment to a property that no class in the chain of `prototype` defines. It sits at the chain's
 * end, in place of the prototype above, so known members cost nothing.
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
