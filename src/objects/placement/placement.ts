import type { SessionId } from "../../shared/ids.ts";
import { MOST_SHARDS_TRIED } from "../constants.ts";
import { findNamespace, type ObjectSource } from "../namespace.ts";
import { findObject } from "../sessions/session-id.ts";
import { rank } from "./hash.ts";
import { type Address, MAIN, requireServerName, toObjectName } from "./object-name.ts";
import {
  byDistance,
  hintOf,
  parseShard,
  type ShardsOption,
  toShardNames,
  type Whereabouts,
} from "./shards.ts";

/** An object, as its caller reaches it. */
export interface Place extends Address {
  readonly stub: DurableObjectStub;
}

/** Which server, and which of its objects. */
export interface Whom {
  /** @default "main" */
  readonly name?: string;
  /**
   * Of a server with several objects: which one. An emitter takes those that the option `shards` names: by way of any
   * of them it reaches all others, also those that were named by an earlier deploy. `object(...)` reaches any, for what
   * your code has stored there. @default the first that the option `shards` names
   */
  readonly shard?: string;
}

/** What decides which shard a new session goes to. */
export interface Newcomer {
  /** What `shardBy` gave. */
  readonly key: string | undefined;
  readonly address: string;
  readonly agent: string;
  /** `request.cf`, where there is one. */
  readonly where: Whereabouts | undefined;
}

/** Decides which object serves whom. Nothing else knows how objects are named. */
export class Placement {
  /** As configured; in this order the first one stands for the server where one has to. */
  readonly shards: readonly string[];
  readonly #source: ObjectSource;

  /** @throws Error for shards that cannot be */
  constructor(source: ObjectSource, shards?: ShardsOption) {
    this.#source = source;
    this.shards = toShardNames(shards);
  }

  /**
   * The objects to which a new session is offered, one after the other. `name` has been checked. Who belongs together
   * by `shardBy` meets on one shard, wherever it is; everybody else goes to a shard nearby, and back to the same one.
   * A server of one object needs to know nothing of a newcomer.
   */
  forNew(env: Cloudflare.Env, name: string, newcomer?: Newcomer): Place[] {
    const isOne = this.shards.length === 1 || newcomer === undefined;
    const shards = isOne ? this.shards : this.#order(newcomer).slice(0, MOST_SHARDS_TRIED);
    return shards.map((shard) => this.#place(env, { name, shard }));
  }

  /** The object of a session; undefined when no object can have made that id. */
  of(env: Cloudflare.Env, sid: SessionId): DurableObjectStub | undefined {
    const namespace = findNamespace(env, this.#source);
    const id = findObject(namespace, sid);
    return id && this.#get(namespace, id, this.#source.locationHint);
  }

  /**
   * Finds an object for calls from outside, anew each time: any of the server's, or one of `among`.
   * @throws Error for what is no name of a server or shard
   */
  finder(
    env: Cloudflare.Env,
    { name = MAIN, shard = this.shards[0]! }: Whom = {},
    among?: readonly string[],
  ): () => Place {
    if (parseShard(shard) === undefined || among?.includes(shard) === false) {
      throw new Error(`the option shards names no "${shard}"`);
    }
    const address: Address = { name: requireServerName(name), shard };
    return () => this.#place(env, address);
  }

  #order({ key, address, agent, where }: Newcomer): string[] {
    if (key !== undefined) return rank(key, this.shards);
    return byDistance(rank(`${address}\n${agent}`, this.shards), where);
  }

  #place(env: Cloudflare.Env, address: Address): Place {
    const namespace = findNamespace(env, this.#source);
    const id = namespace.idFromName(toObjectName(address));
    return { ...address, stub: this.#get(namespace, id, hintOf(address.shard) ?? this.#source.locationHint) };
  }

  /** The first access fixes where an object lives, so it always comes with the hint. */
  #get(
    namespace: DurableObjectNamespace,
    id: DurableObjectId,
    locationHint: DurableObjectLocationHint | undefined,
  ): DurableObjectStub {
    return namespace.get(id, locationHint === undefined ? {} : { locationHint });
  }
}
