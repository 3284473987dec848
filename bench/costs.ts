/** Counts the events and rows that a connect, a message and a poll cost, since these are what Cloudflare bills. */
import { Load } from "./load/client.ts";
import type { Check } from "./support/check.ts";
import { type Counts, countDuring, each } from "./support/counts.ts";
import type { ServerProcess } from "./support/process.ts";
import { startWorkerd } from "./support/servers.ts";

const CLIENTS = 100;

interface Step {
  readonly what: string;
  /** The rows that one unit may write. */
  readonly maxRows: number;
  /** Does the work, and returns how many units it was. */
  run(load: Load, server: ServerProcess): Promise<number>;
}

const STEPS: readonly Step[] = [
  {
    what: "connect by WebSocket",
    maxRows: 0,
    run: async (load, { port }) => {
      await load.run("openSockets", port, CLIENTS);
      return CLIENTS;
    },
  },
  { what: "message from a WebSocket, and one back", maxRows: 0, run: (load) => load.run("echo", 10, 1) },
  {
    what: "delivery to one of the WebSockets of a broadcast",
    maxRows: 0,
    run: (load) => load.run("broadcast", '42["all","hello"]', 10),
  },
  {
    what: "connect by polling",
    maxRows: 2,
    run: async (load, { port }) => {
      await load.run("openPolls", port, CLIENTS);
      return CLIENTS;
    },
  },
  { what: "GET that waits, POST, message on the GET", maxRows: 0, run: (load) => load.run("roundTrips", 2) },
  { what: "POST of three messages, GET that finds three", maxRows: 2, run: (load) => load.run("queue") },
  { what: "upgrade to WebSocket", maxRows: 1, run: (load) => load.run("upgrade") },
];

const RECOVERING: readonly Step[] = [
  {
    what: "recovery on: connect by WebSocket",
    maxRows: 1,
    run: async (load, { port }) => {
      await load.run("openSockets", port, CLIENTS);
      return CLIENTS;
    },
  },
  { what: "recovery on: ten messages in one turn, a client's first", maxRows: 2, run: sendTen },
  { what: "recovery on: ten messages in one turn", maxRows: 1, run: sendTen },
];

async function sendTen(load: Load): Promise<number> {
  const times = 20;
  for (let i = 0; i < times; i++) await load.run("first", '42["ten"]', i, 10);
  return times;
}

export async function benchCosts(): Promise<Check[]> {
  return [...(await measure("counted", STEPS)), ...(await measure("recovering", RECOVERING))];
}

async function measure(worker: string, steps: readonly Step[]): Promise<Check[]> {
  const server = await startWorkerd(worker);
  const load = new Load();
  try {
    // The first client of an object costs two more rows, for the object's name and its alarm.
    await load.run("openSockets", server.port, 1);
    const checks: Check[] = [];
    const rows: Record<string, unknown>[] = [];
    for (const { what, maxRows, run } of steps) {
      let units = 0;
      const counts = await countDuring(server.port, async () => {
        units = await run(load, server);
      });
      rows.push(toRow(what, counts, units));
      const written = each(counts.rowsWritten, units);
      checks.push({
        what: `rows written: ${what}`,
        bar: `${maxRows}`,
        measured: `${written}`,
        isMet: written <= maxRows,
      });
    }
    console.table(rows);
    return checks;
  } finally {
    load.stop();
    await server.stop();
  }
}

function toRow(what: string, counts: Counts, units: number): Record<string, unknown> {
  return {
    "one of them costs": what,
    requests: each(counts.fetch, units),
    "WebSocket messages": each(counts.message, units),
    "closed channels": each(counts.close, units),
    alarms: each(counts.alarm, units),
    "rows written": each(counts.rowsWritten, units),
    "rows read": each(counts.rowsRead, units),
  };
}
