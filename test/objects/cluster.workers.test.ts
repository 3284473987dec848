import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { toSocketId } from "../../src/objects/placement/socket-code.ts";
import type {
  Batch,
  ClusterAnswer,
  ClusterCall,
  ClusterMessage,
  ObjectAnswer,
  ObjectCall,
} from "../../src/server/cluster/messages.ts";
import type { Server } from "../../src/server/index.ts";
import { type Application, type PeerFault, peerCalls, peerFaults, spreadOver } from "../fixtures/worker.ts";
import { until } from "./support.ts";
import { type SocketTalker, type Talker, TalkObject, type TransportName } from "./talk.ts";

const STATES = ["awake", "sleep", "restart"] as const;
type State = (typeof STATES)[number];

/** Answers what a client asks, tells on which shard it is, and does what a client requests on its own shard. */
const serve: Application = (io) => {
  for (const nsp of [io, io.of("/other")]) {
    nsp.on("connection", (socket) => {
      socket.on("sync", (ack) => ack("done"));
      socket.on("join", (room, ack) => {
        socket.join(room);
        ack();
      });
      socket.on("question", (ack) => ack(`${socket.id}`));
    });
  }
  io.on("to servers", (text, ack) => ack?.(`${text} heard`));
};

/** The same, with a setup function that fails at once or later while it is told to. */
const failing =
  (setup: { fails: boolean }, when: string): Application =>
  (io) => {
    const complete = () => {
      if (setup.fails) throw new Error("no setup");
      serve(io);
    };
    return when === "later" ? Promise.resolve().then(complete) : complete();
  };

/** A server over three objects. */
class Cluster {
  readonly shards: TalkObject[];

  constructor(name: string, application: Application = serve, kind: "SPREAD" | "SPREAD_RECOVER" = "SPREAD") {
    this.shards = ["", "#1", "#2"].map((shard) => new TalkObject(name + shard, application, kind));
  }

  /** A client on each shard. */
  async join(transport: TransportName = "websocket"): Promise<Talker[]> {
    const clients = await Promise.all(this.shards.map((shard) => shard.join(transport)));
    // Before its first session each shard has said hello to the others.
    for (const { name } of this.shards) {
      expect(peerCalls.get(name)?.map((call) => (call as Batch).messages)).toEqual([HELLO, HELLO]);
      peerCalls.delete(name);
    }
    return clients;
  }

  act<R>(shard: number, action: (io: Server) => R | Promise<R>): Promise<R> {
    return this.shards[shard]!.act(action);
  }

  async become(state: State, ...shards: number[]): Promise<void> {
    if (state !== "awake") await Promise.all(shards.map((shard) => this.shards[shard]![state]()));
  }

  /** Returns the calls of other shards to a shard since it was last asked. */
  calls(shard: number): ObjectCall[] {
    const { name } = this.shards[shard]!;
    const calls = peerCalls.get(name) ?? [];
    peerCalls.delete(name);
    return calls;
  }

  /** Sets what happens to calls of a shard; without a fault they are carried out normally. */
  disturb(shard: number, fault?: PeerFault): void {
    const { name } = this.shards[shard]!;
    if (fault === undefined) peerFaults.delete(name);
    else peerFaults.set(name, fault);
  }
}

interface PeerObject {
  socketIoPeer(call: ObjectCall): Promise<ObjectAnswer>;
}

const HELLO = [{ type: "hello", nsp: "/" }];
const never = () => new Promise<never>(() => {});
/**
 * Returns the packets that a client has received, up to the answer to a question, which arrives after all earlier ones.
 */
const heard = async (client: Talker) => (await client.ask("sync")).slice(0, -1);
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `42["n",${from + i}]`);

/** Asks for a session that does not exist, so that the object is reached by an id and not told its name. */
async function reachById(object: TalkObject): Promise<void> {
  const response = await object.fetch({ op: "poll", sid: "none" });
  expect([response.status, await response.text()]).toEqual([
    400,
    '{"code":1,"message":"Session ID unknown"}',
  ]);
}

afterEach(() => {
  peerFaults.clear();
  vi.restoreAllMocks();
});

