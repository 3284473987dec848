import type { Frame } from "../../codec/index.ts";
import type { LastBatch } from "./senders.ts";

/** The version of the messages. Code of another version refuses them. */
export const VERSION = 1;

/** The receivers of a message. */
export interface Target {
  readonly rooms: readonly string[];
  readonly except: readonly string[];
  readonly volatile?: boolean;
}

/**
 * A message of one shard to another: an operation of an adapter, for the namespace of the same name. If it has a
 * `request`, the sender fetches the answers by another call.
 */
export type ClusterMessage = { readonly nsp: string; readonly request?: string; readonly to?: Target } & (
  | {
      readonly type: "broadcast";
      readonly to: Target;
      /** As the parser encodes them, without the offset or the id of an acknowledgement that each shard adds. */
      readonly frames: readonly Frame[];
      /** How long the sender waits for acknowledgements, ms. */
      readonly timeoutMs?: number;
    }
  | { readonly type: "join" | "leave"; readonly to: Target; readonly rooms: readonly string[] }
  | { readonly type: "disconnect"; readonly to: Target; readonly close: boolean }
  | { readonly type: "fetch"; readonly to: Target }
  | { readonly type: "emit"; readonly args: readonly unknown[] }
  /** A shard is about to have its first session, and has to get the messages from now on. */
  | { readonly type: "hello" }
);

/** What a message says, without the namespace and the receivers. */
export type Operation<Message = ClusterMessage> = Message extends unknown
  ? Omit<Message, "nsp" | "to" | "request">
  : never;

/**
 * Messages of one shard to another. A shard has one batch at a time under way to each other shard. Batches are
 * numbered, so that the receiver carries out none twice. Numbers begin again in each epoch; a later instance has a
 * later epoch.
 */
export interface Batch {
  readonly v: typeof VERSION;
  readonly type: "batch";
  readonly from: string;
  readonly epoch: number;
  readonly number: number;
  readonly messages: readonly ClusterMessage[];
}

/** Asks for the answers to requests. It may be repeated. */
export interface AnswersCall {
  readonly v: typeof VERSION;
  readonly type: "answers";
  readonly request: string;
  /** How long the receiver may wait for answers before it returns those that it has, ms. */
  readonly waitMs: number;
}

/** What shards call each other with. */
export type ClusterCall = Batch | AnswersCall;

/**
 * Messages of an emitter, which this shard carries out, and passes on to the others. The answer has one result for each
 * of them. Those of an emitter arrive in its order, because it has one call at a time under way.
 */
export interface Relay {
  readonly v: typeof VERSION;
  readonly type: "relay";
  readonly messages: readonly ClusterMessage[];
}

export type Results = readonly PromiseSettledResult<unknown>[];

/**
 * What an object is called with. The caller says whom it calls, because the platform does not tell that to an instance
 * that was first reached by the id of a session. A caller that runs older code does not say it.
 */
export type ObjectCall = (ClusterCall | Relay) & {
  readonly to?: { readonly name: string; readonly shard: string };
};

/** What the receiver of a batch returns. */
export interface BatchAnswer {
  /** A later instance of the sender has called: its epoch, and the last batch of this one that was carried out. */
  readonly stale?: { readonly newest: number; readonly done: number };
  /** The answer to a hello: all shards that the receiver knows. */
  readonly peers?: readonly string[];
  /** The shard is no longer configured and its last session has ended, so it needs no more messages. */
  readonly isEmpty?: boolean;
}

/** The answers of one shard to a request. */
export interface Answers {
  /** How many clients were asked. */
  readonly count: number;
  readonly values: readonly unknown[];
  /** Whether no more answers will come. */
  readonly isComplete: boolean;
  /** The shard does not know the request: it has restarted, has failed to carry it out, or had too many others. */
  readonly isUnknown?: boolean;
  /** Answers are missing because the shard had no room for them. */
  readonly isCut?: boolean;
}

export type ClusterAnswer = BatchAnswer | Answers;
export type ObjectAnswer = ClusterAnswer | Results;

/** How a mesh reaches the other shards, and remembers what they have said. */
export interface Peers {
  /** The name of this shard. */
  readonly self: string;
  /** The names of all other shards. */
  all(): readonly string[];
  /** Adds shards that another one knows. */
  hear(shards: readonly string[]): void;
  /** Removes a shard that has no session and will get none. */
  forget(shard: string): void;
  /** Whether this shard has no session and will get none. */
  isEmpty(): boolean;
  /** The shard of the socket that has this id: this one or one of {@link all}. Undefined for every other room. */
  shardOf(room: string): string | undefined;
  /** An id for a socket of this shard. */
  newSocketId(): string;
  /** Calls a shard once. The call after one that has failed uses a new stub. */
  call(shard: string, call: ClusterCall): Promise<ClusterAnswer>;
  /** Settles at the object's next alarm, which comes soon. A call made by the alarm is not nested in another call. */
  afterAlarm(): Promise<void>;
  /** The last batch of a shard that was stored as carried out. */
  storedBatch(from: string): LastBatch | undefined;
  /** A batch is carried out in this turn. If the turn writes anything, `last` has to be written in the same commit. */
  noteBatch(from: string, last: LastBatch): void;
}
