import { io, type Socket } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { ask, connected } from "../support/clients.ts";
import { type RunningCluster, startEdgeCluster } from "../support/clusters.ts";
import { Random } from "../support/random.ts";

const SHARDS = 8;
/** The objects on which somebody speaks; on the others all listen. */
const SPEAKING = 4;
const MEMBERS = 24;
const ROOMS = ["red", "blue", "green"];
/** What happens, one after the other: nine of ten are messages. `MESSAGES=10000` takes some minutes. */
const MESSAGES = Number(process.env.MESSAGES ?? 400);

type Interruption = "hibernate" | "close" | "cut off";

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
 * The real thing, at random: clients on eight objects that poll or have a WebSocket, join rooms and talk, while single
 * objects are put to sleep, cut off from the others and restarted at any moment. What holds for every message, whatever
 * happened:
 *
 * - nobody gets it twice, or out of the order in which its object said things
 * - who was in the room before it was said has it, unless the object that said it was restarted with it in hand
 */
describe("a crowd over eight objects", () => {
  it.each<[Interruption[]]>([[["hibernate", "cut off"]], [["hibernate", "cut off", "close"]]])(
    "hears everything once and in order, while single objects are interrupted at random (%j)",
    async (interruptions) => {
      const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
      const cluster = await startEdgeCluster("crowd", SHARDS);
      try {
        const played = play(cluster, new Random(seed), interruptions);
        await expect(played, `SEED=${seed}`).resolves.toEqual([]);
      } finally {
        await cluster.close();
      }
    },
    900_000,
  );
});

/** Returns what went wrong. */
async function play(
  cluster: RunningCluster,
  random: Random,
  interruptions: Interruption[],
): Promise<string[]> {
  // With restarts all poll: a WebSocket ends with its object, and what is said meanwhile is not for it.
  const isPolling = (i: number) => interruptions.includes("close") || i % 3 === 0;
  const members = await Promise.all(
    Array.from({ length: MEMBERS }, (_, i) => join(cluster, i % SHARDS, isPolling(i))),
  );
  for (const member of members) await enter(member, random.pick(ROOMS), []);
  const speakers = members.filter(({ shard }) => shard < SPEAKING);
  const said: Said[] = [];
  /** By shard: messages that were said before it was last restarted may have gone with it. */
  const restarts: { shard: number; at: number }[] = [];
  while (said.length < MESSAGES) {
    const dice = random.below(100);
    if (dice < 4) await enter(random.pick(members), random.pick(ROOMS), said);
    else if (dice < 92) {
      const { shard, socket } = random.pick(speakers);
      const room = random.pick(ROOMS);
      said.push({ id: said.length, room, shard });
      socket.emit("say", room, said.length - 1);
    } else {
      const shard = random.below(SHARDS);
      const interruption = random.pick(interruptions);
      if (interruption === "close") restarts.push({ shard, at: said.length });
      if (interruption === "cut off") await cluster.cutOff?.(shard);
      else await cluster.evict(interruption, shard);
    }
    if (random.below(4) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(20)));
  }
  await settle(members);
  const results = members.map((member) => check(member, said, restarts));
  const flaws = results.flatMap((result) => result.flaws);
  const heard = members.reduce((sum, member) => sum + member.heard.length, 0);
  const gone = results.reduce((sum, result) => sum + result.gone, 0);
  console.log(
    `${said.length} messages, ${restarts.length} restarts, heard ${heard} times, gone ${gone} times`,
  );
  for (const { socket } of members) socket.disconnect();
  return flaws.slice(0, 5);
}

async function join(cluster: RunningCluster, shard: number, isPolling: boolean): Promise<Member> {
  const { url, query } = cluster.servers[shard]!;
  const transports = isPolling ? ["polling"] : ["websocket"];
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

/** What a member should have heard and did not: by a fault, or because an object was restarted with it in hand. */
function check(
  member: Member,
  said: readonly Said[],
  restarts: readonly { shard: number; at: number }[],
): { flaws: string[]; gone: number } {
  const { heard, rooms, shard } = member;
  const flaws: string[] = [];
  let gone = 0;
  const all = new Set(heard);
  if (all.size !== heard.length) flaws.push(`one on ${shard} heard twice: ${heard}`);
  if (!member.isInOrder) flaws.push(`one on ${shard} heard an object out of order: ${heard}`);
  if (!member.socket.connected) flaws.push(`one on ${shard} has lost its connection`);
  for (const { id, room, shard: from } of said) {
    const since = rooms.get(room);
    if (since === undefined || id < since || all.has(id)) continue;
    // The object that was to hand it on, or the client that said it was to, may have been cut off with it in hand.
    if (restarts.some((it) => it.shard === from && it.at >= id && it.at < id + 25)) gone++;
    else flaws.push(`one on ${shard} never heard ${id} of shard ${from} to ${room}`);
  }
  return { flaws, gone };
}