describe("a message of one shard to the others", () => {
  it.each(["afr-63", "17"])(
    "to a room that a client has invented as the id of a socket calls no shard %s, which is not configured",
    async (shard) => {
      const name = `invented ${shard}`;
      const cluster = new Cluster(name, (io) => {
        serve(io);
        io.on("connection", (socket) => {
          socket.on("private", (to, ack) => {
            socket.to(to).emit("private");
            ack();
          });
        });
      });
      const clients = await cluster.join();
      const invented = toSocketId(shard);
      // Whoever has joined such a room gets what is said in it, wherever he is.
      await clients[1]!.ask("join", invented);
      await clients[0]!.ask("private", invented);
      await until(() => peerCalls.get(`${name}#2`) !== undefined);
      expect(await heard(clients[1]!)).toContain('42["private"]');
      const called = [...peerCalls.keys()].filter((object) => object.startsWith(name)).sort();
      expect(called).toEqual([`${name}#1`, `${name}#2`]);
    },
  );

  it.each([
    ["awake", "websocket"],
    ["awake", "polling"],
    ["sleep", "websocket"],
    ["sleep", "polling"],
    ["restart", "polling"],
  ] as const)(
    "reaches clients of all shards once and in order (other shards %s, over %s)",
    async (state, transport) => {
      const cluster = new Cluster(`order ${state} ${transport}`);
      const clients = await cluster.join(transport);
      await clients[2]!.ask("join", "room");
      await cluster.become(state, 1, 2);
      await cluster.act(0, (io) => {
        io.emit("start");
        io.to("room").emit("room");
        io.to(clients[1]!.id).emit("alone", 1);
        io.except("room").emit("not room");
        io.local.emit("here");
        io.of("/other").emit("nobody");
        io.emit("end");
      });
      const ends = clients.map((client) => client.hearUntil('42["end"]'));
      expect(await Promise.all(ends)).toEqual([
        ['42["start"]', '42["not room"]', '42["here"]', '42["end"]'],
        ['42["start"]', '42["alone",1]', '42["not room"]', '42["end"]'],
        ['42["start"]', '42["room"]', '42["end"]'],
      ]);
    },
  );

  it("shares one call with many others, and no call is made when there is no message", async () => {
    const cluster = new Cluster("burst");
    const clients = await cluster.join();
    expect(cluster.calls(1)).toEqual([]);
    await cluster.act(0, (io) => {
      for (let i = 0; i < 200; i++) io.emit("n", i);
    });
    for (const client of clients) expect(await client.hearUntil('42["n",199]')).toEqual(numbers(200));
    expect(cluster.calls(1)).toHaveLength(1);
    expect(cluster.calls(2)).toHaveLength(1);
    expect(cluster.calls(0)).toEqual([]);
  });

  it("goes only to the shard of a socket when it is for that socket's own room, and to none for a local socket", async () => {
    const cluster = new Cluster("alone");
    const clients = await cluster.join();
    for (const { id } of clients) expect(id).toMatch(/^[\w-]{20}$/);
    await cluster.act(0, (io) => {
      io.to(clients[2]!.id).emit("for you");
      io.to(clients[0]!.id).emit("for you");
    });
    for (const client of [clients[0]!, clients[2]!]) expect(await client.hear()).toBe('42["for you"]');
    expect([cluster.calls(0), cluster.calls(1), cluster.calls(2)].map((calls) => calls.length)).toEqual([
      0, 0, 1,
    ]);
  });

  it("carries bytes as they were when it was sent, and no other part of their buffer", async () => {
    const cluster = new Cluster("bytes");
    const [, bob] = await cluster.join();
    await cluster.act(0, (io) => {
      const bytes = new Uint8Array(1_000).fill(1);
      io.emit("bytes", bytes.subarray(0, 3));
      bytes.fill(2);
    });
    expect(await bob!.hear()).toBe('451-["bytes",{"_placeholder":true,"num":0}]');
    const [{ messages }] = cluster.calls(1) as [Batch];
    const [, sent] = (messages[0] as Extract<ClusterMessage, { type: "broadcast" }>).frames as [
      string,
      Uint8Array,
    ];
    expect(sent.buffer).toEqual(new Uint8Array([1, 1, 1]).buffer);
  });

  it("is delivered once when a call was carried out and its answer was lost", async () => {
    const cluster = new Cluster("lost answer");
    const clients = await cluster.join();
    let left = 2;
    cluster.disturb(1, async (carryOut) => {
      const answer = await carryOut();
      if (left-- > 0) throw new Error("the answer is lost");
      return answer;
    });
    for (let i = 0; i < 3; i++) await cluster.act(0, (io) => void io.emit("n", i));
    expect(await clients[1]!.hearUntil('42["n",2]')).toEqual(numbers(3));
    expect(await heard(clients[1]!)).toEqual([]);
    const batches = cluster.calls(1) as Batch[];
    expect(batches.slice(0, 3).map(({ number }) => number)).toEqual([2, 2, 2]);
    expect(await clients[2]!.hearUntil('42["n",2]')).toEqual(numbers(3));
  });

  it.each(["SPREAD", "SPREAD_RECOVER"] as const)(
    "is delivered once to polling clients when their shard restarts before it has answered (%s)",
    async (kind) => {
      const cluster = new Cluster(`restarted ${kind}`, serve, kind);
      const [, bob] = await cluster.join("polling");
      await bob!.ask("sync");
      let isCarriedOut = false;
      cluster.disturb(1, async (carryOut) => {
        await carryOut();
        isCarriedOut = true;
        throw new Error("the answer is lost");
      });
      await cluster.act(0, (io) => void io.emit("news", 1));
      await until(() => isCarriedOut);
      await cluster.become("restart", 1);
      cluster.disturb(1);
      cluster.calls(1);
      await cluster.act(0, (io) => void io.emit("news", 2));
      const got = await bob!.hearUntil('42["news",2');
      expect(got.map((packet) => packet.slice(0, 11))).toEqual(['42["news",1', '42["news",2']);
      // The new instance has received the first batch once more.
      expect((cluster.calls(1) as Batch[]).map(({ number }) => number)).toEqual([2, 3]);
    },
  );

  it.each(["SPREAD", "SPREAD_RECOVER"] as const)(
    "changes io.data once when its shard restarts before it has answered (%s)",
    async (kind) => {
      const count: Application = (io) => {
        io.on("count", () => {
          io.data.count = ((io.data.count as number | undefined) ?? 0) + 1;
        });
      };
      const cluster = new Cluster(`counted ${kind}`, count, kind);
      await cluster.join("polling");
      let isCarriedOut = false;
      cluster.disturb(1, async (carryOut) => {
        await carryOut();
        isCarriedOut = true;
        throw new Error("the answer is lost");
      });
      await cluster.act(0, (io) => void io.serverSideEmit("count"));
      await until(() => isCarriedOut);
      await cluster.become("restart", 1);
      cluster.disturb(1);
      cluster.calls(1);
      await cluster.act(0, (io) => void io.serverSideEmit("count"));
      await vi.waitFor(async () => expect(await cluster.act(1, (io) => io.data.count)).toBe(2));
      // The new instance has received the first batch once more, and has not carried it out again.
      expect((cluster.calls(1) as Batch[]).map(({ number }) => number)).toEqual([2, 3]);
    },
  );

  it("reaches the other shards at once while one hangs, and is given up after 5 s with a log entry and an `error` event", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const cluster = new Cluster("hangs");
    const clients = await cluster.join();
    const errors = cluster.act(0, (io) => {
      return new Promise<string>((resolve) =>
        io.of("/").adapter.once("error", ({ message }: Error) => resolve(message)),
      );
    });
    cluster.disturb(1, never);
    await cluster.act(0, (io) => void io.emit("n", 0));
    await cluster.act(0, (io) => void io.emit("n", 1));
    expect(await clients[2]!.hearUntil('42["n",1]')).toEqual(numbers(2));
    expect(await errors).toBe('1 messages of namespace "/" were given up, shard 1: no answer within 5000 ms');
    expect(warn.mock.lastCall?.[0]).toContain('1 messages of namespace "/" were given up');
    cluster.disturb(1);
    expect(await clients[1]!.hearUntil('42["n",1]')).toEqual(numbers(1, 1));
  }, 20_000);

  it("is delivered once and in order to a shard that hangs for a while", async () => {
    const cluster = new Cluster("hangs for 4 s");
    const clients = await cluster.join();
    let isFirst = true;
    cluster.disturb(1, async (carryOut) => {
      if (isFirst) {
        isFirst = false;
        await new Promise((resolve) => setTimeout(resolve, 4_000));
      }
      return carryOut();
    });
    for (let i = 0; i < 3; i++) await cluster.act(0, (io) => void io.emit("n", i));
    expect(await clients[1]!.hearUntil('42["n",2]')).toEqual(numbers(3));
    expect(await heard(clients[1]!)).toEqual([]);
  }, 20_000);

  it("is refused when the receiver knows a later epoch, and the sender continues with one that is later still", async () => {
    const cluster = new Cluster("epochs");
    const [, bob] = await cluster.join();
    await cluster.act(0, (io) => void io.emit("n", 0));
    expect(await bob!.hear()).toBe('42["n",0]');
    const [{ epoch }] = cluster.calls(1) as [Batch];
    const stub = cluster.shards[1]!.stub as unknown as {
      socketIoPeer(call: ClusterCall): Promise<ClusterAnswer>;
    };
    const batch = { v: 1, type: "batch", from: "0", messages: [] } as const;
    expect(await stub.socketIoPeer({ ...batch, epoch: epoch + 1_000, number: 1 })).toEqual({});
    expect(await stub.socketIoPeer({ ...batch, epoch, number: 3 })).toEqual({
      stale: { newest: epoch + 1_000, done: 2 },
    });
    await cluster.act(0, (io) => void io.emit("n", 1));
    expect(await bob!.hear()).toBe('42["n",1]');
    expect((cluster.calls(1) as Batch[]).at(-1)).toMatchObject({ epoch: epoch + 1_001, number: 1 });
  });

  it("reaches a shard whose instance has broken since it was last called", async () => {
    const cluster = new Cluster("broken");
    const [, bob] = await cluster.join("polling");
    await bob!.ask("sync");
    await cluster.act(0, (io) => void io.emit("n", 0));
    expect(await bob!.hear()).toBe('42["n",0]');
    await cluster.shards[1]!.run((_, ctx) => ctx.abort("broken")).catch(() => {});
    await cluster.act(0, (io) => void io.emit("n", 1));
    expect(await bob!.hear()).toBe('42["n",1]');
  });

  it("continues from the alarm of its object when production allows no more calls", async () => {
    const cluster = new Cluster("no more calls");
    const [, bob] = await cluster.join();
    let left = 2;
    cluster.disturb(1, (carryOut) => {
      // Without an alarm the second attempt would come when the time is over.
      if (left-- > 0) throw new Error("Subrequest depth limit exceeded");
      return carryOut();
    });
    await cluster.act(0, (io) => void io.emit("n", 0));
    expect(await bob!.hearUntil('42["n",0]')).toEqual(numbers(1));
    expect(left).toBe(-1);
  });

  it("is refused with the version's number by a shard with another version", async () => {
    const cluster = new Cluster("version");
    const refusal = await cluster.shards[1]!.run(async (instance) => {
      const peer = instance as unknown as { socketIoPeer(call: unknown): Promise<unknown> };
      return peer.socketIoPeer({ v: 2, type: "batch", from: "0" }).catch((error: Error) => error.message);
    });
    expect(refusal).toContain("speaks version 1");
  });
});

