import { describe, expect, it } from "vitest";
import type { ExtendedError } from "../../src/server/index.ts";
import { FakeObject, turn } from "./fakes.ts";

const echo = (io: FakeObject["io"]) => {
  io.on("connection", (socket) => {
    socket.on("echo", (value, ack) => ack(value));
  });
};

describe("CONNECT", () => {
  it("fills the handshake with auth, query, headers, address and times", async () => {
    let handshake: unknown;
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        handshake = socket.handshake;
      });
    });
    await (await object.connect()).join("/", { token: "t" });
    expect(handshake).toMatchObject({
      auth: { token: "t" },
      query: { EIO: "4", transport: "polling", token: "abc" },
      headers: { origin: "https://example.com", "user-agent": "test" },
      address: "203.0.113.7",
      url: "/socket.io/?EIO=4&transport=polling&token=abc",
      xdomain: true,
      secure: true,
      issued: object.clock.now,
      time: String(new Date(object.clock.now)),
    });
  });

  it("runs middlewares in order, then answers the client, then emits connect and connection", async () => {
    const order: unknown[] = [];
    const object = new FakeObject((io) => {
      for (const n of [1, 2]) {
        io.use(async (socket, next) => {
          await turn();
          order.push([`middleware ${n}`, socket.connected, io.sockets.sockets.size]);
          next();
        });
      }
      io.on("connection", (socket) => order.push(["connection", socket.connected]));
      io.on("connect", (socket) => {
        order.push(["connect", socket.connected, socket.rooms.has(socket.id), io.sockets.sockets.size]);
        socket.emit("hello");
      });
    });
    const client = await object.connect();
    await client.send("0");
    await object.settle();
    expect(order).toEqual([
      ["middleware 1", false, 0],
      ["middleware 2", false, 0],
      ["connect", true, true, 1],
      ["connection", true],
    ]);
    expect(client.take()).toEqual([expect.stringMatching(/^40\{"sid":/), '42["hello"]']);
  });

  it.each<[string, (next: (error?: ExtendedError) => void) => unknown, string]>([
    [
      "next(error)",
      (next) => next(Object.assign(new Error("no"), { data: { why: 1 } })),
      '44{"message":"no","data":{"why":1}}',
    ],
    ["next of a string", (next) => (next as (error: unknown) => void)("no"), "44{}"],
    ["next of a promise", (next) => (next as (error: unknown) => void)(Promise.resolve()), "44{}"],
    [
      "a throw",
      () => {
        throw new Error("thrown");
      },
      '44{"message":"Internal Server Error"}',
    ],
    [
      "a rejection",
      async () => Promise.reject(new Error("rejected")),
      '44{"message":"Internal Server Error"}',
    ],
  ])(
    "is answered with CONNECT_ERROR after %s, and the rooms joined so far are left",
    async (_how, refuse, frame) => {
      const object = new FakeObject((io) => {
        io.use((socket, next) => {
          socket.join("room");
          return refuse(next) as undefined;
        });
      });
      const client = await object.connect();
      expect(await client.ask("0")).toEqual([frame]);
      expect(object.io.sockets.adapter.rooms.size).toBe(0);
      expect(client.isOpen).toBe(true);
    },
  );

  it("connects only once when a middleware calls next twice", async () => {
    const object = new FakeObject((io) => {
      io.use((_socket, next) => {
        next();
        next();
        next(new Error("too late"));
      });
    });
    const client = await object.connect();
    expect(await client.ask("0")).toEqual([expect.stringMatching(/^40\{"sid":/)]);
  });

  it("is answered once when it arrives twice while middlewares run", async () => {
    let go = () => {};
    const object = new FakeObject((io) => {
      io.use((_socket, next) => {
        go = next;
      });
    });
    const client = await object.connect();
    expect(await client.ask("0", "0")).toEqual([]);
    go();
    await object.settle();
    expect(client.take()).toHaveLength(1);
  });

  it("is answered again when it is repeated before any event, since the client has abandoned its first attempt", async () => {
    const object = new FakeObject((io) => {
      io.of("/other");
      io.on("connection", (socket) => {
        socket.join("room");
        socket.emit("welcome");
        socket.on("disconnect", (reason) => void io.of("/other").emit("left", socket.id, reason));
      });
    });
    const client = await object.connect();
    await client.join("/other");
    const first = await client.join();
    client.take();
    const [left, connected, welcome, ...more] = await client.ask("0");
    expect(left).toBe(`42/other,["left","${first}","client namespace disconnect"]`);
    const second = JSON.parse(String(connected).slice(2)).sid;
    expect([second === first, welcome, more, client.isOpen]).toEqual([false, '42["welcome"]', [], true]);
    expect([...object.io.sockets.sockets.keys()]).toEqual([second]);
    expect([...(object.io.sockets.adapter.rooms.get("room") ?? [])]).toEqual([second]);
    await client.send('2["x"]');
    await client.send("0");
    expect(client.isOpen).toBe(false);
  });

  it("closes the connection when it is repeated after the socket has slept", async () => {
    const object = new FakeObject(echo);
    const client = await object.connect();
    await client.join();
    await object.sleep();
    await client.send("0");
    expect(client.isOpen).toBe(false);
  });

  it("keeps the object awake and the session busy while middlewares run", async () => {
    let go = () => {};
    const object = new FakeObject((io) => {
      io.use((_socket, next) => {
        go = next;
      });
    });
    const client = await object.connect({ transport: "polling" });
    await client.send("0");
    expect(object.isAwake).toBe(true);
    expect(object.isBusy(client)).toBe(true);
    go();
    await object.settle();
    expect(object.isAwake).toBe(false);
    expect(object.isBusy(client)).toBe(false);
  });

  it("does not keep the object awake for a client that has left, even if a middleware never calls next", async () => {
    const object = new FakeObject((io) => void io.use(() => {}));
    const client = await object.connect();
    await client.send("0");
    expect(object.isAwake).toBe(true);
    await client.leave();
    expect(object.isAwake).toBe(false);
  });

  it("keeps no memory for a client that has left, even if a middleware never calls next", async () => {
    const object = new FakeObject((io) => void io.use((socket) => void socket.join("room")));
    const before = object.budget.total;
    for (let i = 0; i < 3; i++) {
      const client = await object.connect();
      await client.send('0{"token":"x"}');
      await client.leave();
    }
    const { pending, rooms, sids } = object.io.sockets._internals.rooms;
    expect([pending.size, rooms.size, sids.size, object.budget.total - before]).toEqual([0, 0, 0, 0]);
  });

  it("is discarded silently when the client leaves while middlewares run", async () => {
    let go = () => {};
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.use((socket, next) => {
        socket.join("room");
        go = next;
      });
      io.on("connection", () => seen.push("connection"));
    });
    const client = await object.connect();
    await client.send("0");
    await client.leave();
    go();
    await object.settle();
    expect(seen).toEqual([]);
    expect(object.io.sockets.adapter.sids.size).toBe(0);
  });

  it("sends what a middleware emits at once, before the answer", async () => {
    const object = new FakeObject((io) => {
      io.use((socket, next) => {
        socket.emit("early");
        next();
      });
    });
    expect(await (await object.connect()).ask("0")).toEqual(['42["early"]', expect.stringMatching(/^40/)]);
  });

  it("is refused for a namespace that does not exist, and the connection stays", async () => {
    const object = new FakeObject(echo);
    const client = await object.connect();
    expect(await client.ask("0/nope,", "0/__proto__,", "0/constructor,")).toEqual([
      '44/nope,{"message":"Invalid namespace"}',
      '44/__proto__,{"message":"Invalid namespace"}',
      '44/constructor,{"message":"Invalid namespace"}',
    ]);
    expect(client.isOpen).toBe(true);
  });

  it("is refused beyond the maximum number of namespaces of one connection", async () => {
    const object = new FakeObject((io) => void io.of(/.*/), { options: { maxNamespaces: 2 } });
    const client = await object.connect();
    await client.join("/a");
    await client.join("/b");
    client.take();
    expect(await client.ask("0/c,")).toEqual(['44/c,{"message":"Too many namespaces"}']);
    await client.send("1/a,");
    expect(await client.ask("0/c,")).toEqual([expect.stringMatching(/^40\/c,\{"sid"/)]);
  });

  it("is refused for a name that is too long, or an auth that is too large or too deep to be stored", async () => {
    const object = new FakeObject((io) => void io.of(/.*/), {
      options: { maxNamespaceLength: 10, maxAuthBytes: 100 },
    });
    const client = await object.connect();
    expect(await client.ask(`0/${"n".repeat(10)},`)).toEqual([
      `44/${"n".repeat(10)},{"message":"Namespace too long"}`,
    ]);
    await client.join(`/${"n".repeat(9)}`);
    expect(await client.ask(`0{"token":"${"t".repeat(100)}"}`)).toContain('44{"message":"Auth too large"}');
    await client.join("/", { token: "t".repeat(50) });
    const deep = await new FakeObject((io) => void io.of(/.*/)).connect();
    for (const levels of [501, 100_000]) {
      const auth = `{"deep":${"[".repeat(levels)}${"]".repeat(levels)}}`;
      expect(await deep.ask(`0${auth}`)).toEqual(['44{"message":"Auth too large"}']);
    }
    await deep.join("/", JSON.parse(`{"deep":${"[".repeat(500)}${"]".repeat(500)}}`));
    expect([client.isOpen, deep.isOpen]).toEqual([true, true]);
  });

  it("is refused a bounded number of times, after which the connection is closed", async () => {
    const object = new FakeObject((io) => void io.of(/.*/), { options: { maxNamespaces: 1 } });
    const [client, other] = [await object.connect(), await object.connect()];
    await client.join("/a");
    client.take();
    const ask = (count: number) => client.ask(...Array.from({ length: count }, (_, i) => `0/b${i},`));
    expect(await ask(10_000)).toHaveLength(10_000);
    expect(client.isOpen).toBe(true);
    expect(await ask(10)).toEqual([]);
    expect([client.isOpen, other.isOpen]).toEqual([false, true]);
  });

  it("makes a connection count as one that has joined a namespace", async () => {
    const object = new FakeObject(echo);
    const client = await object.connect();
    expect(object.isIdle(client)).toBe(true);
    await client.join();
    expect(object.isIdle(client)).toBe(false);
    await client.send("1");
    expect(object.isIdle(client)).toBe(false);
    await object.sleep();
    expect(object.isIdle(client)).toBe(false);
  });
});

