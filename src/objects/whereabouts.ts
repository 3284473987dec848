/**
 * Knows whether the code that asks runs in this instance of the object. The runtime lets nobody else use what is its
 * own (a route, another object, a later instance), and says so in words that name neither the culprit nor the cure.
 */
export class Whereabouts {
  readonly #id: DurableObjectId;
  /** Something of the instance's own that costs nothing to look at: 40 ns. */
  readonly #own = new WebSocketPair()[0];

  constructor(id: DurableObjectId) {
    this.#id = id;
  }

  /** @throws Error when the code that asks runs elsewhere. `what` is used, of namespace `nsp` */
  check(what: string, nsp?: string): void {
    try {
      void this.#own.readyState;
    } catch {
      const of = nsp === undefined ? "" : ` of namespace "${nsp}"`;
      throw new Error(
        `${what}${of} was used outside the instance of object "${this.#id.name ?? this.#id}" that it belongs to: in a ` +
          "route, in another object, or after that instance had ended. Keep it in no variable of a module; where it " +
          "was used, write server.emitter(env), or call a method of the object's class",
      );
    }
  }
}
