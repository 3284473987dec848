import { fileURLToPath } from "node:url";
import { io, type Socket } from "socket.io-client";
import { afterEach, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { connected } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { Random } from "../support/random.ts";
import { keyOf } from "../support/shard-keys.ts";

const SHARDS = 3;
const REQUESTS = 3;
const MESSAGES = 400;
const index = fileURLToPath(new URL("../../src/index.ts", import.meta.url));

/** A Worker whose requests say numbers by one emitter, without waiting for what it returns. */
const WORKER = `
import { env } from "cloudflare:workers";
import { defineServer } from ${JSON.stringify(index)};

const chat = defineServer({ shards: ${SHARDS}, shardBy: ({ _query }) => _query.key ?? "" }, (io) => {
  io.on("connection", (socket) => socket.join("room"));
});
let hangs = false;
export class SessionObject extends chat.SessionObject {
  socketIoPeer(call) {
    return hangs && call.type === "relay" ? new Promise(() => {}) : super.socketIoPeer(call);
  }
}
const kept = chat.emitter(env);

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/hang") {
      hangs = true;
      const lost = kept.emit("n", 0, 0).catch(({ message }) => message);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const later = kept.emit("n", 0, 1).then(() => "done");
      hangs = false;
      return Response.json(await Promise.all([lost, later]));
    }
    const [, speaker] = /^\\/say\\/(\\d+)$/.exec(pathname) ?? [];
    if (speaker === undefined) return chat.app.fetch(request, env, ctx);
    const said = [];
    for (let n = 0; n < ${MESSAGES}; n++) {
      const emitter = [kept, kept.to("room"), kept.except("nobody")][n % 3];
      said.push(emitter.emit("n", Number(speaker), n).then(() => n, () => undefined));
      if (n % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return Response.json((await Promise.all(said)).filter((n) => n !== undefined));
  },
};
`;

describe("an emitter over three objects that hang or are interrupted", () => {
  let server: Running | undefined;
  const sockets: Socket[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.disconnect();
    await server?.close();
  });

  /** A client of a shard. Returns the numbers that it has heard, by who has said them. */
  async function join(url: string, shard: number, transport: "polling" | "websocket"): Promise<number[][]> {
    const query = { key: keyOf(String(shard), SHARDS) };
    const socket = io(url, { query, transports: [transport], forceNew: true });
    const heard: number[][] = Array.from({ length: REQUESTS }, () => []);
    socket.on("n", (speaker: number, n: number) => heard[speaker]!.push(n));
    sockets.push(socket);
    await connected(socket);
    return heard;
  }

  it("rejects what a hanging object has not answered within 30 s, and goes on", async () => {
    server = await startWorker(await bundle(WORKER), undefined, undefined, SHARDS);
    const heard = await join(server.url, 0, "websocket");
    const answers = await (await fetch(`${server.url}/hang`)).json();
    expect(answers).toEqual(["no answer within 30000 ms", "done"]);
    await expect.poll(() => heard[0]).toEqual([1]);
  }, 60_000);

  it.each(["hibernate", "close"] as const)(
    "says nothing twice, and everything in order, when they are interrupted one by one (%s)",
    async (what) => {
      const running = await startWorker(await bundle(WORKER), undefined, undefined, SHARDS);
      server = running;
      const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
      const clients = await Promise.all(
        shards.flatMap((shard) => [
          join(running.url, shard, "polling"),
          join(running.url, shard, "websocket"),
        ]),
      );
      const random = new Random(Number(process.env.SEED ?? 1));
      let isOver = false;
      const saying = Promise.all(
        Array.from({ length: REQUESTS }, async (_, speaker) => {
          const response = await fetch(`${running.url}/say/${speaker}`);
          return (await response.json()) as number[];
        }),
      ).finally(() => {
        isOver = true;
      });
      let interruptions = 0;
      while (!isOver) {
        await running.evict(what, random.below(SHARDS));
        interruptions++;
        // Some messages are said in between.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const said = await saying;
      expect(interruptions).toBeGreaterThan(3);
      for (const heard of clients) {
        for (const [speaker, numbers] of heard.entries()) {
          if (what === "hibernate") await expect.poll(() => numbers.length).toBe(MESSAGES);
          expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
          expect(numbers.length).toBeGreaterThan(0);
          if (what === "hibernate") expect(said[speaker]).toEqual(numbers);
        }
      }
    },
    60_000,
  );
});
