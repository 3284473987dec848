import type { ClusterAnswer, ClusterCall, Peers } from "../../server/cluster/messages.ts";
import type { Identity } from "../identity.ts";
import type { Address } from "../placement/object-name.ts";
import type { Placement } from "../placement/placement.ts";
import { parseShard } from "../placement/shards.ts";
import { shardOfSocket, toSocketId } from "../placement/socket-code.ts";

/** What an object offers to the other objects of its server. */
interface PeerObject {
  socketIoPeer(call: ClusterCall): Promise<ClusterAnswer>;
}

/**
 * The other objects of an object's server, reached over stubs: those that are configured, and those that were heard of,
 * which old code or new code may have, until they say that they are empty.
 */
export class ObjectPeers implements Peers {
  readonly isEmpty: () => boolean;
  readonly #env: Cloudflare.Env;
  readonly #placement: Placement;
  readonly #identity: Identity;
  readonly #address: Address;
  readonly #stubs = new Map<string, PeerObject>();

  /** `isEmpty`: this object is not configured any more, and has no session. */
  constructor(env: Cloudflare.Env, placement: Placement, identity: Identity, isEmpty: () => boolean) {
    this.isEmpty = isEmpty;
    this.#env = env;
    this.#placement = placement;
    this.#identity = identity;
    this.#address = identity.require();
    this.hear(placement.shards);
  }

  get self(): string {
    return this.#address.shard;
  }

  all(): readonly string[] {
    return this.#identity.peers;
  }

  hear(shards: readonly string[]): void {
    const { peers } = this.#identity;
    const added = shards.filter(
      (shard) => shard !== this.self && !peers.includes(shard) && parseShard(shard) !== undefined,
    );
    if (added.length > 0) this.#identity.peers = [...peers, ...added];
  }

  forget(shard: string): void {
    if (this.#placement.shards.includes(shard)) return;
    this.#identity.peers = this.#identity.peers.filter((peer) => peer !== shard);
  }

  shardOf(room: string): string | undefined {
    return shardOfSocket(room);
  }

  newSocketId(): string {
    return toSocketId(this.#address.shard);
  }

  async call(shard: string, call: ClusterCall): Promise<ClusterAnswer> {
    let stub = this.#stubs.get(shard);
    if (stub === undefined) {
      const { name } = this.#address;
      stub = this.#placement.finder(this.#env, { name, shard })() as unknown as PeerObject;
      this.#stubs.set(shard, stub);
    }
    try {
      return await stub.socketIoPeer(call);
    } catch (error) {
      // A stub that has seen its object fail stays broken.
      this.#stubs.delete(shard);
      throw error;
    }
  }
}
