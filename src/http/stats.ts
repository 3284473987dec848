import type { ObjectStats } from "../objects/object-runtime.ts";
import { MAIN } from "../objects/placement/object-name.ts";
import type { Placement } from "../objects/placement/placement.ts";
import { add } from "../objects/tally.ts";
import { inTime, Timers } from "../shared/timers.ts";
import { requireNumber, withDefaults } from "../shared/with-defaults.ts";
import { STATS_TIMEOUT_MS } from "./constants.ts";

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
  /** How long an object may take to answer, ms. @default 5000 */
  readonly timeout?: number;
}

/** One object, as it described itself. */
export interface NamedStats extends ObjectStats {
  readonly name: string;
  readonly shard: string;
}

/** An object that did not answer, and why. */
export interface FailedStats {
  readonly name: string;
  readonly shard: string;
  /** The message of its error, or that no answer came in time. */
  readonly error: string;
}

/** What `stats` returns. */
export interface ServerStats {
  readonly objects: readonly NamedStats[];
  /** The objects that did not answer. Their numbers are missing in `sum` and `cost`. */
  readonly failed: readonly FailedStats[];
  /** The numbers of `objects`, added up; `since` is the earliest. */
  readonly sum: ObjectStats;
  /** What the objects have cost since then, in dollars: an estimate, without the Worker's own requests. */
  readonly cost: {
    readonly requests: number;
    readonly rowsWritten: number;
    readonly duration: number;
    readonly total: number;
  };
}

/** What an object has that has not been used, without the time. */
const NOTHING = {
  wakes: 0,
  requests: 0,
  messages: 0,
  alarms: 0,
  checks: 0,
  rowsWritten: 0,
  awakeObjects: 0,
  websocket: 0,
  polling: 0,
  awake: 0,
  asleep: 0,
  rooms: 0,
  queuedBytes: 0,
};

interface StatsTarget {
  socketIoStats(): Promise<ObjectStats>;
}

/** @throws Error for what is no name of a server, and for an option or a configuration that cannot be meant */
export async function fetchStats(
  placement: Placement,
  env: Cloudflare.Env,
  options: StatsOptions = {},
): Promise<ServerStats> {
  const { name: names, timeout } = withDefaults(options, { timeout: STATS_TIMEOUT_MS });
  const prices: Prices = { ...PRICES, ...options.prices };
  for (const [name, price] of Object.entries(prices))
    requireNumber(`prices.${name}`, price, "the list price");
  const timers = new Timers();
  const late = () => {
    throw new Error(`no answer within ${timeout} ms`);
  };
  const asked = [...new Set([names ?? MAIN].flat())].flatMap((name) =>
    placement.shards.map((shard) => {
      const target = placement.finder(env, { name, shard })().stub as unknown as StatsTarget;
      return inTime(timers, timeout, target.socketIoStats(), late).then(
        (stats): NamedStats => ({ name, shard, ...stats }),
        (error): FailedStats => ({ name, shard, error: String(error?.message ?? error) }),
      );
    }),
  );
  const answers = await Promise.all(asked);
  const failed = answers.filter((answer): answer is FailedStats => "error" in answer);
  const objects = answers.filter((answer): answer is NamedStats => !("error" in answer));
  const sum = addUp(objects);
  return { objects, failed, sum, cost: toCost(sum, prices) };
}

/** `since` is the earliest. */
function addUp(objects: readonly NamedStats[]): ObjectStats {
  let sum: ObjectStats = { ...NOTHING, since: Date.now() };
  for (const { name: _, shard: __, since, ...numbers } of objects) {
    sum = { ...add(sum, numbers), since: Math.min(sum.since, since) };
  }
  return sum;
}

function toCost(sum: ObjectStats, prices: Prices): ServerStats["cost"] {
  const events = sum.requests + sum.alarms;
  const seconds = ((events + sum.messages) * prices.eventMs + sum.checks * prices.checkMs) / 1_000;
  const requests = ((events + sum.messages / prices.messagesPerRequest) * prices.millionRequests) / 1e6;
  const rowsWritten = (sum.rowsWritten * prices.millionRowsWritten) / 1e6;
  const duration = (seconds * prices.gigabytes * prices.millionGbSeconds) / 1e6;
  return { requests, rowsWritten, duration, total: requests + rowsWritten + duration };
}
