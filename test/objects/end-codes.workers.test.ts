import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { EndCode } from "../../src/engine/end-codes.ts";
import { runtimeOf } from "../../src/objects/session-object.ts";
import type { Server } from "../../src/server/index.ts";
import { RoomDirectory } from "../../src/server/rooms/room-directory.ts";
import { watching } from "../fixtures/worker.ts";
import { Clock } from "./clock.ts";
import { enter } from "./club.ts";
import type { SocketClient } from "./support.ts";
import { type PollingTalker, Talker, TalkObject, type TransportName } from "./talk.ts";

let clock: Clock;
beforeEach(() => {
  clock = new Clock();
  isSlow = false;
  watching.seen = [];
  for (const method of ["error", "warn"] as const) vi.spyOn(console, method).mockImplementation(() => {});
});
afterEach(() => {
  clock.stop();
  vi.restoreAllMocks();
});

/** Whether middlewares take their time. */
let isSlow = false;

/** The application does what its clients ask for. */
function application(io: Server): void {
  io.use((socket, next) => {
    if (!socket.recovered || !isSlow) return next();
    // This is more than recovery may store, so it removes what the client comes back to.
    io.emit("much", "x".repeat(300_000));
    setTimeout(next, 10);
  });
  io.on("connection", (socket) => {
    socket.on("keep", (size) => {
      socket.data.text = "x".repeat(size);
    });
    socket.on("send", (size) => socket.emit("much", "x".repeat(size)));
    socket.on("ask", () => socket.emit("question", () => {}));
    socket.on("owe", (_ack) => {});
  });
}

const POST = (body: BodyInit, headers = {}): RequestInit => ({ method: "POST", body, headers });
const raw = (client: Talker) => (client as PollingTalker).client;
const socketOf = (client: Talker) => (client as unknown as { client: SocketClient }).client;

/** The status that a client gets in the end: a payload that waits for it comes first. */
async function nextAnswer({ client }: PollingTalker): Promise<number> {
  for (let polls = 0; polls < 3; polls++) {
    const { status } = await client.request();
    if (status !== 200) return status;
  }
  return 200;
}

/** A body of which a part has been sent. */
function slowBody(): { body: ReadableStream; writer: WritableStreamDefaultWriter<Uint8Array> } {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  writer.write(new TextEncoder().encode("4")).catch(() => {});
  return { body: readable, writer };
}

async function tickAt(object: TalkObject, ...times: number[]): Promise<void> {
  for (const ms of times) {
    clock.set(ms);
    await runDurableObjectAlarm(object.stub);
  }
}

const breakSetup = (object: TalkObject) =>
  object.deploy(() => {
    throw new Error("no database");
  });

/** Returns the client whose connection ends, if it is another one. */
type Provoke = (client: Talker, object: TalkObject) => Promise<unknown>;

/** What a client remembers in order to be recovered. */
const tickets = new WeakMap<Talker, object>();

async function comeBack(client: Talker, object: TalkObject): Promise<Talker> {
  const back = await object.connect("polling");
  await back.say(`40${JSON.stringify(tickets.get(client))}`);
  return back;
}