describe("a question of one shard to the others", () => {
  it.each(STATES)("is answered by all shards (others %s)", async (state) => {
    const cluster = new Cluster(`asks ${state}`);
    const clients = await cluster.join("polling");
    await cluster.act(1, (io) => {
      for (const socket of io.sockets.sockets.values()) socket.data.since = new Date(0);
    });
    await cluster.become(state, 1, 2);
    const sockets = await cluster.act(0, async (io) =>
      (await io.fetchSockets()).map(({ id, rooms, data }) => [id, [...rooms], data]),
    );
    expect(sockets).toEqual(clients.map(({ id }, i) => [id, [id], i === 1 ? { since: new Date(0) } : {}]));
    expect(await cluster.act(0, (io) => io.serverSideEmitWithAck("to servers", "news"))).toEqual(
      Array(2).fill("news heard"),
    );
    expect(await cluster.act(0, (io) => io.sockets.adapter.serverCount())).toBe(3);
    expect((await cluster.act(0, async (io) => [...(await io.allSockets())])).sort()).toEqual(
      clients.map(({ id }) => id).sort(),
    );
  });

  it("is carried out in order with messages of the same shard", async () => {
    const cluster = new Cluster("asks in order");
    const clients = await cluster.join();
    const members = await cluster.act(0, async (io) => {
      io.socketsJoin("room");
      const joined = io.in("room").fetchSockets();
      io.to("room").emit("all");
      io.in(clients[1]!.id).socketsLeave("room");
      io.to("room").emit("but one");
      return [(await joined).length, (await io.in("room").fetchSockets()).length];
    });
    expect(members).toEqual([3, 2]);
    expect(await heard(clients[1]!)).toEqual(['42["all"]']);
    expect(await heard(clients[2]!)).toEqual(['42["all"]', '42["but one"]']);
  });

  it("returns the acknowledgements of all clients, or those that came in time when one is missing", async () => {
    const cluster = new Cluster("acks");
    const clients = await cluster.join();
    const answer = async (client: Talker, text: string) => {
      const packet = await client.hearUntil("42");
      const [id] = /^\d+/.exec(packet.at(-1)!.slice(2)) ?? [];
      await client.say(`43${id}["${text}"]`);
    };
    const all = cluster.act(0, (io) => io.timeout(5_000).emitWithAck("question"));
    await Promise.all(clients.map((client, i) => answer(client, `answer ${i}`)));
    expect((await all).sort()).toEqual(["answer 0", "answer 1", "answer 2"]);
    const some = cluster.act(0, (io) =>
      io
        .timeout(1_000)
        .emitWithAck("question")
        .catch(({ message, responses }) => ({ message, responses })),
    );
    await Promise.all(clients.slice(0, 2).map((client, i) => answer(client, `answer ${i}`)));
    expect(await some).toEqual({ message: "operation has timed out", responses: ["answer 0", "answer 1"] });
    const single = cluster.act(0, async (io) => {
      const [remote] = await io.in(clients[2]!.id).fetchSockets();
      return remote!.timeout(5_000).emitWithAck("question");
    });
    await answer(clients[2]!, "alone");
    await answer(clients[2]!, "alone");
    expect(await single).toBe("alone");
  });

  it("rejects with the answers that came in time, and names the shards that did not answer", async () => {
    const cluster = new Cluster("no answer");
    await cluster.join();
    cluster.disturb(2, (carryOut, { type }) => (type === "answers" ? never() : carryOut()));
    const failure = await cluster.act(0, (io) =>
      io
        .timeout(1_000)
        .fetchSockets()
        .catch(({ message, responses }) => ({ message, count: responses.length })),
    );
    expect(failure).toEqual({
      message: "timeout reached: only 1 responses received out of 2 (no answer of shard 2)",
      count: 1,
    });
  });

  it.each(STATES)("is answered for a namespace that only other shards have (others %s)", async (state) => {
    const cluster = new Cluster(`asks elsewhere ${state}`, (io) => {
      serve(io);
      io.of(/^\/pattern/);
      io.of((name, _auth, next) => next(null, name === "/function")).on("connection", (socket) => {
        socket.on("question", (ack) => ack("answer"));
      });
      io.of("/other").on("to servers", (ack) => ack?.("heard"));
    });
    const [, bob, cat] = await cluster.join("polling");
    const names = ["/other", "/pattern-1", "/function"];
    for (const nsp of names) await bob!.join(nsp);
    await cat!.join("/function");
    await cluster.become(state, 1, 2);
    const found = await cluster.act(0, (io) =>
      Promise.all(names.map(async (nsp) => (await io.of(nsp).fetchSockets()).length)),
    );
    expect(found).toEqual([1, 1, 2]);
    const [servers, both] = await cluster.act(0, (io) => {
      io.of("/function").socketsJoin("club");
      return Promise.all([
        io.of("/other").serverSideEmitWithAck("to servers"),
        io.of("/function").in("club").fetchSockets(),
      ]);
    });
    expect([servers, both.length]).toEqual([["heard", "heard"], 2]);
    await cluster.act(0, (io) => void io.of("/function").in("club").disconnectSockets());
    for (const client of [bob!, cat!]) await client.hearUntil("41/function,");
  });

  it("is answered although calls for the answers fail twice", async () => {
    const cluster = new Cluster("answers again");
    await cluster.join();
    let left = 2;
    cluster.disturb(1, (carryOut, { type }) => {
      if (type === "answers" && left-- > 0) throw new Error("lost");
      return carryOut();
    });
    expect(await cluster.act(0, async (io) => (await io.fetchSockets()).length)).toBe(3);
    expect(left).toBe(-1);
  });

  it("is answered when the setup functions of two shards ask each other", async () => {
    const found: number[] = [];
    const cluster = new Cluster("asking setups", async (io) => {
      found.push((await io.fetchSockets()).length);
      serve(io);
    });
    const clients = await Promise.all([cluster.shards[0]!.join(), cluster.shards[1]!.join()]);
    for (const client of clients) expect(await client.ask("sync")).toEqual(['43["done"]']);
    expect(found.length).toBeGreaterThanOrEqual(2);
  });

  it("returns remote sockets that can join and leave rooms and be disconnected", async () => {
    const cluster = new Cluster("remote");
    const clients = await cluster.join();
    await cluster.act(0, async (io) => {
      const [remote] = await io.in(clients[1]!.id).fetchSockets();
      remote!.join("club");
      io.to("club").emit("welcome");
      remote!.leave("club");
      io.to("club").emit("nobody");
      remote!.emit("bye");
      remote!.disconnect();
    });
    expect(await clients[1]!.hearUntil("41")).toEqual(['42["welcome"]', '42["bye"]', "41"]);
    await cluster.act(0, (io) => void io.disconnectSockets(true));
    await until(async () => (await cluster.act(2, (io) => io.engine.clientsCount)) === 0);
  });
});

