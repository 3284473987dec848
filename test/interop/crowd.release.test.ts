import { io, type Socket } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { ask, connected } from "../support/clients.ts";
import { type RunningCluster, startCluster } from "../support/clusters.ts";
import { Random } from "../support/random.ts";

const SHARDS = 3;
const ROOMS = ["red", "blue", "green"];
const ROUNDS = 400;

/** What a client has seen since it connected. A restart of its object ends a life, and it begins another. */
interface Member {
  readonly socket: Socket;
  readonly shard: number;
  /** Rooms, and the number of the first message after it was in each. */
  rooms: Map<string, number>;
  heard: number[];
  /** The last number heard of each instance of an object. */
  last: Map<string, number>;
  isInOrder: boolean;
}

interface Said {
  readonly id: number;
  readonly room: string;
  readonly shard: number;
}

/**
 * The real thing, at random: clients on three objects that poll or have a WebSocket, join rooms and talk, while single
 * objects are put to sleep and restarted at any moment. What holds for every message, whatever happened:
 *
 * - nobody gets it twice, or out of the order in which its object said things
 * - who was in the room before it was said, and is there still without a break, has it, unless the object that said it
 * was
 *   restarted with it in hand, or gave it up aloud
 */
describe("a crowd over three objects that sleep and restart at random", () => {
  it.each(["hibernate", "close"] as const)(
    "hears everything once and in order (%s)",
    async (end) => {
      const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
      const random = new Random(seed);
      const cluster = await startCluster("edge", "crowd");
      try {
        await expect(play(cluster, random, end), `SEED=${seed}`).resolves.toBe("all is well");
      } finally {
        await cluster.close();
      }
    },
    240_000,
  );
});

async function play(cluster: RunningCluster, random: Random, end: "hibernate" | "close"): Promise<string> {
  const members = await Promise.all(
    Array.from({ length: 12 }, (_, i) => join(cluster, i % SHARDS, i % 4 === 0, end)),
  );
  const said: Said[] = [];
  /** By shard: messages that were said before it was last restarted may have gone with it. */
  const restarts: { shard: number; at: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const member = random.pick(members);
    const dice = random.below(100);
    if (dice < 12) await enter(member, random.pick(ROOMS), said);
    else if (dice < 92) {
      const room = random.pick(ROOMS);
      if (!member.socket.connected) continue;
      said.push({ id: said.length, room, shard: member.shard });
      member.socket.emit("say", room, said.length - 1);
    } else {
      const shard = random.below(SHARDS);
      if (end === "close") restarts.push({ shard, at: said.length });
      await cluster.evict(end, shard);
    }
    if (random.below(4) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(20)));
  }
  await settle(members);
  const flaws = members.flatMap((member) => check(member, said, restarts));
  for (const { socket } of members) socket.disconnect();
  return flaws.length === 0 ? "all is well" : flaws.slice(0, 5).join("\n");
}

async function join(
  cluster: RunningCluster,
  shard: number,
  isPolling: boolean,
  end: string,
): Promise<Member> {
  const { url, query } = cluster.servers[shard]!;
  // With restarts all poll: a WebSocket ends with its object, and what is said meanwhile is not for it.
  const transports = isPolling || end === "close" ? ["polling"] : ["websocket"];
  const socket = io(url, { transports, query, forceNew: true, reconnection: false });
  const member: Member = { socket, shard, rooms: new Map(), heard: [], last: new Map(), isInOrder: true };
  socket.on("said", (id: number, instance: string, count: number) => {
    member.heard.push(id);
    if (count <= (member.last.get(instance) ?? 0)) member.isInOrder = false;
    member.last.set(instance, count);
  });
  await connected(socket);
  return member;
}

async function enter(member: Member, room: string, said: Said[]): Promise<void> {
  if (!member.socket.connected || member.rooms.has(room)) return;
  await ask(member.socket, "join", room);
  member.rooms.set(room, said.length);
}

/** Everybody has what was said once nothing has come for a while, after all objects have answered all of them. */
async function settle(members: readonly Member[]): Promise<void> {
  for (let quiet = 0, before = -1; quiet < 4; ) {
    for (const { socket } of members) if (socket.connected) await ask(socket, "sync");
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = members.reduce((sum, { heard }) => sum + heard.length, 0);
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
}

function check(
  member: Member,
  said: readonly Said[],
  restarts: readonly { shard: number; at: number }[],
): string[] {
  const { heard, rooms, shard } = member;
  const flaws: string[] = [];
  if (new Set(heard).size !== heard.length) flaws.push(`one on ${shard} heard twice: ${heard}`);
  if (!member.isInOrder) flaws.push(`one on ${shard} heard an object out of order: ${heard}`);
  if (!member.socket.connected) return flaws;
  for (const { id, room, shard: from } of said) {
    const since = rooms.get(room);
    if (since === undefined || id < since || heard.includes(id)) continue;
    // The object that was to hand it on, or the client that said it was to, may have been cut off with it in hand.
    if (restarts.some((it) => it.shard === from && it.at >= id && it.at < id + 25)) continue;
    flaws.push(`one on ${shard} never heard ${id} of shard ${from} to ${room}`);
  }
  return flaws;
}