/** What makes a connection end, and what its client sees of it: the answer to its next GET, or a close code. */
const ENDS: [code: EndCode, transport: TransportName, sees: unknown, provoke: Provoke][] = [
  [
    "POLL_CONNECTION_CLOSED_PREMATURELY",
    "polling",
    400,
    async (client) => (await raw(client).park()).abort(),
  ],
  [
    "DATA_REQUEST_OVERLAP_FROM_CLIENT",
    "polling",
    400,
    async (client) => {
      const { body, writer } = slowBody();
      const first = raw(client).request(POST(body));
      await writer.ready;
      const second = await raw(client).request(POST("4x"));
      expect(second.status).toBe(400);
      writer.close().catch(() => {});
      await first.catch(() => {});
    },
  ],
  [
    "DATA_REQUEST_TIMED_OUT",
    "polling",
    400,
    async (client, object) => {
      const answer = raw(client).request(POST(slowBody().body));
      await raw(client).park();
      await tickAt(object, 5_000, 10_000, 15_000, 20_000, 25_000);
      expect((await answer).status).toBe(400);
    },
  ],
  [
    "INVALID_CONTENT",
    "polling",
    400,
    (client) => raw(client).request(POST("4x", { "content-type": "application/octet-stream" })),
  ],
  [
    "PACKET_INCOMPLETE",
    "websocket",
    1005,
    async (client, object) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      await client.say('451-["bytes",{"_placeholder":true,"num":0}]');
      for (let i = 0; i < 1_000 && vi.getTimerCount() === 0; i++) await object.run(() => {});
      await object.run(() => vi.advanceTimersByTime(45_000));
      vi.useRealTimers();
    },
  ],
  ["REPLACED", "polling", 400, async (client, object) => void (await comeBack(client, object))],
  [
    "RECOVERY_LOST",
    "polling",
    400,
    async (client, object) => {
      isSlow = true;
      await client.say("1");
      return comeBack(client, object);
    },
  ],
  [
    "TOO_MANY_BYTES_QUEUED",
    "polling",
    400,
    async (client) => {
      await client.say('42["send",90000]', '42["send",90000]');
      clock.set(6_000);
      await client.say('42["send",1]');
    },
  ],
  [
    "HELD_BYTES",
    "websocket",
    1008,
    async (client, object) => {
      await object.sleep();
      object.deploy(() => new Promise(() => {}));
      for (let i = 0; i < 4; i++) await client.say(`42["x","${"x".repeat(950_000)}"]`);
    },
  ],
  ["CLIENT_LIMIT", "websocket", 1008, (client) => client.say('421["owe"]', '422["owe"]', '423["owe"]')],
  ["STORED_BYTES", "polling", 400, (client) => client.say('42["keep",1200000]')],
  ["STATE_TOO_LARGE", "polling", 400, (client) => client.say('42["keep",1950000]')],
  [
    "SAVE_FAILED",
    "polling",
    400,
    async (client, object) => {
      await object.run((_, { storage: { kv } }) => {
        const put = vi.spyOn(kv, "put");
        put.mockImplementationOnce(() => {
          throw new Error("the disk is full");
        });
      });
      await client.say('42["keep",10]');
    },
  ],
  [
    "LOAD_FAILED",
    "websocket",
    1013,
    async (_client, object) => {
      await object.sleep();
      object.deploy((io) => {
        // The next attempt to run the setup function is given the sessions that this one has loaded.
        expect([...io.sockets.sockets.values()]).toHaveLength(1);
        vi.spyOn(RoomDirectory.prototype, "load").mockImplementation(() => {
          throw new Error("no record");
        });
        throw new Error("no database");
      });
      expect((await object.fetch({ op: "open" })).status).toBe(503);
    },
  ],
  [
    "SETUP_FAILED",
    "websocket",
    1013,
    async (client, object) => {
      await object.sleep();
      breakSetup(object);
      await client.say('42["keep",10]');
    },
  ],
  [
    "CLIENT_UNKNOWN",
    "polling",
    400,
    async (client, object) => {
      await object.sleep();
      await object.run((instance) => {
        Object.assign(runtimeOf(instance).platform, { needsHandshakeData: true });
      });
      expect((await raw(client).request(POST("4x"))).status).toBe(400);
    },
  ],
  [
    "SHARD_RETIRED",
    "websocket",
    1005,
    async (_client, object) => {
      await object.run((instance) => {
        Object.defineProperty(runtimeOf(instance).platform.cluster, "isRetired", { value: true });
      });
      await tickAt(object, 22_500);
    },
  ],
  [
    "RESTARTED",
    "polling",
    400,
    async (client, object) => {
      await client.say('42["ask"]');
      await object.run((_, ctx) => ctx.abort("killed")).catch(() => {});
    },
  ],
];

it.each(ENDS)("%s ends a connection (%s), and its client sees %s", async (code, transport, sees, provoke) => {
  const object = new TalkObject(`ends ${code}`, application, "ENDING");
  await clock.attach(object);
  const client = await object.connect(transport);
  const { pid } = await enter(client);
  await object.act((io) => void io.emit("hello"));
  const [, offset] = JSON.parse((await client.hear()).slice(2));
  tickets.set(client, { pid, offset });
  const other = await provoke(client, object);
  const ended = other instanceof Talker ? other : client;
  const seen =
    transport === "websocket" ? await socketOf(ended).closed : await nextAnswer(ended as PollingTalker);
  expect(seen).toBe(sees);
  const ends = () => watching.seen.filter(({ type }) => type === "disconnect").slice(-1);
  await expect.poll(ends).toMatchObject([{ code, transport }]);
});