describe("a shard that wakes up for a message", () => {
  /** Creates `/late` when `isSlow` is false, and until then the setup function runs. */
  class SlowCluster extends Cluster {
    isSlow = false;
    readonly gone: string[] = [];

    constructor(name: string) {
      super(name, async (io) => {
        serve(io);
        do await new Promise((resolve) => setTimeout(resolve, 5));
        while (this.isSlow);
        io.of("/late").on("connection", (socket) => {
          socket.on("disconnect", (reason) => this.gone.push(`${socket.id} ${reason}`));
        });
      });
    }
  }

  it.each([
    ["awake", "websocket"],
    ["sleep", "websocket"],
    ["sleep", "polling"],
    ["restart", "polling"],
  ] as const)(
    "carries out in order what needs no listeners, in a namespace that its setup has not created yet (%s, %s)",
    async (state, transport) => {
      const cluster = new SlowCluster(`late ${state} ${transport}`);
      const clients = await cluster.join(transport);
      for (const [i, client] of clients.entries()) await client.join("/late", { number: i });
      await cluster.act(1, (io) => {
        for (const socket of io.of("/late").sockets.values()) {
          socket.data.since = new Date(0);
          socket.handshake.query.changed = "yes";
        }
      });
      const list = (io: Server) =>
        io
          .of("/late")
          .fetchSockets()
          .then((found) =>
            found.map(({ id, handshake, rooms, data }) =>
              JSON.stringify({ id, handshake, rooms: [...rooms], data }),
            ),
          );
      const before = await cluster.act(1, list);
      const id = clients[1]!.id;
      await cluster.become(state, 1, 2);
      cluster.isSlow = true;
      const [joined, after, left] = await cluster.act(0, async (io) => {
        const late = io.of("/late");
        const found = await list(io);
        late.socketsJoin("club");
        const club = late.in("club").fetchSockets();
        late.to("club").emit("club");
        late.in(id).socketsLeave("club");
        late.to("club").emit("but one");
        late.emit("all");
        const rest = late.in("club").fetchSockets();
        late.disconnectSockets();
        return [(await club).length, found, (await rest).length];
      });
      expect([joined, left]).toEqual([3, 2]);
      expect(after.toSorted()).toEqual(before.toSorted());
      cluster.isSlow = false;
      const packets = await Promise.all(clients.map((client) => client.hearUntil("41/late,")));
      const [all, butOne] = [
        ["club", "but one", "all"],
        ["club", "all"],
      ].map((names) => [...names.map((name) => `42/late,["${name}"]`), "41/late,"]);
      expect(packets).toEqual([all, butOne, all]);
      await until(() => cluster.gone.length === 3);
      expect(cluster.gone.sort()).toEqual(
        clients.map(({ id }) => `${id} server namespace disconnect`).sort(),
      );
      expect(await cluster.act(0, async (io) => (await io.of("/late").fetchSockets()).length)).toBe(0);
      for (const client of clients) expect(await heard(client)).toEqual([]);
    },
  );

  it("asks clients in a namespace that its setup has not created yet as soon as it is there", async () => {
    const cluster = new SlowCluster("late question");
    const clients = await cluster.join();
    for (const client of clients) await client.join("/late");
    await cluster.become("sleep", 1, 2);
    cluster.isSlow = true;
    const answers = cluster.act(0, (io) => io.of("/late").timeout(5_000).emitWithAck("question"));
    cluster.isSlow = false;
    for (const [i, client] of clients.entries()) {
      const [id] = /^\d+/.exec((await client.hear()).replace("42/late,", "")) ?? [];
      await client.say(`43/late,${id}["answer ${i}"]`);
    }
    expect((await answers).sort()).toEqual(["answer 0", "answer 1", "answer 2"]);
  });

  it("adds no socket to more rooms than `maxRooms` allows", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const cluster = new SlowCluster("late rooms");
    const clients = await cluster.join();
    for (const client of clients) await client.join("/late");
    await cluster.become("sleep", 1, 2);
    cluster.isSlow = true;
    const counts = await cluster.act(0, async (io) => {
      io.of("/late").socketsJoin(Array.from({ length: 10_000 }, (_, i) => `room ${i}`));
      return (await io.of("/late").fetchSockets()).map(({ rooms }) => rooms.size);
    });
    expect(counts).toEqual([1, 1, 1]);
    cluster.isSlow = false;
  });

  it.each(["at once", "later"])(
    "carries out what needs no listeners when its setup fails (%s), and logs what does need them",
    async (when) => {
      const [warn] = (["warn", "error"] as const).map((level) =>
        vi.spyOn(console, level).mockImplementation(() => {}),
      );
      const setup = { fails: false };
      const cluster = new Cluster(`fails ${when}`, failing(setup, when));
      const [, bob] = await cluster.join();
      await bob!.join("/other");
      await cluster.become("sleep", 1);
      setup.fails = true;
      const found = await cluster.act(0, (io) => {
        const counts = [io, io.of("/other")].map(async (nsp) => {
          nsp.socketsJoin("club");
          nsp.to("club").emit("club");
          return (await nsp.in("club").fetchSockets()).length;
        });
        io.of("/other").serverSideEmit("to servers", "news");
        io.of("/other").in(bob!.id).disconnectSockets();
        return Promise.all(counts);
      });
      expect(found).toEqual([3, 1]);
      expect(await bob!.hearUntil("41/other,")).toEqual(['42["club"]', '42/other,["club"]', "41/other,"]);
      const dropped = () => warn!.mock.calls.filter(([text]) => String(text).includes("(emit) was dropped"));
      await until(() => dropped().length === 1);
      expect(String(dropped()[0])).toContain("no setup");
    },
  );

  it.each(["at once", "later"])(
    "keeps what was carried out while its setup failed (%s), and serves those whom it kicked",
    async (when) => {
      for (const level of ["warn", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
      const setup = { fails: false };
      const cluster = new Cluster(`recovers ${when}`, failing(setup, when));
      const [, bob] = await cluster.join();
      const kicked = (await cluster.shards[1]!.join()) as SocketTalker;
      await kicked.join("/other");
      await cluster.become("sleep", 1);
      setup.fails = true;
      const { shards } = cluster;
      await cluster.act(0, async (io) => {
        io.in(bob!.id).socketsJoin("club");
        io.of("/other").disconnectSockets();
        expect(await io.in("club").fetchSockets()).toHaveLength(1);
      });
      expect(await kicked.hearUntil("41/other,")).toEqual(["41/other,"]);
      setup.fails = false;
      await vi.waitFor(() => shards[1]!.run((instance) => instance.ready()), { timeout: 15_000 });
      const names = (io: Server) => io.local.in("club").fetchSockets();
      expect((await cluster.act(1, names)).map(({ id }) => id)).toEqual([bob!.id]);
      // Its connection may have ended with the setup; if it has not, the client can join again.
      const end = await Promise.race([
        kicked.client.closed.then(() => "closed"),
        kicked.join("/other").then(
          () => "joined",
          () => "closed",
        ),
      ]);
      expect(end).toBe(when === "later" ? "joined" : "closed");
    },
    30_000,
  );
});

describe("an emitter", () => {
  it("reaches the listeners of all shards with serverSideEmit", async () => {
    const cluster = new Cluster("emitter to servers", (io) => {
      serve(io);
      io.on("to servers", (text) => void io.local.emit("server heard", text));
    });
    const clients = await cluster.join();
    await spreadOver.emitter(env, { name: "emitter to servers" }).serverSideEmit("to servers", "news");
    for (const client of clients) {
      expect(await client.hear()).toBe('42["server heard","news"]');
      expect(await heard(client)).toEqual([]);
    }
  });

  it("reaches a namespace that only another shard has", async () => {
    const cluster = new Cluster("emitter to a dynamic namespace", (io) => {
      serve(io);
      io.of((name, _auth, next) => next(null, name === "/dynamic"));
    });
    const [, bob] = await cluster.join();
    await bob!.join("/dynamic");
    const emitter = spreadOver.emitter(env, { name: "emitter to a dynamic namespace" }).of("/dynamic");
    await emitter.emit("news");
    await emitter.socketsJoin("club");
    await emitter.to("club").emit("for the club");
    expect(await emitter.in("club").fetchSockets()).toMatchObject([
      { id: bob!.id, rooms: [bob!.id, "club"] },
    ]);
    await emitter.in("club").disconnectSockets();
    expect(await emitter.fetchSockets()).toEqual([]);
    expect(await bob!.hearUntil("41/dynamic")).toEqual([
      '42/dynamic,["news"]',
      '42/dynamic,["for the club"]',
      "41/dynamic,",
    ]);
  });
});

describe("an adapter of the user's own", () => {
  it("sees local broadcasts, and they reach other shards unless it has `replacesMesh`", async () => {
    const { Adapter } = await import("../../src/index.ts");
    const seen: unknown[] = [];
    class Logging extends Adapter {
      override broadcast(...args: Parameters<InstanceType<typeof Adapter>["broadcast"]>): void {
        seen.push((args[0].data as unknown[])[0]);
        super.broadcast(...args);
      }
    }
    class Own extends Logging {
      static readonly replacesMesh = true;
    }
    const cluster = new Cluster("own adapter");
    const [ann, bob] = await cluster.join();
    await cluster.act(0, (io) => void io.adapter(Logging).emit("logged"));
    expect(await bob!.hear()).toBe('42["logged"]');
    await cluster.act(0, (io) => void io.adapter(Own).emit("own"));
    expect(await heard(ann!)).toEqual(['42["logged"]', '42["own"]']);
    expect(await heard(bob!)).toEqual([]);
    expect(seen).toEqual(["logged", "own"]);
  });

  it("warns when a socket joins the id of another one as a room", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const cluster = new Cluster("ids as rooms");
    const [ann, bob] = await cluster.join();
    await ann!.ask("join", bob!.id);
    expect(warn.mock.lastCall?.[0]).toContain("has joined the id of another socket");
  });
});

