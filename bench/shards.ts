/**
 * One server over several objects: what a delivery costs beside one object, in the same run, and how many calls the
 * objects make. Latency between them is that of one process.
 */
import { Load } from "./load/client.ts";
import type { Check } from "./support/check.ts";
import { countDuring, sleep } from "./support/counts.ts";
import type { Plan } from "./support/plan.ts";
import type { ServerProcess } from "./support/process.ts";
import { startWorkerd } from "./support/servers.ts";

const MEMBERS = 960;
const TIMES = 20;
const ROUNDS = 15;
const MINUTE_MS = 60_000;
const FRAME = '42["all","hello"]';
/** The most that a delivery may cost over so many objects, as a multiple of one object. */
const BARS: Record<string, number> = { spread4: 1.1, spread16: 1.2 };

interface Running {
  readonly name: string;
  readonly server: ServerProcess;
  readonly load: Load;
  readonly costs: number[];
}

export async function benchShards(plan: Plan): Promise<Check[]> {
  return [...(await benchDelivery(plan)), ...(await benchCalls()), await benchIdle()];
}

/** CPU of the whole process for a delivery: one object twice, so that the noise shows, and several. */
async function benchDelivery(plan: Plan): Promise<Check[]> {
  const all = await Promise.all(["counted", "again", "spread4", "spread16"].map((name) => start(name)));
  try {
    for (const { load, server } of all) await load.run("openSockets", server.port, plan.count(MEMBERS));
    for (let round = -2; round < plan.rounds(ROUNDS); round++) {
      for (const { load, server, costs } of all) {
        const before = server.cpuUs();
        const deliveries = await load.run("broadcast", FRAME, TIMES);
        if (round >= 0) costs.push((server.cpuUs() - before) / deliveries);
      }
    }
    const [one, again, ...several] = all.map(({ name, costs }) => ({ name, cost: median(costs) }));
    console.table([one, again, ...several]);
    const noise = again!.cost / one!.cost;
    return several.map(({ name, cost }) => ({
      what: `delivery to ${MEMBERS} members, ${name} against one object`,
      bar: `${(BARS[name]! * Math.max(1, noise)).toFixed(2)} x`,
      measured: `${(cost / one!.cost).toFixed(2)} x`,
      isMet: cost / one!.cost <= BARS[name]! * Math.max(1, noise),
    }));
  } finally {
    for (const one of all) await stop(one);
  }
}

/** How often objects call each other. */
async function benchCalls(): Promise<Check[]> {
  const one = await start("spread16");
  const { load, server } = one;
  try {
    await load.run("openSockets", server.port, 64);
    const during = async (frame: string, receivers: number) => {
      const { peers } = await countDuring(server.port, () => load.run("first", frame, 0, receivers));
      return peers;
    };
    const burst = await during('42["burst",200]', 200);
    // It asks the 15 others who is there first, which takes two calls each.
    const elsewhere = (await during('42["elsewhere"]', 1)) - 2 * 15;
    return [
      { what: "200 broadcasts over 16 objects: calls", bar: "40", measured: `${burst}`, isMet: burst <= 40 },
      { what: "to(socket.id) elsewhere: calls", bar: "1", measured: `${elsewhere}`, isMet: elsewhere === 1 },
    ];
  } finally {
    await stop(one);
  }
}

/** Nothing is said: each object has its own ticks, and no call is made. */
async function benchIdle(): Promise<Check> {
  const one = await start("spread16");
  try {
    await one.load.run("openSockets", one.server.port, 1_600);
    await one.load.run("listen");
    await sleep(3_000);
    const { alarm, fetch, message, peers } = await countDuring(one.server.port, () => sleep(MINUTE_MS));
    return {
      what: "idle minute of 16 objects with 100 WebSockets each: alarms, other events, calls",
      bar: "48, 0, 0",
      measured: `${alarm}, ${fetch + message}, ${peers}`,
      isMet: alarm <= 48 && fetch + message + peers === 0,
    };
  } finally {
    await stop(one);
  }
}

async function start(name: string): Promise<Running> {
  const server = await startWorkerd(name === "again" ? "counted" : name, { name });
  return { name, server, load: new Load(), costs: [] };
}

async function stop({ load, server }: Running): Promise<void> {
  load.stop();
  await server.stop();
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
