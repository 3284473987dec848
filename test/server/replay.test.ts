import { describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { FakeObject, turn } from "./fakes.ts";

describe.each([
  ["with an async context", true],
  ["without an async context", false],
])("a replay %s", (_name, hasAsyncContext) => {
  const create = (setup: (io: Server) => void | Promise<void>) => new FakeObject(setup, { hasAsyncContext });

  it("skips what a connection listener emits, broadcasts, joins and leaves", async () => {
    const object = create((io) => {
      io.on("connection", (socket) => {
        socket.emit("welcome");
        socket.broadcast.emit("joined");
        io.emit("all");
        io.socketsJoin("everyone");
        socket.join("first");
        socket.leave("second");
        socket.on("join", (room) => socket.join(room));
        socket.on("leave", (room) => socket.leave(room));
        socket.on("rooms", () => socket.emit("rooms", [...socket.rooms].slice(1)));
      });
    });
    const [ann, bob] = [await object.connect(), await object.connect()];
    await ann.join();
    await bob.join();
    await ann.send('2["join","second"]', '2["leave","first"]', '2["leave","everyone"]');
    await object.sleep();
    ann.take();
    bob.take();
    expect(await ann.ask('2["rooms"]')).toEqual(['42["rooms",["second"]]']);
    expect(bob.take()).toEqual([]);
  });

  it("keeps saved values over those that a listener assigns, and accepts values that were not saved", async () => {
    let isNewCode = false;
    const object = create((io) => {
      io.on("connection", (it) => {
        const socket = it as typeof it & { user?: { name: string } };
        socket.data.count = 0;
        socket.data.list = [];
        socket.data.list.push("first");
        socket.data.typing = true;
        socket.user = { name: "anonymous" };
        if (isNewCode) socket.data.fresh = { made: "today" };
        if (isNewCode) socket.data.fresh.more = 1;
        socket.on("change", () => {
          socket.data.count++;
          socket.data.list.push("second");
          delete socket.data.typing;
          if (socket.user) socket.user.name = "ann";
        });
        socket.on("show", () => socket.emit("data", socket.data, socket.user));
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send('2["change"]');
    isNewCode = true;
    await object.sleep();
    client.take();
    expect(await client.ask('2["show"]')).toEqual([
      '42["data",{"count":1,"list":["first","second"],"fresh":{"made":"today","more":1}},{"name":"ann"}]',
    ]);
  });

  it("has `socket.recovered` set, and runs no middleware", async () => {
    const seen: unknown[] = [];
    const object = create((io) => {
      io.use((_socket, next) => {
        seen.push("middleware");
        next();
      });
      io.on("connect", (socket) => seen.push(["connect", socket.recovered]));
      io.on("connection", (socket) => seen.push(["connection", socket.recovered]));
    });
    const client = await object.connect();
    await client.join();
    await object.sleep();
    await client.send('2["wake"]');
    await client.send('2["again"]');
    expect(seen).toEqual([
      "middleware",
      ["connect", false],
      ["connection", false],
      ["connect", true],
      ["connection", true],
    ]);
  });

  it("does not add a `once` listener again that has fired, and adds one that has not", async () => {
    const object = create((io) => {
      io.on("connection", (socket) => {
        socket.once("fired", () => socket.emit("once", 1));
        socket.once("waiting", () => socket.emit("once", 2));
        socket.on("fired", () => socket.emit("always"));
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send('2["fired"]');
    await object.sleep();
    client.take();
    expect(await client.ask('2["fired"]', '2["waiting"]', '2["waiting"]')).toEqual([
      '42["always"]',
      '42["once",2]',
    ]);
  });

  it("does not mistake an event that is named like a member of every object for one that has fired", async () => {
    const object = create((io) => {
      io.on("connection", (socket) => {
        for (const name of ["constructor", "__proto__"]) socket.once(name, () => socket.emit("once", name));
      });
    });
    const client = await object.connect();
    await client.join();
    for (const name of ["constructor", "__proto__"]) {
      await object.sleep();
      client.take();
      expect(await client.ask(`2["${name}"]`, `2["${name}"]`)).toEqual([`42["once","${name}"]`]);
    }
    await object.sleep();
    expect(await client.ask('2["constructor"]', '2["__proto__"]')).toEqual([]);
  });

  it("does not mute timers and listeners that it registers", async () => {
    let fire = () => {};
    const object = create((io) => {
      io.on("connection", (socket) => {
        fire = () => socket.emit("timer");
        socket.on("x", () => socket.emit("listener"));
      });
    });
    const client = await object.connect();
    await client.join();
    await object.sleep();
    client.take();
    expect(await client.ask('2["x"]')).toEqual(['42["listener"]']);
    fire();
    expect(client.take()).toEqual(['42["timer"]']);
  });

  it("emits again where the code waits for an acknowledgement, and delays the packet until it has arrived", async () => {
    const object = create((io) => {
      io.on("connection", async (socket) => {
        const name = await socket.emitWithAck("name?");
        socket.on("hello", () => socket.emit("hello", name));
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send('30["ann"]');
    await object.sleep();
    client.take();
    expect(await client.ask('2["hello"]')).toEqual(['421000["name?"]']);
    expect(await client.ask('31000["bob"]')).toEqual(['42["hello","bob"]']);
  });

  it("does not mute `disconnect` listeners of sockets that it disconnects, itself or others", async () => {
    let isOver = false;
    const object = create((io) => {
      io.on("connection", (socket) => {
        const { name } = socket.handshake.auth;
        socket.join(name);
        socket.on("disconnect", () => io.emit("left", name));
        socket.on("hello", () => io.emit("hello", name));
        if (!isOver || name !== "host") return;
        io.in("guest").disconnectSockets();
        socket.disconnect();
      });
    });
    const [host, awake, asleep, watcher] = [1, 2, 3, 4].map(() => object.connect());
    await (await host)?.join("/", { name: "host" });
    for (const it of [awake, asleep]) await (await it)?.join("/", { name: "guest" });
    await (await watcher)?.join("/", { name: "watcher" });
    await object.sleep();
    await (await awake)?.send('2["hello"]');
    (await watcher)?.take();
    isOver = true;
    await (await host)?.send('2["hello"]');
    expect((await watcher)?.take().sort()).toEqual([
      '42["left","guest"]',
      '42["left","guest"]',
      '42["left","host"]',
    ]);
  });

  it("may disconnect its socket", async () => {
    let isBanned = false;
    const seen: unknown[] = [];
    const object = create((io) => {
      io.on("connection", (socket) => {
        socket.on("disconnect", (reason) => seen.push(reason));
        if (isBanned) socket.disconnect(true);
        socket.on("hello", () => seen.push("hello"));
      });
    });
    const client = await object.connect();
    await client.join();
    isBanned = true;
    await object.sleep();
    client.take();
    expect(await client.ask('2["hello"]')).toEqual(["41"]);
    expect(client.isOpen).toBe(false);
    expect(seen).toEqual(["server namespace disconnect"]);
  });

  it("keeps the order of packets that wait for it, and of the disconnection after them", async () => {
    const seen: unknown[] = [];
    let release = () => {};
    const object = create((io) => {
      io.on("connection", async (socket) => {
        if (socket.recovered) {
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        }
        socket.on("n", (n) => seen.push(n));
        socket.on("disconnect", (reason) => seen.push(reason));
      });
    });
    const client = await object.connect();
    await client.join();
    await object.sleep();
    await client.send('2["n",1]', '2["n",2]');
    await client.send('2["n",3]');
    await client.leave();
    expect(seen).toEqual([]);
    release();
    await object.settle();
    expect(seen).toEqual([1, 2, 3, "transport close"]);
  });

  it("runs setup muted in every instance but the first", async () => {
    const object = create(async (io) => {
      io.emit("started");
      io.on("connection", (socket) => {
        socket.on("hello", () => socket.emit("hello"));
      });
    });
    const client = await object.connect();
    await client.join();
    client.take();
    await object.sleep();
    expect(await client.ask('2["hello"]')).toEqual(['42["hello"]']);
  });
});

describe("a replay without an async context whose listener goes on after an await", () => {
  it("is muted only until its first await, and saved values win until then as well", async () => {
    const object = new FakeObject(
      (io) => {
        io.on("connection", async (socket) => {
          socket.emit("at once");
          socket.data.count = 0;
          await turn();
          socket.emit("later");
          socket.on("count", () => socket.emit("count", ++socket.data.count));
        });
      },
      { hasAsyncContext: false },
    );
    const client = await object.connect();
    await client.join();
    await client.send('2["count"]');
    await object.sleep();
    client.take();
    expect(await client.ask('2["count"]')).toEqual(['42["later"]', '42["count",2]']);
  });
});

describe("packets that wait for a replay to settle", () => {
  it("count towards the budget, and a client that exceeds it is closed, with a log entry", async () => {
    const ends: unknown[] = [];
    let release = () => {};
    const object = new FakeObject(
      (io) => {
        io.on("connection", async (socket) => {
          socket.on("x", () => ends.push("x"));
          socket.on("disconnect", (reason, description) => ends.push(reason, description));
          if (socket.recovered) await new Promise<void>((resolve) => (release = resolve));
        });
      },
      { maxHeldBytes: 4_000_000 },
    );
    const client = await object.connect();
    const other = await object.connect();
    await client.join();
    await other.join();
    await object.sleep();
    await client.send(...Array.from({ length: 10_000 }, () => '2["x"]'));
    expect(client.isOpen).toBe(true);
    await client.send(...Array.from({ length: 10_000 }, () => '2["x"]'));
    expect(client.isOpen).toBe(false);
    expect(other.isOpen).toBe(true);
    const why = "the object holds more than maxHeldBytes for its clients, and most of it for this one";
    expect(object.logs).toEqual([why]);
    release();
    await object.settle();
    // The waiting packets were dropped, so its listeners receive only the disconnection.
    expect(ends).toEqual(["transport error", expect.objectContaining({ message: why })]);
    expect(object.budget.total).toBeLessThan(1_000);
  });
});

describe("a replay in several namespaces of one connection", () => {
  it("keeps the order of packets, also when one namespace takes longer", async () => {
    const seen: unknown[] = [];
    let release = () => {};
    const object = new FakeObject((io) => {
      for (const name of ["/slow", "/fast", "/late"]) {
        io.of(name).on("connection", async (socket) => {
          seen.push(["connection", name]);
          if (socket.recovered && name === "/slow") {
            await socket.emitWithAck("ready?");
            await new Promise<void>((resolve) => {
              release = resolve;
            });
          }
          socket.on("n", (n) => seen.push([name, n]));
          socket.on("disconnect", (reason) => seen.push([name, reason]));
        });
      }
    });
    const client = await object.connect();
    await client.join("/slow");
    await client.join("/fast");
    await object.sleep();
    client.take();
    seen.length = 0;
    await client.send('2/fast,["n",0]');
    await client.send('2/slow,["n",1]', '2/fast,["n",2]', "0/late,", '2/late,["n",3]', '2/slow,["n",4]');
    await client.send('2/fast,["n",5]', "1/fast,");
    expect(client.take()).toEqual(['42/slow,1000["ready?"]']);
    // An acknowledgement does not wait for the replay, because the code that awaits it delays everything else.
    await client.send("3/slow,1000[]");
    await client.send('2/slow,["n",6]');
    await client.leave();
    expect(seen).toEqual([
      ["connection", "/fast"],
      ["/fast", 0],
      ["connection", "/slow"],
    ]);
    release();
    await object.settle();
    expect(seen.slice(3)).toEqual([
      ["/slow", 1],
      ["/fast", 2],
      ["/slow", 4],
      ["/fast", 5],
      ["/fast", "client namespace disconnect"],
      ["/slow", 6],
      ["/slow", "transport close"],
    ]);
  });
});

describe("a replay whose listener goes on after an await", () => {
  it("stays muted until it settles, with the listeners that it added after the await", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", async (socket) => {
        await turn();
        socket.emit("welcome");
        await socket.join("late");
        socket.data.loaded = (socket.data.loaded ?? 0) + 1;
        socket.on("show", () => socket.emit("data", socket.data, [...socket.rooms].slice(1)));
      });
    });
    const client = await object.connect();
    await client.join();
    client.take();
    await object.sleep();
    expect(await client.ask('2["show"]')).toEqual(['42["data",{"loaded":1},["late"]]']);
  });

  it("is no longer muted after 10 seconds, and the packet that woke it is dispatched", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    try {
      const object = new FakeObject((io) => {
        io.on("connection", async (socket) => {
          socket.on("hello", () => socket.emit("hello"));
          if (socket.recovered) await new Promise(() => {});
        });
      });
      const client = await object.connect();
      await client.join();
      await object.sleep();
      client.take();
      expect(await client.ask('2["hello"]')).toEqual([]);
      await vi.advanceTimersByTimeAsync(10_000);
      await object.settle();
      expect(client.take()).toEqual(['42["hello"]']);
      expect(await client.ask('2["hello"]')).toEqual(['42["hello"]']);
    } finally {
      vi.useRealTimers();
    }
  });

  it("warns once of each listener and namespace that handlers add late, by its name", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("add", () => {
          socket.on("late", () => {});
          socket.on("later", () => {});
          io.of("/late");
          io.on("connection", () => {});
        });
      });
    });
    const client = await object.connect();
    await client.join();
    expect(object.logs).toEqual([]);
    await client.send('2["add"]', '2["add"]');
    const gone = "is gone once the object has slept; ";
    expect(object.logs).toEqual([
      `warn: a "late" listener that is added to a socket late ${gone}add it in the connection listener`,
      `warn: a "later" listener that is added to a socket late ${gone}add it in the connection listener`,
      `warn: namespace "/late" ${gone}create it in the setup function`,
      `warn: a "connection" listener that is added late ${gone}add it in the setup function`,
    ]);
  });

  it("loads each of 2,000 sleeping sockets once when a listener looks at all of them", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("names", (ack) => {
          let names = 0;
          for (const [, other] of io.sockets.sockets) if (other.data.name) names++;
          ack(names);
        });
        socket.data.name = socket.handshake.auth.name;
        if (socket.recovered) for (const [, other] of io.sockets.sockets) void other.data.name;
      });
    });
    const clients = [];
    for (let i = 0; i < 2_000; i++) {
      const client = await object.connect();
      clients.push(client);
      await client.join("/", { name: `client ${i}` });
    }
    await object.sleep();
    object.loads = 0;
    clients[7]?.take();
    expect(await clients[7]?.ask('21["names"]')).toEqual(["431[2000]"]);
    expect(object.loads).toBe(2_000);
  }, 60_000);
});
