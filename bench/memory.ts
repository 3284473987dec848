/**
 * Measures V8's heap for a WebSocket client, awake and asleep, after a garbage collection. This is what counts towards
 * the 128 MB of an isolate. The process never gives memory back to the system, so its size says nothing about sleep;
 * `bench/resident.ts` measures that.
 */
import { Load } from "./load/client.ts";
import { readCounts, sleep } from "./support/counts.ts";
import { Inspector } from "./support/inspector.ts";
import { freePort, type ServerProcess } from "./support/process.ts";
import { startWorkerd } from "./support/servers.ts";

const CLIENTS = 2_000;
const ASLEEP_AFTER_MS = 11_500;

export async function benchMemory(clients = CLIENTS): Promise<void> {
  const rows = [await measure("sleepers", clients), await measure("control", clients)];
  console.table(rows);
}

async function measure(worker: string, clients: number): Promise<Record<string, unknown>> {
  const inspectorPort = await freePort();
  const server = await startWorkerd(worker, {
    flags: [`--inspector-addr=127.0.0.1:${inspectorPort}`],
    v8Flags: ["--expose-gc"],
  });
  const load = new Load();
  try {
    // Code is compiled and caches are filled before the measurement begins.
    await load.run("openSockets", server.port, 50);
    const empty = await lookAt(server, inspectorPort);
    await load.run("openSockets", server.port, clients);
    const awake = await lookAt(server, inspectorPort);
    const { instances } = await readCounts(server.port);
    await sleep(ASLEEP_AFTER_MS);
    const asleep = await lookAt(server, inspectorPort);
    await load.run("first", '42["message","good morning"]', 0, 1);
    if ((await readCounts(server.port)).instances !== instances + 1)
      throw new Error("the object did not sleep");
    return {
      "bytes for one client": worker === "control" ? "bare object" : "ours",
      "heap, awake": Math.round((awake - empty) / clients),
      "heap, asleep": Math.round((asleep - empty) / clients),
    };
  } finally {
    load.stop();
    await server.stop();
  }
}

async function lookAt(server: ServerProcess, inspectorPort: number): Promise<number> {
  await fetch(`http://127.0.0.1:${server.port}/bench?gc`);
  return usedHeap(inspectorPort);
}

/** JavaScript objects, and the memory that the runtime holds for them. */
async function usedHeap(inspectorPort: number): Promise<number> {
  const inspector = await Inspector.open(inspectorPort);
  const { usedSize, embedderHeapUsedSize } =
    await inspector.call<Record<string, number>>("Runtime.getHeapUsage");
  inspector.close();
  return (usedSize ?? 0) + (embedderHeapUsedSize ?? 0);
}