describe("a packet that is not allowed closes the connection", () => {
  it.each([
    ["an event before CONNECT", [], '2["x"]'],
    ["an event for a namespace not joined", ["0"], '2/other,["x"]'],
    ["a second CONNECT", ["0", '2["x"]'], "0"],
    ["a CONNECT_ERROR from a client", ["0"], '4{"message":"x"}'],
    ["DISCONNECT of a namespace not joined", ["0"], "1/other,"],
    ["an acknowledgement for a namespace not joined", ["0"], "3/other,1[]"],
    ["CONNECT with an array", [], "0[1]"],
    ["an event without a name", ["0"], "2[]"],
    ["a reserved name", ["0"], '2["disconnect"]'],
    ["text in place of an attachment", ["0", '51-["x",{"_placeholder":true,"num":0}]'], '2["x"]'],
    ["bytes that no packet announced", ["0"], new Uint8Array([1])],
  ])("%s", async (_what, before, packet) => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("disconnect", (reason) => seen.push(reason));
      });
    });
    const client = await object.connect();
    for (const message of before) await client.send(message);
    const isConnected = before.length > 0;
    await client.send(packet);
    expect(client.isOpen).toBe(false);
    expect(seen).toEqual(isConnected ? ["forced close"] : []);
  });

  it("also while a middleware runs, and the event does not reach the socket later", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.use((_socket, next) => void turn().then(() => next()));
      io.on("connection", () => seen.push("connection"));
    });
    const client = await object.connect();
    await client.send("0", '2["x"]');
    await object.settle();
    expect(client.isOpen).toBe(false);
    expect(seen).toEqual([]);
  });

  it("after it was emitted to the listeners of `error`", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("error", (error) => seen.push(["error", error instanceof Error]));
        socket.on("disconnect", (reason) => seen.push(reason));
      });
    });
    const client = await object.connect();
    await client.send("0");
    await client.send("2{");
    expect(seen).toEqual([["error", true], "forced close"]);
  });
});

