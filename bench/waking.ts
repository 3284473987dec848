/**
 * Measures waking: 10,000 WebSocket clients are connected to an object that was removed from memory; then comes the
 * first message, and after another sleep the first broadcast to a room of 100. The bare object beside it has as many
 * clients, and finds the room of the broadcast in its attachments.
 */
import { Load } from "./load/client.ts";
import type { Check } from "./support/check.ts";
import { median, round } from "./support/compare.ts";
import { readCounts, sleep } from "./support/counts.ts";
import { maxOpenFiles, type ServerProcess } from "./support/process.ts";
import { startWorkerd } from "./support/servers.ts";

const CLIENTS = 10_000;
const ROOM = 100;
const MESSAGE = { frame: '42["message","good morning"]', bare: '42["message","good morning"]', receivers: 1 };
const MESSAGE_BAR_MS = 20;
const BROADCAST = { frame: '42["room","good morning"]', bare: '42["seek","good morning"]', receivers: ROOM };
/**
 * The bar is 60 ms on a machine where reading 10,000 attachments of 2 kB takes 27 ms (docs/design.md). Other machines
 * are judged by what the bare object needs for that.
 */
const BROADCAST_BAR = { ms: 60, times: 60 / 27 };
const JOIN = '420["join"]';
/** workerd removes an object from memory 10 s after its last event. */
const ASLEEP_AFTER_MS = 12_000;
const MIN_SAMPLES = 3;
/** When the sleeping clients are pinged (`bench/workers/sleepers.ts`), counted from the connection of the first. */
const TICK_AT_MS = 180_000;

interface Contestant {
  readonly server: ServerProcess;
  readonly load: Load;
}

export async function benchWaking(rounds: number): Promise<Check[]> {
  const clients = Math.min(CLIENTS, Math.floor((maxOpenFiles() - 200) / 2));
  if (clients < CLIENTS) {
    console.log(`${clients} clients in place of ${CLIENTS}: this machine allows no more open files`);
  }
  const started = Date.now();
  const [ours, control] = await Promise.all([
    open(await startWorkerd("sleepers"), clients),
    open(await startWorkerd("control"), clients),
  ]);
  try {
    const message = await measure(ours, control, rounds, MESSAGE);
    const broadcast = await measure(ours, control, rounds, BROADCAST);
    const tickMs = await measureTick(ours, started);
    console.table([
      toRow(`first message, ${clients} asleep`, message),
      toRow(`first broadcast to ${ROOM}, ${clients} asleep`, broadcast),
    ]);
    const tick = tickMs === undefined ? "missed" : `${tickMs} ms of CPU`;
    console.log(`pinging ${clients} sleeping clients, their answers included: ${tick}`);
    return [
      {
        what: `first message, ${clients} asleep, above the bare object`,
        bar: `${MESSAGE_BAR_MS} ms`,
        measured: `${round(message.ours - message.control)} ms`,
        isMet: message.ours - message.control <= MESSAGE_BAR_MS,
      },
      {
        what: `first broadcast to ${ROOM}, ${clients} asleep`,
        bar: `${BROADCAST_BAR.ms} ms, or ${round(BROADCAST_BAR.times)} x the bare object`,
        measured: `${round(broadcast.ours)} ms, ${round(broadcast.ours / broadcast.control)} x`,
        isMet: broadcast.ours <= Math.max(BROADCAST_BAR.ms, BROADCAST_BAR.times * broadcast.control),
      },
    ];
  } finally {
    for (const { load, server } of [ours, control]) {
      load.stop();
      await server.stop();
    }
  }
}

/** The last clients are in the room: in the bare object by their query, in ours because they joined it. */
async function open(server: ServerProcess, clients: number): Promise<Contestant> {
  const load = new Load();
  await load.run("openSockets", server.port, clients - ROOM);
  await load.run("openSockets", server.port, ROOM, "&room=1");
  await load.run("call", JOIN, clients - ROOM, ROOM);
  return { server, load };
}

interface Figures {
  readonly ours: number;
  readonly control: number;
}

/**
 * The medians of the time from the first byte sent to the last one received, in ms. Samples in which the object had not
 * slept do not count.
 */
async function measure(
  ours: Contestant,
  control: Contestant,
  rounds: number,
  { frame, bare, receivers }: typeof MESSAGE,
): Promise<Figures> {
  const samples = { ours: [] as number[], control: [] as number[] };
  for (let i = 0; i < rounds; i++) {
    await sleep(ASLEEP_AFTER_MS);
    // A different client each time, since one that has sent something before may still be in memory.
    const from = 10 * i;
    const first = async (contestant: Contestant, sent: string, into: number[]) => {
      const { instances } = await readCounts(contestant.server.port);
      const ms = await contestant.load.run("first", sent, from, receivers);
      const after = await readCounts(contestant.server.port);
      if (after.instances === instances + 1) into.push(ms);
      else
        console.log(`${contestant.server.name}: ${after.instances - instances} new instances, not counted`);
    };
    const turns = [() => first(ours, frame, samples.ours), () => first(control, bare, samples.control)];
    for (const turn of i % 2 === 0 ? turns : turns.toReversed()) await turn();
  }
  if (samples.ours.length < MIN_SAMPLES || samples.control.length < MIN_SAMPLES) {
    throw new Error("the objects did not sleep often enough to say anything");
  }
  return { ours: median(samples.ours), control: median(samples.control) };
}

/**
 * The CPU time of the process from before the pings until all pongs have been answered, in ms; undefined when no ping
 * arrived.
 */
async function measureTick({ server }: Contestant, started: number): Promise<number | undefined> {
  const wait = started + TICK_AT_MS - 4_000 - Date.now();
  if (wait < 0) return undefined;
  await sleep(wait);
  // An earlier tick has looked for clients that had joined no namespace, and pinged none.
  const { alarm } = await readCounts(server.port);
  const before = server.cpuUs();
  for (let i = 0; i < 80; i++) {
    await sleep(500);
    if ((await readCounts(server.port)).alarm === alarm) continue;
    await sleep(3_000);
    return Math.round((server.cpuUs() - before) / 1_000);
  }
  return undefined;
}

function toRow(what: string, { ours, control }: Figures): Record<string, unknown> {
  return { "until the answer, ms": what, ours: round(ours), control: round(control) };
}
