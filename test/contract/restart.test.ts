import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { io, type Socket } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { ask, connected } from "../support/clients.ts";
import { startEdge } from "../support/edge.ts";
import { keysOf } from "../support/shard-keys.ts";
import { targets } from "../support/targets.ts";
import { within } from "../support/within.ts";

/** A server of which a test ends the process, or the object, that a client is on. */
interface Mortal {
  readonly url: string;
  restart(): Promise<void>;
  close(): Promise<void>;
}

async function startNode(): Promise<Mortal> {
  const script = fileURLToPath(new URL("../fixtures/official-server.ts", import.meta.url));
  let child: ChildProcess;
  const launch = (port: number) => {
    child = spawn(process.execPath, [script, "contract", String(port)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const printed = new Promise<number>((resolve) =>
      child.stdout?.once("data", (line) => resolve(Number(line))),
    );
    return within(printed, "server on Node", 20_000);
  };
  const kill = () => {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    return gone;
  };
  const port = await launch(0);
  return {
    url: `http://127.0.0.1:${port}`,
    restart: async () => {
      await kill();
      await launch(port);
    },
    close: async () => void (await kill()),
  };
}

async function startObjects(shards: number): Promise<Mortal> {
  const { url, evict, close } = await startEdge("contract", "default", shards);
  return { url, restart: () => evict("close", 0), close };
}

const [key, other] = keysOf(3);
const SERVERS: Record<string, () => Promise<Mortal>> = {
  ...(targets.includes("official") && { "Socket.IO on Node": startNode }),
  ...(targets.includes("edge") && {
    "one object": () => startObjects(1),
    "three objects": () => startObjects(3),
  }),
};

/** What a client observes whose process or object ends and comes back, without recovery. */
const TRACE = [
  ["connect", "first id", false],
  ["welcome", "/"],
  ["disconnect", "transport close"],
  ["unanswered", "socket has been disconnected"],
  ["connect", "another id", false],
  ["echo", "said while away"],
  ["welcome", "/"],
];

describe.each(Object.keys(SERVERS))("a client with a WebSocket, on %s that restarts", (name) => {
  it("reconnects afresh: another id, no rooms, no data, and what it said while away arrives", async () => {
    const server = await SERVERS[name]!();
    const sockets: Socket[] = [];
    const open = (shard: string) => {
      const socket = io(server.url, {
        transports: ["websocket"],
        forceNew: true,
        reconnectionDelay: 50,
        query: { key: shard },
      });
      sockets.push(socket);
      return socket;
    };
    try {
      const socket = open(key!);
      const seen: unknown[][] = [];
      let first: string | undefined;
      socket.on("connect", () => {
        first ??= socket.id;
        seen.push(["connect", socket.id === first ? "first id" : "another id", socket.recovered === true]);
      });
      socket.on("disconnect", (reason) => {
        seen.push(["disconnect", reason]);
        socket.emit("echo", "said while away");
      });
      socket.onAny((...event) => seen.push(event));
      await connected(socket);
      expect(await ask(socket, "join", "red")).toEqual(["red"]);
      await ask(socket, "set", "name", "Ada");
      socket.emitWithAck("no such event").catch(({ message }) => seen.push(["unanswered", message]));
      const witness = open(other!);
      await connected(witness);
      let losses = 0;
      witness.on("disconnect", () => losses++);
      await server.restart();
      await expect.poll(() => seen.length, { timeout: 15_000 }).toBe(TRACE.length);
      // What arrives after the reconnection arrives in any order.
      expect([...seen.slice(0, 5), ...seen.slice(5).sort()]).toEqual(TRACE);
      expect(await ask(socket, "get", "name")).toBeNull();
      for (const client of [socket, witness]) {
        await connected(client);
        expect(await ask(client, "who", "red")).toEqual([]);
      }
      // A client of another process, or object, does not notice.
      expect(losses).toBe(name === "three objects" ? 0 : 1);
    } finally {
      for (const socket of sockets) socket.disconnect();
      await server.close();
    }
  });
});
