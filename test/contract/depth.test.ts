import { fileURLToPath } from "node:url";
import { io, type Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Calls } from "../fixtures/apps/cluster.ts";
import type { Running } from "../support/app.ts";
import { ask, connected } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { keysOf } from "../support/shard-keys.ts";
import { targets } from "../support/targets.ts";

const SHARDS = 3;
const keys = keysOf(SHARDS);
const pathOf = (name: string) => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));

/** The application of the cluster tests, whose setup asks the other objects first. */
const WORKER = `
import { defineServer } from ${pathOf("../../src/index.ts")};
import { setup } from ${pathOf("../fixtures/apps/cluster.ts")};
import { takeDepths, withDepth } from ${pathOf("../support/depth.ts")};
const server = defineServer(
  { name: ({ _query }) => _query.name, shards: ${SHARDS}, shardBy: ({ _query }) => _query.key, maxSessions: 2 },
  async (io, { shard }) => {
    await io.fetchSockets();
    setup(io);
    io.on("rally", (left) => {
      if (left % ${SHARDS} === Number(shard)) io.serverSideEmit("rally", left - 1);
    });
  },
);
export class SessionObject extends withDepth(server.SessionObject) {}
export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/depths") return Response.json(takeDepths());
    const name = searchParams.get("name");
    const emitter = () => server.emitter(env, { name });
    if (pathname === "/emit") return Response.json((await emitter().emit("news")) ?? null);
    if (pathname === "/fetch") return Response.json((await emitter().fetchSockets()).length);
    if (pathname === "/peer") {
      const stub = env.SESSIONS.get(env.SESSIONS.idFromName(name + "#1"));
      return Response.json(await stub.socketIoPeer(await request.json()));
    }
    return server.app.fetch(request, env, ctx);
  },
};
`;

/**
 * Production limits how deep calls between objects may nest, and the local runtime does not. So each call waits here
 * until its object has answered those who call it. What is not answered by then waits for it, and is one level above.
 */
describe.runIf(targets.includes("edge"))("calls between objects nest no deeper than two", () => {
  let server: Running;
  let sockets: Socket[] = [];
  /** Each test has a server of its own, whose objects do not know each other yet. */
  let name = "";
  let count = 0;
  beforeEach(() => {
    name = `server-${count++}`;
  });
  beforeAll(async () => {
    server = await startWorker(await bundle(WORKER), undefined, undefined, SHARDS);
  });
  afterEach(() => {
    for (const socket of sockets) socket.disconnect();
    sockets = [];
  });
  afterAll(() => server?.close());

  async function join(shard: number): Promise<Socket> {
    const query = { name, key: keys[shard] };
    const socket = io(server.url, { transports: ["websocket"], forceNew: true, reconnection: false, query });
    sockets.push(socket);
    await connected(socket);
    return socket;
  }

  const get = async (path: string, init?: RequestInit) =>
    (await fetch(`${server.url}${path}?name=${name}`, init)).json();
  const takeDepths = async () => (await get("/depths")) as number[];
  const act = (socket: Socket, ...calls: Calls) => ask(socket, "io", calls);

  /** A client on each object, and what their handshakes needed is forgotten. */
  async function joinAll(): Promise<[Socket, Socket, Socket]> {
    const all = await Promise.all([join(0), join(1), join(2)]);
    await act(all[0], ["fetchSockets"]);
    await takeDepths();
    return all;
  }

  /** The deepest call of those that something has caused. */
  async function deepest(cause: () => Promise<unknown>): Promise<number> {
    await takeDepths();
    await cause();
    const depths = await takeDepths();
    expect(depths.length).toBeGreaterThan(0);
    return Math.max(...depths);
  }

  it("when the first clients arrive, while the setup functions of all objects ask each other", async () => {
    // A handshake waits until the other objects have heard of the new one.
    expect(await deepest(() => Promise.all([join(0), join(1), join(2)]))).toBe(2);
  });

  it("when full objects pass a client on", async () => {
    await Promise.all([join(0), join(0)]);
    expect(await deepest(() => join(0))).toBe(2);
    expect(new Set(sockets.map(({ id }) => id!.slice(0, 2))).size).toBe(2);
  });

  it("when a new object hears of one that older code had", async () => {
    const hello = {
      v: 1,
      type: "batch",
      from: "7",
      epoch: 1,
      number: 1,
      messages: [{ type: "hello", nsp: "/" }],
    };
    await join(1);
    await get("/peer", { method: "POST", body: JSON.stringify(hello) });
    expect(await deepest(() => join(0))).toBe(2);
    const [ann] = sockets;
    expect(await deepest(() => act(ann!, ["emit", "news"], ["of", "/"]))).toBeLessThanOrEqual(2);
  });

  it.each<[what: string, ...calls: Calls[]]>([
    [
      "broadcasts",
      [["emit", "news"]],
      [
        ["to", "room"],
        ["emit", "news"],
      ],
    ],
    ["volatile broadcasts", [["volatile"], ["emit", "news"]]],
    ["fetchSockets", [["fetchSockets"]]],
    [
      "broadcasts with acknowledgements",
      [
        ["timeout", 2_000],
        ["emitWithAck", "question"],
      ],
    ],
    ["serverSideEmit with acknowledgements", [["serverSideEmitWithAck", "between servers", "hello"]]],
    ["serverSideEmit", [["serverSideEmit", "between servers", "hello"]]],
    ["rooms", [["socketsJoin", "room"]], [["socketsLeave", "room"]]],
    [
      "disconnects",
      [
        ["in", "nobody"],
        ["disconnectSockets", true],
      ],
    ],
  ])("for %s", async (_what, ...all) => {
    const clients = await joinAll();
    for (const client of clients) client.on("question", (answer) => answer("yes"));
    for (const calls of all) {
      const depth = await deepest(async () => {
        await act(clients[0], ...calls);
        // This comes after everything that the object said before.
        await act(clients[0], ["fetchSockets"]);
      });
      expect(depth).toBe(1);
    }
  });

  it.each(["/emit", "/fetch"])("for what an emitter has one object pass on (%s)", async (path) => {
    const [ann] = await joinAll();
    const depth = await deepest(async () => {
      await get(path);
      await act(ann, ["fetchSockets"]);
    });
    expect(depth).toBe(path === "/fetch" ? 2 : 1);
  });

  it("however often objects answer each other's messages with messages", async () => {
    const [ann] = await joinAll();
    await act(ann, ["serverSideEmit", "rally", 29]);
    const depths: number[] = [];
    await expect
      .poll(async () => depths.push(...(await takeDepths())), { timeout: 10_000 })
      .toBeGreaterThanOrEqual(2 * 29);
    expect(Math.max(...depths)).toBe(1);
  });
});
