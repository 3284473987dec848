import { LETTERS, randomId } from "../../shared/ids.ts";
import { RANDOM_LETTERS } from "../constants.ts";
import { hash } from "./hash.ts";
import { parseShard, toShardName } from "./shards.ts";

/**
 * An id for a socket of a shard, as long as others: region, number in it, 15 random letters (90 bits), and three that
 * check the rest. So anybody can tell where the socket is, whatever the configuration says by then.
 */
export function toSocketId(shard: string): string {
  const { region, number } = parseShard(shard) ?? { region: 0, number: 0 };
  const body = LETTERS[region]! + LETTERS[number]! + randomId(RANDOM_LETTERS);
  return body + toCheck(body);
}

/**
 * The shard of a socket's id; undefined for every other room, but for one of 262,144 with 20 such letters. Anybody can
 * make an id that passes the check, so the caller has to know whether there is such a shard.
 */
export function shardOfSocket(room: string): string | undefined {
  if (room.length !== RANDOM_LETTERS + 5 || toCheck(room.slice(0, -3)) !== room.slice(-3)) return undefined;
  return toShardName({ region: LETTERS.indexOf(room[0]!), number: LETTERS.indexOf(room[1]!) });
}

function toCheck(body: string): string {
  const bits = hash(body);
  return LETTERS[bits & 63]! + LETTERS[(bits >> 6) & 63]! + LETTERS[(bits >> 12) & 63]!;
}