describe("a shard that was first reached by the id of a session", () => {
  it("is told its name by the messages of other shards", async () => {
    const cluster = new Cluster("nameless for peers");
    await reachById(cluster.shards[1]!);
    await cluster.shards[0]!.join();
    const answers = await cluster.act(0, async (io) => [
      await io.fetchSockets().then((sockets) => sockets.length),
      await io.serverSideEmitWithAck("to servers", "question"),
    ]);
    expect(answers).toEqual([1, ["question heard", "question heard"]]);
  });

  it("is told its name by the calls of an emitter, and goes on taking sessions", async () => {
    const cluster = new Cluster("nameless for emitters");
    await reachById(cluster.shards[1]!);
    const emitter = spreadOver.emitter(env, { name: "nameless for emitters", shard: "1" });
    expect(await emitter.fetchSockets()).toEqual([]);
    await cluster.shards[1]!.join();
    expect(await emitter.fetchSockets()).toHaveLength(1);
  });

  it("refuses calls of older code, which does not tell it its name, and takes sessions all the same", async () => {
    const cluster = new Cluster("nameless for older code");
    await reachById(cluster.shards[1]!);
    const call = { v: 1, type: "relay", messages: [] } as const;
    const relay = () =>
      cluster.shards[1]!.run((instance) => (instance as unknown as PeerObject).socketIoPeer(call));
    await expect(relay()).rejects.toThrow("does not know its name");
    await cluster.shards[1]!.join();
    expect(await relay()).toEqual([]);
  });
});

