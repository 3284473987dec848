/** The requests of the kit to the Worker that it tests, and the answers. Both sides import these types. */

/** What callers of an object are told that the kit has ended. */
export const ABORT_REASON = "restarted by socket.io-edge/testing";

/** An object that has been in memory since the Worker started. */
export interface ObjectAddress {
  readonly className: string;
  readonly id: string;
  /** An object that is reached by its id alone does not know its name, so it is reached by that where there is one. */
  readonly name?: string | undefined;
}

export interface ObjectReport extends ObjectAddress {
  /** The reasons for which it cannot sleep now; empty when nothing is under way. */
  readonly underWay: readonly string[];
}

/** One step of a chain: `to("news")` is `["to", ["news"]]`, and `volatile` has no arguments. */
export type ChainLink = readonly [name: string, args?: readonly unknown[]];

export type Command =
  /** Returns the objects, with what is under way in them. */
  | { readonly type: "look" }
  /** Loads the module again; returns the objects that still run the previous copy. */
  | { readonly type: "renew" }
  /** Returns everything that an object has stored. */
  | { readonly type: "rows"; readonly object: ObjectAddress }
  /** Returns whether the object in memory was created by the previous copy of the module. */
  | { readonly type: "is-old"; readonly object: ObjectAddress }
  /** Ends the instance in memory, and its WebSockets. */
  | { readonly type: "abort"; readonly object: ObjectAddress }
  /** Carries out an operation of the emitter of a server: the one with this name, or "main". */
  | { readonly type: "emit"; readonly chain: readonly ChainLink[]; readonly name?: string };

/** A row of an object's storage. */
export interface StoredRow {
  /** The name of the object, or its id if it has no name. */
  readonly object: string;
  /** `"kv"` for what `storage.kv` holds, otherwise the name of an SQL table. */
  readonly table: string;
  /** The key in `storage.kv`; undefined for a row of a table. */
  readonly key?: string;
  /** The value in `storage.kv`, or the columns of a row. */
  readonly value: unknown;
}
