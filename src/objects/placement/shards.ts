import { MOST_IN_A_REGION } from "../constants.ts";
import { sortBy } from "./hash.ts";

type Hint = DurableObjectLocationHint;

/**
 * How many objects one server has: all together, or by the location hint with which they are made; `""` is for those
 * without one.
 */
export type ShardsOption = number | { readonly [Region in Hint | ""]?: number };

/**
 * Regions, and where about they lie (longitude, latitude). Their order is part of the ids of sockets, so later ones
 * come last. The first one stands for shards without a hint.
 * https://developers.cloudflare.com/durable-objects/reference/data-location/
 */
const REGIONS: readonly [hint: string, longitude: number, latitude: number][] = [
  ["", 0, 0],
  ["wnam", -120, 40],
  ["enam", -77, 39],
  ["sam", -47, -23],
  ["weur", 2, 49],
  ["eeur", 25, 50],
  ["apac", 110, 20],
  ["oc", 150, -33],
  ["afr", 28, -26],
  ["me", 55, 25],
  ["apac-ne", 139, 36],
  ["apac-se", 104, 1],
];

/** Where clients are of whom only the continent is known. */
const CONTINENTS: Readonly<Record<string, readonly [number, number]>> = {
  NA: [-95, 39],
  SA: [-58, -20],
  EU: [10, 50],
  AS: [100, 25],
  AF: [20, 0],
  OC: [140, -28],
  AN: [140, -60],
};

/** What of `request.cf` tells where a client is. */
export interface Whereabouts {
  readonly continent?: unknown;
  readonly longitude?: unknown;
  readonly latitude?: unknown;
}

/** One of a server's objects: its region, as a place in {@link REGIONS}, and its number there. */
export interface Shard {
  readonly region: number;
  readonly number: number;
}

/** The names of a server's shards: "0", "1" ..., or "weur-0" where they have a location hint. @throws Error */
export function toShardNames(option: ShardsOption = 1): string[] {
  const regions = typeof option === "number" ? { "": option } : option;
  const names = Object.entries(regions).flatMap(([hint, count]) => {
    const region = REGIONS.findIndex((it) => it[0] === hint);
    if (region < 0) throw new Error(`the option shards names "${hint}", which is no location hint`);
    if (!Number.isInteger(count) || count < 1 || count > MOST_IN_A_REGION) {
      throw new Error(`the option shards takes 1 to ${MOST_IN_A_REGION} objects a region, not ${count}`);
    }
    return Array.from({ length: count }, (_, number) => toShardName({ region, number }));
  });
  if (names.length === 0) throw new Error("the option shards names no region");
  return names;
}

export function toShardName({ region, number }: Shard): string {
  const hint = REGIONS[region]?.[0];
  return hint === "" ? String(number) : `${hint}-${number}`;
}

/** Undefined for what no server of this version can have. */
export function parseShard(name: string): Shard | undefined {
  const [, hint = "", digits = ""] = /^(?:([a-z-]+)-)?(\d{1,2})$/.exec(name) ?? [];
  const region = REGIONS.findIndex((it) => it[0] === hint);
  const number = Number(digits);
  if (digits === "" || region < 0 || number >= MOST_IN_A_REGION || String(number) !== digits)
    return undefined;
  return { region, number };
}

export function hintOf(shard: string): Hint | undefined {
  // The name of most shards is a digit, and has no hint.
  const region = shard.length === 1 ? 0 : (parseShard(shard)?.region ?? 0);
  return region === 0 ? undefined : (REGIONS[region]?.[0] as Hint);
}

/** Nearest first, as far as it is known where the client is; those of one region stay in the order given. */
export function byDistance(shards: readonly string[], where: Whereabouts | undefined): string[] {
  const from = toPoint(where);
  return from === undefined
    ? [...shards]
    : sortBy(shards, (shard) => distance(from, parseShard(shard)?.region ?? 0));
}

function toPoint(where: Whereabouts | undefined): readonly [number, number] | undefined {
  const longitude = Number.parseFloat(String(where?.longitude));
  const latitude = Number.parseFloat(String(where?.latitude));
  if (Number.isFinite(longitude) && Number.isFinite(latitude)) return [longitude, latitude];
  return CONTINENTS[String(where?.continent)];
}

/**
 * The less, the nearer: the cosine of the angle between the two, negated. Shards without a hint count as the farthest,
 * because nobody knows where they are.
 */
function distance([longitude, latitude]: readonly [number, number], region: number): number {
  if (region === 0) return 1;
  const [, to = 0, toLatitude = 0] = REGIONS[region] ?? [];
  const { sin, cos, PI } = Math;
  const [a, b, turn] = [latitude, toLatitude, to - longitude].map((degrees) => (degrees * PI) / 180);
  return -(sin(a!) * sin(b!) + cos(a!) * cos(b!) * cos(turn!));
}
