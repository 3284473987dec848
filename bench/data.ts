/** Measures what a change of `io.data` costs, beside writing the same state by hand with `ctx.storage.kv.put`. */
import type { Check } from "./support/check.ts";
import { median, round } from "./support/compare.ts";
import { startWorkerd } from "./support/servers.ts";

const HOWS = ["nothing", "put", "property", "entry"] as const;
const MESSAGES = 1_000;
/** The number of messages that are under way at the same time. */
const WINDOW = 10;
/** The most that a message which changes 1 kB in `io.data` may cost, as a multiple of one that writes it by hand. */
const TIMES = 1.2;

export async function benchData(rounds: number): Promise<Check[]> {
  const server = await startWorkerd("data");
  try {
    const socket = await connect(server.port);
    const costs = new Map<string, number[]>(HOWS.map((how) => [how, []]));
    for (let i = -1; i < rounds; i++) {
      for (const how of HOWS) {
        const before = server.cpuUs();
        await exchange(socket, how);
        if (i >= 0) costs.get(how)?.push((server.cpuUs() - before) / MESSAGES);
      }
    }
    socket.close();
    const of = (how: (typeof HOWS)[number]) => median(costs.get(how) ?? []);
    console.table(
      HOWS.map((how) => ({
        "a message changes 1 kB": how,
        "CPU, µs": round(of(how)),
        "of a put": round(of(how) / of("put")),
        "of the write alone": round((of(how) - of("nothing")) / (of("put") - of("nothing"))),
      })),
    );
    return (["property", "entry"] as const).map((how) => ({
      what: `io.data: a message that changes 1 kB (${how}), of one that writes it by hand`,
      bar: `${TIMES}`,
      measured: `${round(of(how) / of("put"))}`,
      isMet: of(how) <= TIMES * of("put"),
    }));
  } finally {
    await server.stop();
  }
}

async function connect(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  await new Promise<void>((resolve, reject) => {
    socket.onerror = () => reject(new Error("no connection"));
    socket.onmessage = ({ data }) => {
      if (data[0] === "0") socket.send("40");
      else resolve();
    };
  });
  return socket;
}

function exchange(socket: WebSocket, how: string): Promise<void> {
  let [sent, heard] = [0, 0];
  const send = () => socket.send(`42["${how}",${sent++}]`);
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      if (data === "2") socket.send("3");
      else if (++heard === MESSAGES) resolve();
      else if (sent < MESSAGES) send();
    };
    while (sent < WINDOW) send();
  });
}