describe("a shard that only newer or older code knows", () => {
  it("is known after its hello, receives messages, and is removed when it reports that it is empty", async () => {
    const cluster = new Cluster("resized");
    const [, bob] = await cluster.join();
    await bob!.ask("sync");
    const stub = cluster.shards[1]!.stub as unknown as {
      socketIoPeer(call: ClusterCall): Promise<ClusterAnswer>;
    };
    const hello = { v: 1, type: "batch", from: "7", epoch: 1, number: 1 } as const;
    const answer = await stub.socketIoPeer({ ...hello, messages: [{ type: "hello", nsp: "/" }] });
    expect(answer).toEqual({ peers: ["1", "0", "2", "7"] });
    expect((await cluster.shards[1]!.rows()).get("sio_meta")).toMatchObject({ peers: ["0", "2", "7"] });
    await cluster.become("restart", 1);
    const seven = new TalkObject("resized#7", serve, "SPREAD");
    const calls = () => (peerCalls.get(seven.name) ?? []).length;
    await cluster.act(1, (io) => void io.emit("news"));
    await until(() => calls() === 1);
    // This code has three shards, so that one has nobody and will have nobody.
    await until(async () => (await cluster.act(1, (io) => io.of("/").adapter.serverCount())) === 3);
    await cluster.act(1, (io) => void io.emit("news"));
    await until(() => cluster.calls(2).length > 0);
    expect(calls()).toBe(1);
    expect((await cluster.shards[1]!.rows()).get("sio_meta")).toMatchObject({ peers: ["0", "2"] });
  });

  it("takes no session", async () => {
    const seven = new TalkObject("resized#7", serve, "SPREAD");
    expect((await seven.fetch({ op: "open", passes: true })).status).toBe(507);
    expect((await seven.fetch({ op: "open" })).status).toBe(403);
    expect(await seven.rows()).toEqual(new Map());
  });

  it("cannot be called what no shard is called", async () => {
    const cluster = new Cluster("no shard");
    const refusal = await cluster.shards[1]!.run(async (instance) => {
      const peer = instance as unknown as { socketIoPeer(call: ClusterCall): Promise<unknown> };
      const call = { v: 1, type: "batch", from: "1#main", epoch: 1, number: 1, messages: [] } as const;
      return peer.socketIoPeer(call).catch((error: Error) => error.message);
    });
    expect(refusal).toBe("no such shard");
  });
});

describe("recovery", () => {
  it.each(STATES)(
    "restores what other shards sent to a client that reconnects to its own shard (%s)",
    async (state) => {
      const cluster = new Cluster(`recovery ${state}`, serve, "SPREAD_RECOVER");
      const client = await cluster.shards[1]!.openSocket();
      client.socket.send("40");
      const { pid, sid } = JSON.parse((await client.text()).slice(2)) as { pid: string; sid: string };
      await cluster.act(0, (io) => void io.emit("before"));
      const [, offset] = JSON.parse((await client.text()).slice(2)) as [string, string];
      client.socket.close();
      await client.closed;
      await cluster.become(state, 1);
      await cluster.act(0, (io) => void io.to(sid).emit("missed"));
      await cluster.become(state, 1);
      const again = await cluster.shards[1]!.openSocket();
      again.socket.send(`40${JSON.stringify({ pid, offset })}`);
      expect([await again.text(), await again.text()].map((packet) => packet.slice(0, 12)).sort()).toEqual([
        `40${JSON.stringify({ sid })}`.slice(0, 12),
        '42["missed",',
      ]);
    },
  );
});
