/** @throws Error when the calling code runs elsewhere. `what` is what it uses, of namespace `nsp`. */
export type InstanceGuard = (what: string, nsp?: string) => void;

/**
 * Creates a check that code runs in the object instance that its objects belong to. The runtime refuses to let a route,
 * another object or a later instance use what belongs to an instance, but its error names neither the cause nor the
 * cure.
 */
export function createInstanceGuard(id: DurableObjectId): InstanceGuard {
  /** An object of this instance that is cheap to touch: 40 ns. The runtime throws when foreign code touches it. */
  const own = new WebSocketPair()[0];
  return (what, nsp) => {
    try {
      void own.readyState;
    } catch {
      const of = nsp === undefined ? "" : ` of namespace "${nsp}"`;
      throw new Error(
        `${what}${of} was used outside the instance of object "${id.name ?? id}" that it belongs to: in a ` +
          "route, in another object, or after that instance had ended. Do not keep it in a variable of a module. Where " +
          "it was used, call server.emitter(env), or call a method of the object's class",
      );
    }
  };
}
