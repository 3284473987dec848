import type { Frame } from "../../codec/index.ts";

/** Other versions of this code refuse what they do not know. */
export const VERSION = 1;

/** Whom a message is for. */
export interface Target {
  readonly rooms: readonly string[];
  readonly except: readonly string[];
  readonly volatile?: boolean;
}

/**
 * What one shard tells another: an operation of an adapter, for the namespace of the same name. With `request` the
 * sender wants to know what came of it, and fetches that by a call of its own.
 */
export type ClusterMessage = { readonly nsp: string; readonly request?: string } & (
  | {
      readonly type: "broadcast";
      readonly to: Target;
      /** As encoded by the parser, without what each shard adds: an offset, or the id of an acknowledgement. */
      readonly frames: readonly Frame[];
      /** How long the sender waits for acknowledgements, ms. */
      readonly timeoutMs?: number;
    }
  | { readonly type: "join" | "leave"; readonly to: Target; readonly rooms: readonly string[] }
  | { readonly type: "disconnect"; readonly to: Target; readonly close: boolean }
  | { readonly type: "fetch"; readonly to: Target }
  | { readonly type: "emit"; readonly args: readonly unknown[] }
  /** A shard is about to have its first session: it is to be told what is said from now on. */
  | { readonly type: "hello" }
);

/**
 * Messages of one shard to another. Of each pair of shards one batch is under way at a time, and each has a number: a
 * receiver carries out none twice. Numbers begin anew with the epoch, which is later for a later instance.
 */
export interface Batch {
  readonly v: typeof VERSION;
  readonly type: "batch";
  readonly from: string;
  readonly epoch: number;
  readonly number: number;
  readonly messages: readonly ClusterMessage[];
}

/** Asks what came of requests; may be asked again. */
export interface AnswersCall {
  readonly v: typeof VERSION;
  readonly type: "answers";
  readonly request: string;
  /** The answer is given by then, complete or not, ms. */
  readonly waitMs: number;
}

export type ClusterCall = Batch | AnswersCall;

/** How a batch was taken. */
export interface BatchAnswer {
  /** A later instance of the sender has been heard of: which epoch that was, and the last number of the earlier one. */
  readonly stale?: { readonly newest: number; readonly done: number };
  /** To a hello: all shards that are known there. */
  readonly peers?: readonly string[];
  /** The shard is no longer configured, and its last session has ended: nothing need be said to it any more. */
  readonly isEmpty?: boolean;
}

/** What came of a request in one shard. */
export interface Answers {
  /** How many clients were asked. */
  readonly count: number;
  readonly values: readonly unknown[];
  /** Nothing more will come. */
  readonly isComplete: boolean;
  /** The shard cannot tell any more: it has started anew. */
  readonly isUnknown?: boolean;
}

export type ClusterAnswer = BatchAnswer | Answers;

/** The other shards, as a mesh reaches them. */
export interface Peers {
  /** This shard. */
  readonly self: string;
  /** All the others. */
  all(): readonly string[];
  /** These are there as well. */
  hear(shards: readonly string[]): void;
  /** This one has nobody any more, and will have nobody. */
  forget(shard: string): void;
  /** Whether that is so of this shard. */
  isEmpty(): boolean;
  /** The shard of a socket whose id this is; undefined for any other room. */
  shardOf(room: string): string | undefined;
  /** An id for a socket of this shard. */
  newSocketId(): string;
  /** One call. After one has failed, the next goes another way. */
  call(shard: string, call: ClusterCall): Promise<ClusterAnswer>;
}
