/** Counts what wakes the object, and what is written, during a minute in which 1,000 connected clients do nothing. */
import { Load } from "./load/client.ts";
import type { Check } from "./support/check.ts";
import { type Counts, countDuring, sleep } from "./support/counts.ts";
import type { ServerProcess } from "./support/process.ts";
import { startWorkerd } from "./support/servers.ts";

const CLIENTS = 1_000;
const MINUTE_MS = 60_000;
/** Pings are due every 0.9 x 25 s, which is at most three times in a minute. */
const MAX_PINGS = 3;

interface Minute extends Counts {
  readonly cpuMs: number;
}

/** Runs WebSocket clients and polling clients during the same minute, each kind in an object of its own. */
export async function benchIdle(): Promise<Check[]> {
  const [sockets, polls] = await Promise.all([
    minuteOf(async (load, port) => {
      await load.run("openSockets", port, CLIENTS);
      await load.run("listen");
    }),
    minuteOf(async (load, port) => {
      await load.run("openPolls", port, CLIENTS);
      await load.run("idle");
    }),
  ]);
  console.table([toRow("WebSocket", sockets), toRow("polling", polls)]);
  return [...checkSockets(sockets), ...checkPolls(polls)];
}

async function minuteOf(open: (load: Load, port: number) => Promise<void>): Promise<Minute> {
  const server = await startWorkerd("counted");
  const load = new Load();
  try {
    await open(load, server.port);
    // The work that belongs to connecting is over.
    await sleep(3_000);
    return await during(server);
  } finally {
    load.stop();
    await server.stop();
  }
}

async function during(server: ServerProcess): Promise<Minute> {
  const before = server.cpuUs();
  const counts = await countDuring(server.port, () => sleep(MINUTE_MS));
  return { ...counts, cpuMs: (server.cpuUs() - before) / 1_000 };
}

function checkSockets({ alarm, instances, fetch, message, close, rowsWritten, alarmsSet }: Minute): Check[] {
  const events = alarm + fetch + message + close;
  return [
    {
      what: "idle minute, WebSocket: events",
      bar: `one an interval (${MAX_PINGS})`,
      measured: `${events}`,
      isMet: events <= MAX_PINGS,
    },
    {
      what: "idle minute, WebSocket: it slept before each",
      bar: `${events}`,
      measured: `${instances}`,
      isMet: instances === events,
    },
    rowsCheck("WebSocket", rowsWritten, alarmsSet),
  ];
}

function checkPolls({ fetch, close, message, rowsWritten, alarmsSet }: Minute): Check[] {
  const most = MAX_PINGS * CLIENTS;
  return [
    {
      what: "idle minute, polling: GETs and closed channels",
      bar: `one each a client and interval (${most})`,
      measured: `${fetch} and ${close}`,
      isMet: Math.max(fetch, close) <= most && message === 0,
    },
    rowsCheck("polling", rowsWritten, alarmsSet),
  ];
}

function rowsCheck(kind: string, rowsWritten: number, alarmsSet: number): Check {
  return {
    what: `idle minute, ${kind}: rows written besides the alarm`,
    bar: "0",
    measured: `${rowsWritten - alarmsSet}`,
    isMet: rowsWritten === alarmsSet && alarmsSet <= MAX_PINGS,
  };
}

function toRow(kind: string, minute: Minute): Record<string, unknown> {
  return {
    [`a minute, ${CLIENTS} idle clients`]: kind,
    instances: minute.instances,
    requests: minute.fetch,
    "WebSocket messages": minute.message,
    "closed channels": minute.close,
    alarms: minute.alarm,
    "rows written": minute.rowsWritten,
    "of these the alarm": minute.alarmsSet,
    "rows read": minute.rowsRead,
    "CPU of the process, ms": Math.round(minute.cpuMs),
  };
}
