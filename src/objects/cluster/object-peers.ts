import type { ClusterAnswer, ClusterCall, Peers } from "../../server/cluster/messages.ts";
import type { Address } from "../placement/object-name.ts";
import type { Placement } from "../placement/placement.ts";
import { shardOfSocket, toSocketId } from "../placement/socket-code.ts";

/** What an object offers to the other objects of its server. */
interface PeerObject {
  socketIoPeer(call: ClusterCall): Promise<ClusterAnswer>;
}

/** The other objects of an object's server, reached over stubs. */
export class ObjectPeers implements Peers {
  readonly #env: Cloudflare.Env;
  readonly #placement: Placement;
  readonly #address: Address;
  readonly #others: readonly string[];
  readonly #stubs = new Map<string, PeerObject>();

  constructor(env: Cloudflare.Env, placement: Placement, address: Address) {
    this.#env = env;
    this.#placement = placement;
    this.#address = address;
    this.#others = placement.shards.filter((shard) => shard !== address.shard);
  }

  get self(): string {
    return this.#address.shard;
  }

  all(): readonly string[] {
    return this.#others;
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
