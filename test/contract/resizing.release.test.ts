import { fileURLToPath } from "node:url";
import { io, type Socket } from "socket.io-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rank } from "../../src/objects/placement/hash.ts";
import { type ShardsOption, toShardNames } from "../../src/objects/placement/shards.ts";
import type { Running } from "../support/app.ts";
import { ask, connected } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { targets } from "../support/targets.ts";

/** What the option `shards` says in one deploy after the other. */
const DEPLOYS: ShardsOption[] = [4, 8, 4, { "": 4, weur: 2, enam: 1 }, { weur: 2, enam: 1 }];
const EVERYWHERE: ShardsOption = { "": 8, weur: 2, enam: 1 };

/** An instance takes the code of the deploy that is current when it begins, as instances of a real deploy do. */
const WORKER = `
import { DurableObject } from "cloudflare:workers";
import { defineServer } from ${JSON.stringify(fileURLToPath(new URL("../../src/index.ts", import.meta.url)))};
// A broken poll is reopened after a random time, and a hundredth of that is enough for few clients.
const { random } = Math;
Math.random = () => random() / 100;
const servers = ${JSON.stringify(DEPLOYS)}.map((shards) => defineServer(
  { shards, shardBy: ({ _query }) => _query.key, pingInterval: 3000, pingTimeout: 20000 },
  (io, { shard }) => {
    io.on("connection", (socket) => {
      socket.on("say", (text) => io.emit("said", text));
      socket.on("where", (answer) => answer(shard));
      socket.on("count", async (answer) => answer(await io.of("/").adapter.serverCount()));
    });
  },
));
let current = 0;
export class SessionObject extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    return new servers[current].SessionObject(ctx, env);
  }
}
export default {
  fetch(request, env, ctx) {
    const { pathname, search } = new URL(request.url);
    if (pathname !== "/deploy") return servers[current].app.fetch(request, env, ctx);
    current = Number(search.slice(1));
    return new Response("deployed");
  },
};
`;

/** A stock client, what it has heard, and how often it has lost its connection. */
interface Client {
  readonly socket: Socket;
  readonly heard: string[];
  losses: number;
}

const isOnWebSocket = ({ socket }: Client) => socket.io.engine.transport.name === "websocket";

describe.runIf(targets.includes("edge"))("a server that a deploy gives other objects", () => {
  let server: Running;
  const clients: Client[] = [];
  let rounds = 0;
  beforeAll(async () => {
    server = await startWorker(await bundle(WORKER), undefined, undefined, EVERYWHERE);
  });
  afterAll(async () => {
    for (const { socket } of clients) socket.disconnect();
    await server?.close();
  });

  /** A client that polls, and one with a WebSocket, on this one of the objects of a deploy. */
  async function join(shard: string, deploy: number): Promise<void> {
    const shards = toShardNames(DEPLOYS[deploy]);
    let key = 0;
    while (rank(String(key), shards)[0] !== shard) key++;
    for (const transport of ["polling", "websocket"]) {
      const options = { transports: [transport], forceNew: true, reconnectionDelay: 10, query: { key } };
      const socket = io(server.url, options);
      const client: Client = { socket, heard: [], losses: 0 };
      socket.on("said", (text) => client.heard.push(text));
      socket.on("disconnect", () => client.losses++);
      clients.push(client);
      await connected(socket);
    }
  }

  /**
   * Everybody says something, and everybody hears each of it once. Who loses the connection meanwhile, because an
   * object ends its sessions, is not counted.
   */
  async function talk(): Promise<void> {
    for (const { socket } of clients) await connected(socket);
    const round = rounds++;
    const before = clients.map(({ losses }) => losses);
    for (const client of clients) client.heard.length = 0;
    for (const [i, { socket }] of clients.entries()) socket.emit("say", `${round} ${i}`);
    const missed = () => {
      const steady = [...clients.entries()].filter(([i, { losses }]) => losses === before[i]);
      return steady.flatMap(([i, { heard }]) =>
        steady.filter(([j]) => !heard.includes(`${round} ${j}`)).map(([j]) => `${i} has not heard ${j}`),
      );
    };
    await expect.poll(missed, { timeout: 10_000 }).toEqual([]);
    for (const { heard } of clients) expect(new Set(heard).size).toBe(heard.length);
  }

  /** The objects take the new code one after the other, and in between everybody talks. */
  async function deploy(number: number): Promise<void> {
    await fetch(`${server.url}/deploy?${number}`);
    for (const [i, shard] of toShardNames(EVERYWHERE).entries()) {
      const where = await places();
      const affected = clients.filter((client, j) => where[j] === shard && isOnWebSocket(client));
      const before = affected.map(({ losses }) => losses);
      await server.evict("close", i);
      await expect.poll(() => affected.every(({ losses }, j) => losses > before[j]!)).toBe(true);
      if (i % 3 === 0) await talk();
    }
    await talk();
  }

  /** What an object answers a client, which may have to ask again because it has lost its connection. */
  async function answerTo({ socket }: Client, question: string): Promise<unknown> {
    for (;;) {
      await connected(socket);
      const isLost = new Promise<undefined>((resolve) => socket.once("disconnect", () => resolve(undefined)));
      const answer = await Promise.race([ask(socket, question), isLost]);
      if (answer !== undefined) return answer;
    }
  }

  const places = () => Promise.all(clients.map((client) => answerTo(client, "where")));
  const counts = () => Promise.all(clients.map((client) => answerTo(client, "count")));

  /** The objects that are configured no more have ended their sessions, and the others have heard that. */
  async function expectOnly(shards: ShardsOption): Promise<void> {
    const names = toShardNames(shards);
    const isThere = async () => (await places()).every((shard) => names.includes(shard as string));
    await expect.poll(isThere, { timeout: 30_000, interval: 200 }).toBe(true);
    const isKnown = async () => {
      await talk();
      return (await counts()).every((count) => count === names.length);
    };
    await expect.poll(isKnown, { timeout: 20_000, interval: 200 }).toBe(true);
  }

  it("delivers to stock clients over both transports when it grows, and only WebSockets are lost", async () => {
    for (const shard of toShardNames(DEPLOYS[0])) await join(shard, 0);
    await talk();
    await deploy(1);
    for (const shard of ["4", "5", "6", "7"]) await join(shard, 1);
    await talk();
    const polling = clients.filter((client) => !isOnWebSocket(client));
    expect(polling.map(({ losses }) => losses)).toEqual(polling.map(() => 0));
  }, 60_000);

  it("delivers when it shrinks, and clients of objects that are no more come back to others", async () => {
    await deploy(2);
    await expectOnly(DEPLOYS[2]!);
  }, 60_000);

  it("delivers when it moves to regions by way of a deploy that names both", async () => {
    await deploy(3);
    for (const shard of ["weur-0", "weur-1", "enam-0"]) await join(shard, 3);
    await talk();
    await deploy(4);
    await expectOnly(DEPLOYS[4]!);
  }, 90_000);
});
