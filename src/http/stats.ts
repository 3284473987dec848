import type { ObjectStats } from "../objects/object-runtime.ts";
import { MAIN } from "../objects/placement/object-name.ts";
import type { Placement } from "../objects/placement/placement.ts";
import { add } from "../objects/tally.ts";

/** List prices in dollars, above what the plan includes, and what an estimate of the duration assumes. */
export interface Prices {
  readonly millionRequests: number;
  readonly millionRowsWritten: number;
  readonly millionGbSeconds: number;
  /** How many messages of WebSockets count as one request. */
  readonly messagesPerRequest: number;
  /** What an object is billed as, GB. */
  readonly gigabytes: number;
  /** How long a request, a message or an alarm is taken to keep the object at work, ms. */
  readonly eventMs: number;
  /** How much longer an alarm takes for each session that it looks at, ms. */
  readonly checkMs: number;
}

/**
 * Cloudflare's list prices of October 2026. Its own examples reckon with 10 ms for an event.
 * @see https://developers.cloudflare.com/durable-objects/platform/pricing/
 */
export const PRICES: Prices = {
  millionRequests: 0.15,
  millionRowsWritten: 1,
  millionGbSeconds: 12.5,
  messagesPerRequest: 20,
  gigabytes: 0.128,
  eventMs: 10,
  checkMs: 0.09,
};

/** Which objects `stats` asks, and with which prices it reckons. */
export interface StatsOptions {
  /** The names of servers, of which all shards are asked. @default "main" */
  readonly name?: string | readonly string[];
  /** Prices that differ from {@link PRICES}. */
  readonly prices?: Partial<Prices>;
}

/** One object, as it described itself. */
export interface NamedStats extends ObjectStats {
  readonly name: string;
  readonly shard: string;
}

/** What `stats` returns. */
export interface ServerStats {
  readonly objects: readonly NamedStats[];
  /** The same numbers, added up; `since` is the earliest. */
  readonly sum: ObjectStats;
  /** What the objects have cost since then, in dollars: an estimate, without the Worker's own requests. */
  readonly cost: {
    readonly requests: number;
    readonly rowsWritten: number;
    readonly duration: number;
    readonly total: number;
  };
}

interface StatsTarget {
  socketIoStats(): Promise<ObjectStats>;
}

export async function fetchStats(
  placement: Placement,
  env: Cloudflare.Env,
  { name: names = MAIN, prices }: StatsOptions = {},
): Promise<ServerStats> {
  const asked = [...new Set([names].flat())].flatMap((name) =>
    placement.shards.map((shard) => ({ name, shard })),
  );
  const objects = await Promise.all(
    asked.map(async (whom) => {
      const target = placement.finder(env, whom)() as unknown as StatsTarget;
      return { ...whom, ...(await target.socketIoStats()) };
    }),
  );
  const sum = addUp(objects);
  return { objects, sum, cost: toCost(sum, { ...PRICES, ...prices }) };
}

/** `since` is the earliest. */
function addUp(objects: readonly NamedStats[]): ObjectStats {
  let sum = { since: Date.now() };
  for (const { name: _, shard: __, since, ...numbers } of objects) {
    sum = { ...add<object>(numbers, sum), since: Math.min(sum.since, since) };
  }
  return sum as ObjectStats;
}

function toCost(sum: ObjectStats, prices: Prices): ServerStats["cost"] {
  const events = sum.requests + sum.alarms;
  const seconds = ((events + sum.messages) * prices.eventMs + sum.checks * prices.checkMs) / 1_000;
  const requests = ((events + sum.messages / prices.messagesPerRequest) * prices.millionRequests) / 1e6;
  const rowsWritten = (sum.rowsWritten * prices.millionRowsWritten) / 1e6;
  const duration = (seconds * prices.gigabytes * prices.millionGbSeconds) / 1e6;
  return { requests, rowsWritten, duration, total: requests + rowsWritten + duration };
}
