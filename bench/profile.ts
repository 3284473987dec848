/**
 * Shows where the time of our server goes: `node bench/profile.ts connect|steady|echo|broadcast|polling [checkout]`
 * prints the functions that take most time, by themselves and with all that they call, as V8's sampling profiler sees
 * them.
 */
import { Load } from "./load/client.ts";
import { Inspector } from "./support/inspector.ts";
import { freePort } from "./support/process.ts";
import { startWorkerd } from "./support/servers.ts";

const SHOWN = 45;
const SAMPLE_US = 100;

interface Node {
  readonly id: number;
  readonly callFrame: { functionName: string; url: string; lineNumber: number };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly Node[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

type Work = (load: Load, port: number) => Promise<unknown>;

/** The work before the profiler starts, and the work that it records. */
const WORK: Record<string, { before: Work; during: Work }> = {
  connect: {
    before: async () => {},
    during: (load, port) => load.run("openSockets", port, 200),
  },
  steady: {
    before: async (load, port) => {
      for (let i = 0; i < 10; i++) {
        await load.run("openSockets", port, 200);
        await load.run("closeSockets");
      }
    },
    during: (load, port) => load.run("openSockets", port, 2_000),
  },
  echo: {
    before: async (load, port) => {
      await load.run("openSockets", port, 50);
      await load.run("echo", 1_200, 2);
    },
    during: (load) => load.run("echo", 1_200, 2),
  },
  /** Over several objects with BENCH_WORKER=spread16. */
  broadcast: {
    before: (load, port) => load.run("openSockets", port, 960),
    during: (load) => load.run("broadcast", '42["all","hello"]', 60),
  },
  polling: {
    before: async (load, port) => {
      await load.run("openPolls", port, 40);
      await load.run("roundTrips", 40);
    },
    during: (load) => load.run("roundTrips", 40),
  },
};

const [, , name = "connect", checkout] = process.argv;
const work = WORK[name];
if (work === undefined) throw new Error(`choose from ${Object.keys(WORK).join(", ")}`);

const inspectorPort = await freePort();
const server = await startWorkerd(process.env.BENCH_WORKER ?? "ours", {
  flags: [`--inspector-addr=127.0.0.1:${inspectorPort}`],
  ...(checkout && { checkout }),
});
const load = new Load();
try {
  await load.run("start");
  await work.before(load, server.port);
  const inspector = await Inspector.open(inspectorPort);
  await inspector.call("Profiler.enable");
  await inspector.call("Profiler.setSamplingInterval", { interval: SAMPLE_US });
  await inspector.call("Profiler.start");
  await work.during(load, server.port);
  const { profile } = await inspector.call<{ profile: Profile }>("Profiler.stop");
  inspector.close();
  print(profile);
} finally {
  load.stop();
  await server.stop();
}

function print({ nodes, samples, timeDeltas }: Profile): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const own = new Map<string, number>();
  const all = new Map<string, number>();
  let total = 0;
  samples.forEach((id, i) => {
    const us = timeDeltas[i] ?? 0;
    if (toName(byId.get(id)!) === "(idle)") return;
    total += us;
    add(own, toName(byId.get(id)!), us);
    const seen = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at))
      seen.add(toName(byId.get(at)!));
    for (const each of seen) add(all, each, us);
  });
  console.log(`${Math.round(total / 1_000)} ms without idle time`);
  table("alone", own);
  table("with what they call", all);
}

function add(sums: Map<string, number>, name: string, us: number): void {
  sums.set(name, (sums.get(name) ?? 0) + us);
}

function toName({ callFrame: { functionName, url, lineNumber } }: Node): string {
  return url === "" ? functionName : `${functionName || "(anonymous)"}:${lineNumber + 1}`;
}

function table(title: string, sums: Map<string, number>): void {
  const rows = [...sums].toSorted(([, a], [, b]) => b - a).slice(0, SHOWN);
  console.log(`\n${title}, ms`);
  for (const [name, us] of rows) console.log(`${(us / 1_000).toFixed(2).padStart(9)}  ${name}`);
}
