import { rank } from "../../src/objects/placement/hash.ts";
import { toShardNames } from "../../src/objects/placement/shards.ts";

/** A key that belongs to a shard. */
export function keyOf(shard: string, count: number): string {
  const shards = toShardNames(count);
  for (let key = 0; ; key++) if (rank(String(key), shards)[0] === shard) return String(key);
}

/** A key for each of so many shards, in their order. */
export function keysOf(count: number): string[] {
  return toShardNames(count).map((shard) => keyOf(shard, count));
}
