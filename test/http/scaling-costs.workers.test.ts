import { describe, expect, it } from "vitest";
// @ts-expect-error vite gives the text of any file, which TypeScript does not know
import page from "../../docs/scaling.md?raw";
import { PRICES } from "../../src/index.ts";

const MONTH_S = 30 * 24 * 60 * 60;
const MINUTE_S = 60;
/** How often an object sees to its sessions when nothing happens: 0.9 times `pingInterval`. */
const TICK_S = 22.5;
/** What a delivery of a broadcast, and a call between two objects, take on a machine with nothing else to do, s. */
const DELIVERY_S = 29e-6;
const CALL_S = 500e-6;

/** How long a call between objects of one region, and of two, is under way, s. */
const ROUND_TRIPS_S = [0.01, 0.15];

const dollarsPerSecond = (PRICES.gigabytes * PRICES.millionGbSeconds) / 1e6;
const dollarsPerRequest = PRICES.millionRequests / 1e6;
const dollarsPerRow = PRICES.millionRowsWritten / 1e6;

/** What a month costs in which one of the members says something every so many seconds to all of them. */
function toCost(members: number, objects: number, everyS: number): number {
  const ticks = MONTH_S / TICK_S;
  const idle =
    objects * ticks * (dollarsPerRequest + dollarsPerRow) +
    members * ticks * (PRICES.checkMs / 1_000) * dollarsPerSecond;
  const messages = MONTH_S / everyS;
  const calls = messages * (objects - 1);
  const requests = (messages / PRICES.messagesPerRequest + calls) * dollarsPerRequest;
  return idle + requests + (messages * members * DELIVERY_S + calls * CALL_S) * dollarsPerSecond;
}

/** Units of 1,000 connections at $1.61 a day, with a million messages a day each, and $1 for each further million. */
function azure(members: number, everyS: number): number {
  const units = members / 1_000;
  const messages = (members * MONTH_S) / everyS;
  return units * 30 * 1.61 + Math.max(0, messages / 1e6 - units * 30);
}

/** $399, $1 for a million minutes of a connection, and $2.50 for a million messages, published or delivered. */
function ably(members: number, everyS: number): number {
  const messages = ((members + 1) * MONTH_S) / everyS;
  return 399 + (members * (MONTH_S / MINUTE_S)) / 1e6 + (2.5 * messages) / 1e6;
}

const RATES = [Number.POSITIVE_INFINITY, MINUTE_S, 1];
const toCents = (dollars: number) => `$${dollars.toFixed(2)}`;
const toThree = (dollars: number) => `$${Number(dollars.toPrecision(3)).toLocaleString("en")}`;

describe("docs/scaling.md", () => {
  it("has in its table of costs what follows from the prices and the measured figures", () => {
    const rows = new Map(
      [...(page as string).matchAll(/^\| ([^|]+) \| (\$[^|]+) \| (\$[^|]+) \| (\$[^|]+) \|$/gm)].map(
        ([, what, ...costs]) => [what, costs],
      ),
    );
    const ours = (members: number, objects: number) =>
      RATES.map((everyS) => toCents(toCost(members, objects, everyS)));
    const theirs = (cost: typeof azure, members: number) =>
      RATES.map((everyS) => toThree(cost(members, everyS)));
    expect(Object.fromEntries(rows)).toEqual({
      "1,000 on 1": ours(1_000, 1),
      "1,000 with Azure Web PubSub": theirs(azure, 1_000),
      "1,000 with Ably, older accounts": theirs(ably, 1_000),
      "10,000 on 2": ours(10_000, 2),
      "10,000 with Azure Web PubSub": theirs(azure, 10_000),
      "10,000 with Ably, older accounts": theirs(ably, 10_000),
      "100,000 on 8": ours(100_000, 8),
      "100,000 on 16": ours(100_000, 16),
      "100,000 with Azure Web PubSub": theirs(azure, 100_000),
      "100,000 with Ably, older accounts": theirs(ably, 100_000),
    });
  });

  it("says what the time costs in which an object waits for the others, and what a call costs", () => {
    // The calls of one message are under way at the same time.
    const waits = ROUND_TRIPS_S.map((roundTripS) => MONTH_S * roundTripS * dollarsPerSecond);
    const deliveries = dollarsPerRequest / (DELIVERY_S * dollarsPerSecond);
    const text = (page as string).replaceAll(/\s+/g, " ");
    const said = (pattern: RegExp) => pattern.exec(text)?.slice(1);
    expect(said(/message a second adds (\S+) where a round trip takes 10 ms, and (\S+) at 150 ms/)).toEqual(
      waits.map(toCents),
    );
    expect(said(/at most (\S+) for an object that always waits/)).toEqual([
      toCents(MONTH_S * dollarsPerSecond),
    ]);
    expect(said(/costs as much as (\S+) deliveries/)).toEqual([
      (Math.round(deliveries / 100) * 100).toLocaleString("en"),
    ]);
  });
});
