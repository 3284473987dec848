/** What the kit asks of the Worker it tests, and what it is answered. Both sides import these types. */

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
  /** Why it cannot sleep now; empty when nothing is under way. */
  readonly underWay: readonly string[];
}

/** One step of a chain: `to("news")` is `["to", ["news"]]`, and `volatile` has no arguments. */
export type ChainLink = readonly [name: string, args?: readonly unknown[]];

export type Command =
  /** The objects, with what is under way in them. */
  | { readonly type: "look" }
  /** Loads the module anew; answers with the objects that still run the copy before. */
  | { readonly type: "renew" }
  /** Everything an object has stored. */
  | { readonly type: "rows"; readonly object: ObjectAddress }
  /** Whether the object in memory was made by the copy of the module before this one. */
  | { readonly type: "is-old"; readonly object: ObjectAddress }
  /** Ends the instance in memory, and its WebSockets. */
  | { readonly type: "abort"; readonly object: ObjectAddress }
  /** Carries out an operation of the emitter of a server: of the one with this name, or of "main". */
  | { readonly type: "emit"; readonly chain: readonly ChainLink[]; readonly name?: string };

/** A row of an object's storage. */
export interface StoredRow {
  /** Name of the object, or its id where it has none. */
  readonly object: string;
  /** `"kv"` for what `storage.kv` holds, otherwise the name of an SQL table. */
  readonly table: string;
  /** The key in `storage.kv`; undefined for a row of a table. */
  readonly key?: string;
  /** The value in `storage.kv`, or the columns of a row. */
  readonly value: unknown;
}