describe("a connection whose sockets leave", () => {
  it("stays open, and may join the same namespace again in the same turn", async () => {
    const object = new FakeObject(echo);
    const client = await object.connect();
    const first = await client.join();
    client.take();
    const frames = await client.ask("1", "0");
    expect(frames).toEqual([expect.stringMatching(/^40\{"sid":/)]);
    expect(frames.join()).not.toContain(first);
  });

  it("drops events that arrived in the same turn as its end", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("x", () => seen.push("x"));
        socket.on("disconnect", (reason) => seen.push([reason, socket.connected]));
      });
    });
    const client = await object.connect();
    await client.join();
    const sent = client.send('2["x"]');
    const left = client.leave();
    await Promise.all([sent, left]);
    expect(seen).toEqual([["transport close", false]]);
  });

  it("emits `disconnect` once, even if a listener of `disconnecting` disconnects its rooms", async () => {
    const seen: string[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.join("game");
        socket.on("disconnecting", () => {
          seen.push("disconnecting");
          io.in([...socket.rooms]).disconnectSockets();
        });
        socket.on("disconnect", (reason) => seen.push(reason));
      });
    });
    const [host, guest] = [await object.connect(), await object.connect()];
    for (const client of [host, guest]) await client.join();
    guest.take();
    await host.leave();
    expect(seen).toEqual([
      "disconnecting",
      "disconnecting",
      "server namespace disconnect",
      "transport close",
    ]);
    expect(guest.take()).toEqual(["41"]);
    expect(object.logs).toEqual([]);
  });

  it("is sent a DISCONNECT for every namespace by disconnect(true), and then closed", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.of(/.*/).on("connection", (socket) => {
        socket.on("end", () => {
          socket.disconnect(true);
          socket.emit("nobody hears");
          seen.push([socket.connected, socket.disconnected, socket.join("room")]);
        });
        socket.on("disconnect", (reason) => seen.push([socket.nsp.name, reason]));
      });
    });
    const client = await object.connect();
    await client.join("/a");
    await client.join("/b");
    client.take();
    expect(await client.ask('2/b,["end"]')).toEqual(["41/a,", "41/b,"]);
    expect(client.isOpen).toBe(false);
    expect(seen).toEqual([
      ["/a", "server namespace disconnect"],
      ["/b", "server namespace disconnect"],
      [false, true, undefined],
    ]);
  });

  it("is closed without a packet by close() of the server, also when it sleeps", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("disconnect", (reason) => seen.push(reason));
      });
    });
    const clients = [await object.connect(), await object.connect()];
    for (const client of clients) await client.join();
    await object.sleep();
    for (const client of clients) client.take();
    await object.act((io) => io.close());
    expect(seen).toEqual(["server shutting down", "server shutting down"]);
    expect(clients.flatMap((client) => client.take())).toEqual([]);
  });
});
