/**
 * As many clients as the machine takes, 20,000 if it can, on several objects of one server, and 20 broadcasts, one a
 * second, each of which has to reach each client once: `node bench/crowd.ts [clients] [objects]`, with 1, 2, 4, 8 or 16
 * objects (8 by default). Needs two file descriptors a client in workerd and one here (`ulimit -n`).
 */
import { WebSocket } from "ws";
import { readCounts } from "./support/counts.ts";
import { startWorkerd } from "./support/servers.ts";

const CLIENTS = Number(process.argv[2] ?? 20_000);
const OBJECTS = Number(process.argv[3] ?? 8);
const BROADCASTS = 20;
const EVERY_MS = 1_000;
const AT_ONCE = 100;

/** A client that counts the events it receives, by their text. */
function join(port: number, heard: Map<string, number>): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
    perMessageDeflate: false,
  });
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (data) => {
      const frame = String(data);
      if (frame === "2") socket.send("3");
      else if (frame[0] === "0") socket.send("40");
      else if (frame.startsWith("40")) resolve(socket);
      else if (frame.startsWith("42")) heard.set(frame, (heard.get(frame) ?? 0) + 1);
    });
  });
}

const server = await startWorkerd(OBJECTS === 1 ? "counted" : `spread${OBJECTS}`);
try {
  const heard = Array.from({ length: CLIENTS }, () => new Map<string, number>());
  const sockets: WebSocket[] = [];
  const start = performance.now();
  for (let i = 0; i < CLIENTS; i += AT_ONCE) {
    const some = heard.slice(i, i + AT_ONCE).map((map) => join(server.port, map));
    sockets.push(...(await Promise.all(some)));
  }
  console.log(`${sockets.length} clients after ${Math.round((performance.now() - start) / 1_000)} s`);
  const before = server.cpuUs();
  for (let i = 0; i < BROADCASTS; i++) {
    const began = performance.now();
    const frame = `42["message","${i}"]`;
    sockets[(i * 997) % CLIENTS]!.send(`42["all","${i}"]`);
    while (!heard.every((map) => map.has(frame))) {
      if (performance.now() - began > 60_000) throw new Error(`not everybody has heard broadcast ${i}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const tookMs = performance.now() - began;
    console.log(`broadcast ${i}: ${Math.round(tookMs)} ms`);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, EVERY_MS - tookMs)));
  }
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const wrong = heard.filter(
    (map) => map.size !== BROADCASTS || [...map.values()].some((count) => count !== 1),
  );
  console.log(`CPU a delivery: ${((server.cpuUs() - before) / (CLIENTS * BROADCASTS)).toFixed(1)} µs`);
  console.log(`memory of workerd: ${Math.round(server.rssBytes() / 1e6)} MB`);
  console.log(`calls between objects: ${(await readCounts(server.port)).peers}, hellos included`);
  console.log(`${CLIENTS - wrong.length} of ${CLIENTS} have each of ${BROADCASTS} broadcasts once`);
  if (wrong.length > 0) process.exitCode = 1;
} finally {
  await server.stop();
}
process.exit();
