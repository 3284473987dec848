import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ObservedEvent } from "../../src/engine/observed.ts";
import { watching } from "../fixtures/worker.ts";
import { Clock } from "./clock.ts";
import { env, PollingClient } from "./support.ts";
import { TalkObject } from "./talk.ts";

let clock: Clock;
let logged: string[];

beforeEach(async () => {
  clock = new Clock();
  watching.seen = [];
  watching.observe = () => undefined;
  logged = [];
  vi.spyOn(console, "error").mockImplementation((...args) => void logged.push(args.join(": ")));
  vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => {
  clock.stop();
  vi.restoreAllMocks();
});

/** An object whose user code does what clients ask for. */
async function create(name: string, middleware = false): Promise<TalkObject> {
  const object = new TalkObject(
    `observed ${name}`,
    (io) => {
      if (middleware) io.use((_socket, next) => next(new Error("not you")));
      io.on("connection", (socket) => {
        socket.join("room");
        socket.on("end", () => socket.disconnect(true));
        socket.on("fill", (size) => socket.emit("much", "x".repeat(size)));
        socket.on("throw", () => {
          throw new Error("a fault of the user's code");
        });
      });
    },
    "OBSERVED",
  );
  await clock.attach(object);
  return object;
}

/** What was observed, without what is the same everywhere. */
const facts = (type?: ObservedEvent["type"]) =>
  watching.seen
    .filter((event) => type === undefined || event.type === type)
    .map(({ where: _where, time: _time, name: _name, shard: _shard, ...fact }) => fact);

const ended = (code: string) => expect.poll(() => facts("disconnect")).toMatchObject([{ code }]);

describe("observe is told", () => {
  it("who connects, with the server, its shard and the time", async () => {
    const object = await create("connect");
    await object.connect("websocket");
    expect(watching.seen).toEqual([
      {
        type: "connect",
        transport: "websocket",
        protocol: 4,
        where: "object",
        name: "observed connect",
        shard: "0",
        time: clock.start,
      },
    ]);
  });

  describe.each(["awake", "asleep"])("why a connection ends (object %s)", (state) => {
    const nap = (object: TalkObject) => (state === "asleep" ? object.sleep() : Promise.resolve());

    it.each([
      [
        "OVERLAP_FROM_CLIENT",
        "polling",
        (object: TalkObject, sid: string) => object.fetch({ op: "poll", sid }),
      ],
      [
        "CLIENT_CLOSED",
        "polling",
        (object: TalkObject, sid: string) => object.fetch({ op: "post", sid }, "1"),
      ],
      [
        "INVALID_HEARTBEAT_DIRECTION",
        "polling",
        (object: TalkObject, sid: string) => object.fetch({ op: "post", sid }, "2"),
      ],
      ["PARSE_ERROR", "polling", (object: TalkObject, sid: string) => object.fetch({ op: "post", sid }, "x")],
      [
        "PACKET_INVALID",
        "polling",
        (object: TalkObject, sid: string) => object.fetch({ op: "post", sid }, "42[x"),
      ],
      [
        "PACKET_MISPLACED",
        "polling",
        (object: TalkObject, sid: string) => object.fetch({ op: "post", sid }, '42/x,["a"]'),
      ],
      [
        "TOO_LARGE",
        "polling",
        (object: TalkObject, sid: string) => object.fetch({ op: "post", sid }, "4".repeat(20_000)),
      ],
      [
        "SERVER_CLOSED",
        "polling",
        async (object: TalkObject, sid: string) => {
          await object.fetch({ op: "post", sid }, '42["end"]');
          // The first poll fetches the DISCONNECT, and the second one is told of the end.
          for (let i = 0; i < 2; i++) await object.fetch({ op: "poll", sid });
        },
      ],
    ] as const)("%s", async (code, transport, act) => {
      const object = await create(`${code} ${state}`);
      const client = await object.join(transport);
      const { webSocket: poll } = await object.fetch({ op: "poll", sid: client.sid });
      poll?.accept();
      await nap(object);
      clock.set(1_000);
      await act(object, client.sid);
      await expect
        .poll(() => facts("disconnect"))
        .toMatchObject([{ code, transport, openMs: 1_000, reason: expect.any(String) }]);
      poll?.close();
    });

    it("CLIENT_CLOSED, PING_TIMEOUT and NO_NAMESPACE_JOINED over WebSocket", async () => {
      const object = await create(`websocket ${state}`);
      const client = await object.connect();
      if (!("client" in client)) throw new Error("no socket");
      await nap(object);
      (client.client as { socket: WebSocket }).socket.close(1000);
      await ended("CLIENT_CLOSED");
      watching.seen = [];
      await object.join();
      await object.connect();
      await nap(object);
      for (const ms of [22_500, 46_000, 70_000, 93_000]) {
        clock.set(ms);
        await runDurableObjectAlarm(object.stub);
        await nap(object);
      }
      const codes = facts("disconnect").map((fact) => "code" in fact && fact.code);
      expect(codes.toSorted()).toEqual(["NO_NAMESPACE_JOINED", "PING_TIMEOUT"]);
    });

    it("keeps the code of a session that has to wait for its client", async () => {
      const object = await create(`closing ${state}`);
      const client = await object.join("polling");
      await object.fetch({ op: "post", sid: client.sid }, "42[x");
      expect(facts("disconnect")).toEqual([]);
      await nap(object);
      await object.fetch({ op: "poll", sid: client.sid });
      await ended("PACKET_INVALID");
    });

    it("wakes, upgrades that succeed and that fail, and drops of volatile packets", async () => {
      const object = await create(`upgrades ${state}`);
      const talker = await object.join("polling");
      const client = new PollingClient(object, talker.sid);
      await nap(object);
      watching.seen = [];
      await object.act((io) => void io.volatile.emit("hello"));
      await expect.poll(() => facts("drop")).toEqual([{ type: "drop", code: "VOLATILE" }]);
      expect(facts("wake")).toHaveLength(state === "asleep" ? 1 : 0);
      const candidate = await client.candidate();
      candidate.socket.send("4nonsense");
      await candidate.closed;
      expect(facts("upgrade")).toEqual([{ type: "upgrade", outcome: "failed" }]);
      await nap(object);
      await client.upgrade();
      expect(facts("upgrade").at(-1)).toEqual({ type: "upgrade", outcome: "done" });
    });
  });

  it("who is refused by the Worker, the object and a namespace", async () => {
    const object = await create("refusals", true);
    const url = "https://example.com/socket.io/?EIO=4&transport=polling";
    await object.app.request(`${url}&token=none`, {}, env);
    await object.app.request("https://example.com/socket.io/?EIO=4&transport=pigeon", {}, env);
    await object.fetch({ op: "poll", sid: "nobody" });
    await object.fetch({ op: "open", v: 0 as 1 });
    const client = await object.connect();
    await client.say("40");
    await client.hearUntil('44{"message":"not you"');
    await client.say("40/nowhere,");
    await client.hearUntil('44/nowhere,{"message":"Invalid namespace"');
    for (let i = 0; i < 4; i++) await object.connect().catch(() => {});
    expect(watching.seen.filter(({ type }) => type === "refusal").map(({ where }) => where)).toEqual([
      "worker",
      "worker",
      ...Array.from({ length: 5 }, () => "object"),
    ]);
    expect(facts("refusal")).toEqual([
      {
        type: "refusal",
        code: "FORBIDDEN",
        status: 403,
        message: "no token",
        detail: "no token",
      },
      { type: "refusal", code: "TRANSPORT_UNKNOWN", status: 400, message: "Transport unknown" },
      { type: "refusal", code: "UNKNOWN_SID", status: 400, message: "Session ID unknown" },
      { type: "refusal", code: "DEPLOYING", status: 503 },
      { type: "refusal", code: "MIDDLEWARE_REFUSED", nsp: "/", message: "not you" },
      {
        type: "refusal",
        code: "NAMESPACE_REFUSED",
        nsp: "/nowhere",
        message: "Invalid namespace",
      },
      {
        type: "refusal",
        code: "OBJECT_FULL",
        status: 403,
        message: "Too many sessions",
        detail: "maxSessions is reached",
      },
    ]);
    expect(JSON.stringify(watching.seen)).not.toContain(client.sid);
  });

  it("of a setup function that fails, with the sessions that end for it", async () => {
    const object = await create("setup");
    await object.join("polling");
    await object.restart();
    object.deploy(() => {
      throw new Error("no database");
    });
    watching.seen = [];
    await object.connect("polling").catch(() => {});
    const [client] = facts("refusal");
    expect(client).toMatchObject({ code: "SETUP_FAILED", status: 503 });
    expect(facts("error")).toMatchObject([{ level: "error", message: expect.stringContaining("setup") }]);
  });

  it("of errors of the user's code, as they are logged", async () => {
    const object = await create("errors");
    const client = await object.join();
    await client.say('42["throw"]');
    await expect
      .poll(() => facts("error"))
      .toMatchObject([{ level: "error", error: new Error("a fault of the user's code") }]);
    expect(logged).toHaveLength(1);
  });

  it("of who comes back, who is unknown, and who does not come back after a restart", async () => {
    const object = await create("recovery");
    const first = await object.connect();
    await first.say("40");
    const [answer = ""] = await first.hearUntil("40{");
    const { pid } = JSON.parse(answer.slice(2)) as { pid: string };
    await object.act((io) => void io.emit("before"));
    const offset = JSON.parse((await first.hear()).slice(2))[1] as string;
    await object.restart();
    await object.act(async (io) => void io.emit("missed")).catch(() => {});
    const second = await object.connect();
    await second.say(`40${JSON.stringify({ pid, offset })}`);
    await second.hearUntil("40{");
    const third = await object.connect();
    await third.say('40{"pid":"made up"}');
    await third.hearUntil("40{");
    expect(facts("recovery")).toMatchObject([
      { code: "RECOVERED", nsp: "/" },
      { code: "UNKNOWN", nsp: "/", missed: 0 },
    ]);
    await object.restart();
    watching.seen = [];
    for (let ms = 22_500; ms < 300_000; ms += 22_500) {
      clock.set(ms);
      await runDurableObjectAlarm(object.stub);
    }
    await expect.poll(() => facts("recovery")).toMatchObject([{ code: "NOT_BACK" }, { code: "NOT_BACK" }]);
  });
});

it("an observe that throws or rejects disturbs nobody, in the Worker as in the object, and is logged once", async () => {
  const object = await create("failing");
  for (const observe of [
    () => {
      throw new Error("observe is broken");
    },
    () => Promise.reject(new Error("observe is broken")),
  ]) {
    watching.observe = observe;
    const refused = await object.app.request("https://example.com/socket.io/?transport=pigeon", {}, env);
    expect(refused.status).toBe(400);
    const client = await object.join();
    await object.sleep();
    watching.seen = [];
    await client.say('42["throw"]');
    await expect.poll(() => facts("error")).toHaveLength(1);
  }
  expect(logged.filter((text) => text.includes("observe failed"))).toEqual([
    "socket.io-edge: observe failed, which is logged only once: Error: observe is broken",
  ]);
});
