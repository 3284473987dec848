import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createMeshServer } from "../../src/server/cluster/mesh-server.ts";
import type { Server } from "../../src/server/index.ts";
import { Clock } from "./clock.ts";
import { Club, joinClub } from "./club.ts";
import { TalkObject, type TransportName } from "./talk.ts";

let clock: Clock;

beforeEach(async () => {
  clock = new Clock();
  await clock.attach(new TalkObject("clock", () => {}));
  vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  clock.stop();
  vi.restoreAllMocks();
});

type Kick = (io: Server, id: string) => unknown;

/** Every way to disconnect a socket for good. */
const KICKS: Record<string, Kick> = {
  "socket.disconnect()": (io, id) => io.sockets.sockets.get(id)?.disconnect(),
  "socket.disconnect(true)": (io, id) => io.sockets.sockets.get(id)?.disconnect(true),
  "io.disconnectSockets()": (io) => io.disconnectSockets(),
  "io.in(room).disconnectSockets(true)": (io) => io.in("room").disconnectSockets(true),
  "adapter.disconnectSockets()": (io) =>
    io.sockets.adapter.disconnectSockets({ rooms: new Set(["room"]) }, false),
  "the emitter": ({ _internals: { context, namespaces } }) =>
    createMeshServer(context, namespaces).relay({
      type: "disconnect",
      nsp: "/",
      to: { rooms: ["room"], except: [] },
      close: false,
    }),
};

/** The packets by which a client ends its socket for good. */
const WORDS = { "its DISCONNECT": "41", "an invalid packet of it": "9" };

/** A club whose next instance refuses every client, and whose replays never settle. */
async function createClub(name: string, transport: TransportName, how: string) {
  const club = new Club(name);
  const member = await joinClub(club, transport);
  club.deploy((io) => {
    io.use((_socket, next) => next(new Error("banned")));
    io.on("connection", (socket) => (socket.recovered ? new Promise<void>(() => {}) : undefined));
  });
  if (how === "asleep") await club.sleep();
  return { club, ...member };
}

async function expectRefused(club: Club, ticket: { pid: string; offset?: string }): Promise<void> {
  expect(await club.recoveryRecords()).toEqual([]);
  await club.die();
  const back = await club.connect();
  await back.say(`40${JSON.stringify({ pid: ticket.pid, offset: ticket.offset })}`);
  expect(await back.hear()).toBe('44{"message":"banned"}');
  expect(await club.act((io) => [...io.sockets.sockets.keys()])).toEqual([]);
}

const CASES = (["polling", "websocket"] as const).flatMap((transport) =>
  ["awake", "asleep"].map((how) => [transport, how] as const),
);

describe.each(CASES)(
  "a client that may not be recovered (%s, object %s) is forgotten in the same turn, after",
  (transport, how) => {
    it.each(Object.entries(KICKS))("%s", async (name, kick) => {
      const { club, id, ...ticket } = await createClub(`kick ${name} ${how} ${transport}`, transport, how);
      await club.act((io) => void kick(io, id));
      await expectRefused(club, ticket);
    });

    it.each(Object.entries(WORDS))("%s", async (name, word) => {
      const { club, client, ...ticket } = await createClub(
        `word ${name} ${how} ${transport}`,
        transport,
        how,
      );
      await client.say(word).catch(() => {});
      await vi.waitFor(async () => expect(await club.recoveryRecords()).toEqual([]));
      await expectRefused(club, ticket);
    });
  },
);
