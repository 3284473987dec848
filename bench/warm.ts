/**
 * Measures the CPU time of the server for an echo, a connect, a delivery and a poll, once all of its code is compiled.
 */
import { connect } from "./cold.ts";
import type { Check } from "./support/check.ts";
import { type Bar, type Comparison, compare, cpuOf, printComparisons, toChecks } from "./support/compare.ts";
import { BARE, BASE, type Contestant, type Entrant, PARTYSERVER, withAll } from "./support/contestants.ts";
import { sleep } from "./support/counts.ts";
import type { Plan } from "./support/plan.ts";

const ECHO = { what: "echo, after 60,000 messages", sockets: 50, warmUp: 1_200, each: 60, window: 2 };
const CONNECT = { what: "connect, after 2,000", warmUp: 10, sockets: 200 };
const DELIVERIES = 10_000;
const FRAME = '42["all","a line of a chat, of usual length"]';
const POLLING = { what: "polling, a round trip", clients: 40, warmUp: 40, each: 4 };
const UPGRADE = { what: "connect by polling and upgrade", clients: 40, warmUp: 10 };

const BARS: readonly Bar[] = [
  { what: ECHO.what, times: 1.15, than: BARE },
  { what: ECHO.what, times: 1, than: PARTYSERVER },
  { what: CONNECT.what, times: 1.2, than: BARE },
  { what: toFanOut(200), times: 1.1, than: BARE },
  { what: toFanOut(1_000), times: 1.06, than: BARE },
  { what: POLLING.what, times: 1.25, than: BARE },
  { what: UPGRADE.what, times: 0.85, than: BASE },
];

export function benchEcho(plan: Plan, compression: boolean): Promise<Check[]> {
  return contest(plan, compression, async (all) => {
    const { what, sockets, warmUp, each, window } = ECHO;
    for (const one of all) {
      await connect(one, plan.count(sockets));
      await one.load.run("echo", plan.count(warmUp), window);
    }
    return compare(all, { rounds: plan.rounds(31) }, async (one) => ({
      [what]: await cpuOf(one, () => one.load.run("echo", plan.count(each), window)),
    }));
  });
}

export function benchConnect(plan: Plan, compression: boolean): Promise<Check[]> {
  return contest(plan, compression, async (all) => {
    const { what, sockets } = CONNECT;
    const options = { rounds: plan.rounds(21), warmUp: plan.rounds(CONNECT.warmUp) };
    return compare(all, options, async (one) => {
      const cost = await cpuOf(one, () => connect(one, plan.count(sockets)));
      await one.load.run("closeSockets");
      await sleep(100);
      return { [what]: cost };
    });
  });
}

export function benchFanOut(plan: Plan, compression: boolean, sockets: number): Promise<Check[]> {
  return contest(plan, compression, async (all) => {
    for (const one of all) await connect(one, plan.count(sockets));
    const options = { rounds: plan.rounds(31), warmUp: plan.rounds(6) };
    return compare(all, options, async (one) => ({
      [toFanOut(sockets)]: await cpuOf(one, () => one.load.run("broadcast", FRAME, DELIVERIES / sockets)),
    }));
  });
}

export function benchPolling(plan: Plan, compression: boolean): Promise<Check[]> {
  return contest({ ...plan, entrants: thatPoll(plan) }, compression, async (all) => {
    const { what, clients, warmUp, each } = POLLING;
    for (const { load, server } of all) {
      await load.run("openPolls", server.port, plan.count(clients));
      await load.run("roundTrips", plan.count(warmUp));
    }
    return compare(all, { rounds: plan.rounds(31) }, async (one) => ({
      [what]: await cpuOf(one, () => one.load.run("roundTrips", plan.count(each))),
    }));
  });
}

/**
 * The steps of a stock client with its default options. The bare object has no upgrade, so its WebSocket connect
 * counts.
 */
export function benchUpgrade(plan: Plan, compression: boolean): Promise<Check[]> {
  return contest({ ...plan, entrants: thatPoll(plan) }, compression, async (all) => {
    const options = { rounds: plan.rounds(21), warmUp: plan.rounds(UPGRADE.warmUp) };
    return compare(all, options, async (one) => {
      const isBare = one.name.startsWith("bare");
      const cost = await cpuOf(one, () =>
        (isBare ? connect : connectAndUpgrade)(one, plan.count(UPGRADE.clients)),
      );
      await one.load.run(isBare ? "closeSockets" : "closeUpgraded");
      await sleep(100);
      return { [UPGRADE.what]: cost };
    });
  });
}

async function connectAndUpgrade({ load, server }: Contestant, count: number): Promise<number> {
  await load.run("openPolls", server.port, count);
  await load.run("upgrade");
  await sleep(60);
  return count;
}

function toFanOut(sockets: number): string {
  return `fan-out to ${sockets}, a delivery`;
}

function thatPoll({ entrants }: Plan): Entrant[] {
  return entrants.filter(({ polls }) => polls);
}

async function contest(
  { entrants }: Plan,
  compression: boolean,
  run: (all: readonly Contestant[]) => Promise<Comparison[]>,
): Promise<Check[]> {
  const comparisons = await withAll(entrants, compression, run);
  printComparisons("warm, µs of CPU", comparisons);
  return compression ? [] : toChecks(comparisons, BARS);
}
