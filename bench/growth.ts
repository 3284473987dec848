/** Measures whether a message costs more when more clients are connected, and what the pings of all of them cost. */
import { connect } from "./cold.ts";
import { Load } from "./load/client.ts";
import type { Check } from "./support/check.ts";
import { cpuOf, median, round } from "./support/compare.ts";
import { type Contestant, type Entrant, OURS, withAll } from "./support/contestants.ts";
import { readCounts, sleep } from "./support/counts.ts";
import type { Plan } from "./support/plan.ts";
import { maxOpenFiles } from "./support/process.ts";
import { startWorkerd } from "./support/servers.ts";

const FRAME = '42["all","a line of a chat, of usual length"]';
const ALL = 9_900;
const ECHO = { neighbours: [10, ALL], speakers: 10, each: 300 };
const BROADCAST = { receivers: [1_000, ALL], deliveries: 30_000 };
/** How much more one of many may cost than one of few. For a sum, `linear` means `the same` for each. */
const SAME = 1.3;
const MAX_TICK_US = 85;
const TICK_WITHIN_MS = 60_000;

/** The contestants take turns, and ours is printed beside the bare object. */
export async function benchGrowth(plan: Plan): Promise<Check[]> {
  const all = plan.entrants.filter(({ name }) => name === OURS || name === "bare object");
  const most = Math.min(plan.count(ALL), maxOpenFiles() / 2 - 100);
  const rows = [
    ...(await measure(all, plan, "echo", ECHO.neighbours)),
    ...(await measure(all, plan, "a receiver of a broadcast", BROADCAST.receivers)),
  ];
  console.table(rows);
  // A tick is due only after an interval, for which a quick run does not wait.
  if (plan.isQuick) return [];
  const tick = await tickCost(most);
  console.log(`tick with ${most} clients, pongs included: ${round(tick)} µs a socket`);
  const [few, many, some, most2] = rows.map((row) => row.ours as number);
  return [
    toCheck(`echo with ${ALL} neighbours / with 10`, SAME, many! / few!),
    toCheck(`a receiver of a broadcast to ${ALL} / to 1,000`, SAME, most2! / some!),
    toCheck(`tick with ${ALL} clients, µs a socket`, MAX_TICK_US, tick),
  ];
}

async function measure(
  all: readonly Entrant[],
  plan: Plan,
  what: "echo" | "a receiver of a broadcast",
  sizes: readonly number[],
): Promise<Record<string, unknown>[]> {
  return withAll(all, false, async (contestants) => {
    const rows: Record<string, unknown>[] = [];
    let open = 0;
    for (const size of sizes) {
      const clients = plan.count(what === "echo" ? size + ECHO.speakers : size);
      for (const one of contestants) await connect(one, clients - open, false);
      open = clients;
      const row: Record<string, unknown> = { "growth, µs of CPU": `${what}, ${size}` };
      for (const one of contestants) row[one.name] = round(await costOf(one, plan, what, clients));
      rows.push(row);
    }
    return rows;
  });
}

async function costOf(one: Contestant, plan: Plan, what: string, clients: number): Promise<number> {
  const work = () =>
    what === "echo"
      ? one.load.run("echo", plan.count(ECHO.each), 2, ECHO.speakers)
      : one.load.run("broadcast", FRAME, Math.ceil(plan.count(BROADCAST.deliveries) / clients));
  const samples: number[] = [];
  for (let i = 0; i < plan.rounds(11); i++) samples.push(await cpuOf(one, work));
  return median(samples.slice(plan.rounds(11) >> 2));
}

/** The CPU time from before the pings of a tick until all pongs have been answered, in µs per socket. */
async function tickCost(clients: number): Promise<number> {
  const server = await startWorkerd("ticking");
  const load = new Load();
  try {
    await load.run("openSockets", server.port, clients);
    await load.run("listen");
    await nextAlarm(server.port);
    // The tick after this one finds all clients connected.
    await sleep(3_000);
    const before = server.cpuUs();
    await nextAlarm(server.port);
    await sleep(3_000);
    return (server.cpuUs() - before) / clients;
  } finally {
    load.stop();
    await server.stop();
  }
}

async function nextAlarm(port: number): Promise<void> {
  const end = Date.now() + TICK_WITHIN_MS;
  const { alarm } = await readCounts(port);
  while ((await readCounts(port)).alarm === alarm) {
    if (Date.now() > end) throw new Error("no tick came");
    await sleep(100);
  }
}

function toCheck(what: string, bar: number, measured: number): Check {
  return { what, bar: `${bar}`, measured: `${round(measured)}`, isMet: measured <= bar };
}
