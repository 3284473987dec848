import { describe, expect, it } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { FakeObject, turn } from "./fakes.ts";

/** A socket on which user code may set any property. */
type Bag = Record<string, unknown>;

describe("what survives sleep", () => {
  it("keeps id, rooms, handshake and auth of sockets in several namespaces", async () => {
    const object = new FakeObject((io) => {
      io.of(/.*/).on("connection", (socket) => {
        socket.join(["a", "b"]);
        socket.on("leave a", () => socket.leave("a"));
        socket.on("who am i", (ack) => ack(socket.id, [...socket.rooms].slice(1), socket.handshake));
      });
    });
    const client = await object.connect();
    const id = await client.join("/x", { token: 1 });
    const other = await client.join("/y", { token: 2 });
    await client.send('2/x,["leave a"]');
    client.take();
    const before = await client.ask('2/x,1["who am i"]', '2/y,2["who am i"]');
    await object.sleep();
    expect(await client.ask('2/x,1["who am i"]', '2/y,2["who am i"]')).toEqual(before);
    const [, , handshake] = JSON.parse(String(before[0]).slice("43/x,1".length));
    expect([String(before[0]).startsWith(`43/x,1["${id}",["b"],{`), handshake.auth]).toEqual([
      true,
      { token: 1 },
    ]);
    expect(handshake.headers).toMatchObject({ origin: "https://example.com" });
    expect(String(before[1])).toContain(`43/y,2["${other}",["a","b"],`);
  });

  it("keeps changes of socket.data at any depth, made at any time", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.list = [{ tags: ["a"] }];
        socket.on("change", async () => {
          const { list } = socket.data;
          await turn();
          list[0].tags.push("b");
          list.push({ tags: [] });
          delete list[1].tags;
          socket.data.nested = { deep: {} };
          socket.data.nested.deep.er = 1;
        });
        socket.on("show", () => socket.emit("data", socket.data));
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send('2["change"]');
    await object.sleep();
    client.take();
    expect(await client.ask('2["show"]')).toEqual([
      '42["data",{"list":[{"tags":["a","b"]},{}],"nested":{"deep":{"er":1}}}]',
    ]);
  });

  it("keeps what changed inside a Map, a Set, a Date or a typed array by the time a handler settled", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.map = new Map([["a", { n: 1 }]]);
        socket.data.set = new Set([1]);
        socket.data.date = new Date(0);
        socket.data.bytes = new Uint8Array([1, 2]);
        socket.on("change", async () => {
          socket.data.map.get("a").n = 2;
          await turn();
          socket.data.set.add(2);
          socket.data.date.setTime(1_000);
          socket.data.bytes[0] = 9;
        });
        socket.on("show", (ack) => {
          const { map, set, date, bytes } = socket.data;
          ack([...map], [...set], date, [...bytes]);
        });
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send('2["change"]');
    await object.sleep();
    client.take();
    expect(await client.ask('21["show"]')).toEqual([
      '431[[["a",{"n":2}]],[1,2],"1970-01-01T00:00:01.000Z",[9,2]]',
    ]);
  });

  it("keeps changes inside a Map that a handler read before other handlers settled, or long ago", async () => {
    const steps: (() => void)[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.map ??= new Map();
        socket.data.other ??= new Map();
        const map = socket.data.map as Map<string, number>;
        socket.on("quick", () => void socket.data.map.size);
        socket.on("slow", async (id: string) => {
          const theirs = io.sockets.sockets.get(id)!.data.other as Map<string, number>;
          await new Promise<void>((resolve) => steps.push(resolve));
          theirs.set("slow", 1);
        });
        socket.on("long ago", () => void map.set("long ago", 2));
        socket.on("show", (ack) => ack([...socket.data.map], [...socket.data.other]));
      });
    });
    const [one, two] = [await object.connect(), await object.connect()];
    await one.join();
    await two.join();
    const id = [...object.io.sockets.sockets.keys()][1];
    await one.send(`2["slow","${id}"]`);
    await two.send('2["quick"]');
    for (const step of steps) step();
    await turn();
    await two.send('2["long ago"]');
    await object.sleep();
    two.take();
    expect(await two.ask('21["show"]')).toEqual(['431[[["long ago",2]],[["slow",1]]]']);
  });

  it("writes nothing for a message that changes nothing", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.map = new Map();
        socket.data.plain = { a: 1 };
        socket.on("look", () => socket.emit("seen", socket.data.map.size, socket.data.plain.a));
        socket.on("same", () => {
          socket.data.plain.a = 1;
        });
      });
    });
    const client = await object.connect();
    await client.join();
    object.saves = 0;
    await client.send('2["look"]', '2["look"]', '2["same"]', '2["nobody listens"]');
    expect(object.saves).toBe(0);
  });

  it("keeps properties that user code sets on a socket, and not those that it deletes", async () => {
    const object = new FakeObject((io) => {
      io.use((socket, next) => {
        (socket as unknown as Bag).user = { name: "ann", visits: [] };
        next();
      });
      io.on("connection", (it) => {
        const socket = it as typeof it & { user?: { name: string; visits: number[] }; temporary?: number };
        socket.on("visit", () => socket.user?.visits.push(1));
        socket.on("set", () => {
          socket.temporary = 1;
        });
        socket.on("delete", () => {
          delete socket.temporary;
        });
        socket.on("show", (ack) => ack(socket.user, Object.keys(socket), "temporary" in socket));
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send('2["visit"]', '2["set"]');
    client.take();
    await object.sleep();
    expect(await client.ask('21["show"]')).toEqual([
      '431[{"name":"ann","visits":[1]},["user","temporary"],true]',
    ]);
    await client.send('2["delete"]');
    await object.sleep();
    expect(await client.ask('22["show"]')).toEqual(['432[{"name":"ann","visits":[1]},["user"],false]']);
  });

  it("keeps values that cannot be stored while the object is awake, and warns once with their path", async () => {
    class Repository {
      find() {
        return "found";
      }
    }
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.tools = { repository: new Repository(), name: "kept" };
        (socket as unknown as Bag).callback = () => "called";
        socket.on("use", (ack) => {
          const { callback } = socket as unknown as { callback: () => string };
          ack(socket.data.tools.repository?.find(), socket.data.tools.name, callback?.());
        });
      });
    });
    const client = await object.connect();
    await client.join();
    client.take();
    expect(await client.ask('21["use"]')).toEqual(['431["found","kept","called"]']);
    const warnings = object.logs.slice();
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toContain("socket.data.tools.repository cannot be stored");
    expect(warnings.join()).toContain("socket.callback cannot be stored");
    await object.sleep();
    // The function was set again when the listener ran again; the saved values around the instance were kept.
    expect(await client.ask('21["use"]')).toEqual(['431[null,"kept","called"]']);
  });

  it("visits only the elements of a sparse array, and does not store one that is mostly holes", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.cells ??= [];
        socket.data.bytes ??= new Uint8Array(1_000_000);
        socket.on("set", (index, value, ack) => {
          socket.data.cells[index] = value;
          // Values that were read are compared when the handler has settled.
          socket.data.bytes[index % 1_000_000] = value;
          ack(Object.keys(socket.data.cells), socket.data.bytes[index % 1_000_000]);
        });
      });
    });
    const client = await object.connect();
    await client.join();
    client.take();
    // Visiting each of the holes would take a minute, and storing those of the second array 240 MB.
    expect(await client.ask('21["set",4294967294,7]')).toEqual(['431[["4294967294"],7]']);
    expect(object.logs.join()).toContain("socket.data.cells cannot be stored");
    await object.sleep();
    expect(await client.ask('21["set",30000000,8]')).toEqual(['431[["30000000"],8]']);
    await object.sleep();
    expect(await client.ask('21["set",1,9]', '22["set",900,9]')).toEqual([
      '431[["1"],9]',
      '432[["1","900"],9]',
    ]);
    await object.sleep();
    expect(await client.ask('21["set",2,5]')).toEqual(['431[["1","2","900"],5]']);
  });

  it("omits errors and bytes that cannot be cloned, and the session continues", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("keep", () => {
          socket.data.failure = new Error("failed", { cause: () => {} });
          const bytes = new ArrayBuffer(8);
          structuredClone(bytes, { transfer: [bytes] });
          socket.data.bytes = bytes;
          socket.data.name = "kept";
        });
        socket.on("show", (ack) => ack(Object.keys(socket.data), socket.data.name));
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send('2["keep"]');
    await object.sleep();
    client.take();
    expect(await client.ask('21["show"]')).toEqual(['431[["name"],"kept"]']);
    expect(object.logs.join()).toContain("socket.data.failure cannot be stored");
    expect(object.logs.join()).toContain("socket.data.bytes cannot be stored");
  });

  it("omits values that are nested too deep to be stored, and keeps cycles", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("keep", (value) => {
          socket.data.deep = value;
          socket.data.self = { name: "me" };
          socket.data.self.self = socket.data.self;
        });
        socket.on("show", (ack) => ack(socket.data.self.self.self.name, typeof socket.data.deep));
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send(`2["keep",${"[".repeat(5_000)}${"]".repeat(5_000)}]`);
    expect(object.logs.join()).toMatch(/socket\.data\.deep(\.0)+ cannot be stored/);
    await object.sleep();
    client.take();
    expect(await client.ask('21["show"]')).toEqual(['431["me","object"]']);
  });

  it.each(["awake", "asleep"])(
    "keeps rooms that server code asks the adapter itself for, %s",
    async (state) => {
      const object = new FakeObject((io) => {
        io.on("connection", (socket) => void socket.join(["a", "b"]));
      });
      const [one, two] = [await object.connect(), await object.connect()];
      const ids = [await one.join(), await two.join()] as [string, string];
      if (state === "asleep") await object.sleep();
      await object.act((io) => {
        const { adapter } = io.of("/");
        adapter.addAll(ids[0], new Set(["c"]));
        adapter.del(ids[0], "a");
        adapter.delAll(ids[1]);
      });
      await object.sleep();
      await object.act((io) => {
        expect([...io.of("/").sockets.values()].map(({ rooms }) => [...rooms])).toEqual([
          [ids[0], "b", "c"],
          [],
        ]);
      });
    },
  );

  it("writes nothing for a room that a socket is already in", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.join("a");
        socket.on("again", () => {
          socket.join("a");
          socket.leave("nowhere");
        });
      });
    });
    const client = await object.connect();
    await client.join();
    object.saves = 0;
    await client.send('2["again"]');
    expect(object.saves).toBe(0);
  });

  it("runs handlers of disconnect for a socket that leaves while the object sleeps", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.join("room");
        socket.on("disconnecting", (reason) =>
          seen.push(["disconnecting", reason, [...socket.rooms].slice(1)]),
        );
        socket.on("disconnect", (reason, description) => seen.push([reason, description, socket.rooms.size]));
      });
    });
    const client = await object.connect();
    await client.join();
    await object.sleep();
    await client.leave("transport error", new Error("reset"));
    expect(seen).toEqual([
      ["disconnecting", "transport error", ["room"]],
      ["transport error", new Error("reset"), 0],
    ]);
  });
});

describe("sleeping sockets", () => {
  const quiet = (io: Server) => {
    io.on("connection", (socket) => void socket.join(`room-${socket.handshake.auth.room}`));
  };

  it("are counted, listed and found by server code in the order in which they connected", async () => {
    const object = new FakeObject(quiet);
    const ids: string[] = [];
    for (const room of [1, 2, 1]) ids.push(await (await object.connect()).join("/", { room }));
    await object.sleep();
    await object.act(async (io) => {
      expect(io.sockets.sockets.size).toBe(3);
      expect([...io.sockets.sockets.keys()]).toEqual(ids);
      expect([...io.sockets.adapter.rooms.get("room-1")!]).toEqual([ids[0], ids[2]]);
      expect([...io.sockets.adapter.sids.get(ids[1] as string)!]).toEqual([ids[1], "room-2"]);
      expect([...(await io.allSockets())]).toEqual(ids);
      expect(object.loads).toBe(0);
      expect((await io.fetchSockets()).map((socket) => socket.id)).toEqual(ids);
      expect(object.loads).toBe(3);
    });
  });

  it("receive broadcasts without running their listeners", async () => {
    let connections = 0;
    const object = new FakeObject((io) => {
      quiet(io);
      io.on("connection", () => void connections++);
    });
    const clients = [await object.connect(), await object.connect(), await object.connect()];
    for (const [i, client] of clients.entries()) await client.join("/", { room: i % 2 });
    await object.sleep();
    for (const client of clients) client.take();
    connections = 0;
    await object.act((io) => io.to("room-0").emit("news", 1));
    expect(clients.map((client) => client.take())).toEqual([['42["news",1]'], [], ['42["news",1]']]);
    expect(object.loads).toBe(2);
    expect(connections).toBe(0);
  });

  it("can be read and acted on without running their listeners", async () => {
    let connections = 0;
    const object = new FakeObject((io) => {
      quiet(io);
      io.on("connection", () => void connections++);
    });
    const client = await object.connect();
    const id = await client.join("/", { room: 1 });
    await object.sleep();
    client.take();
    connections = 0;
    await object.act((io) => {
      const socket = io.sockets.sockets.get(id);
      expect(socket?.handshake.auth).toEqual({ room: 1 });
      expect(socket?.connected).toBe(true);
      socket?.emit("direct", 1);
      socket?.join("later");
      if (socket) socket.data.seen = true;
    });
    expect(client.take()).toEqual(['42["direct",1]']);
    expect(connections).toBe(0);
    await object.sleep();
    await object.act((io) => {
      const socket = io.sockets.sockets.get(id);
      expect([...(socket?.rooms ?? [])]).toEqual([id, "room-1", "later"]);
      expect(socket?.data).toEqual({ seen: true });
    });
  });

  it("run their disconnect handlers when server code disconnects them", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("disconnect", (reason) => seen.push(reason));
      });
    });
    const client = await object.connect();
    await client.join();
    await object.sleep();
    client.take();
    await object.act((io) => io.disconnectSockets());
    expect(client.take()).toEqual(["41"]);
    expect(seen).toEqual(["server namespace disconnect"]);
    expect(client.isOpen).toBe(true);
    await object.sleep();
    await object.act((io) => expect(io.sockets.sockets.size).toBe(0));
  });

  it.each([false, true])(
    "are no longer listed as soon as server code disconnects them (close: %s)",
    async (close) => {
      const seen: unknown[] = [];
      const object = new FakeObject((io) => {
        io.on("connection", (socket) => {
          socket.join("room");
          socket.on("disconnecting", async (reason) => {
            seen.push(reason, [...socket.rooms].at(-1), (await io.in("room").fetchSockets()).length);
          });
          socket.on("disconnect", () => io.emit("left", socket.id));
        });
      });
      const client = await object.connect();
      const id = await client.join();
      const other = await object.connect();
      await other.join();
      await object.sleep();
      for (const it of [client, other]) it.take();
      await object.act(async (io) => {
        io.in(id).disconnectSockets(close);
        io.sockets.sockets.get(id)?.disconnect(close);
        io.to("room").emit("news");
        expect(await io.in("room").fetchSockets()).toHaveLength(1);
        expect([...(await io.allSockets())]).not.toContain(id);
        await expect(io.to(id).timeout(100).emitWithAck("question")).resolves.toEqual([]);
      });
      expect(client.take()).toEqual(["41"]);
      expect(other.take()).toEqual(['42["news"]', `42["left","${id}"]`]);
      expect(seen).toEqual(["server namespace disconnect", "room", 2]);
    },
  );

  it("leave one after the other as on Node when server code disconnects several", async () => {
    const left: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.join("tabs of ann");
        socket.on("disconnect", async () => left.push((await io.in("tabs of ann").fetchSockets()).length));
      });
    });
    for (let i = 0; i < 3; i++) await (await object.connect()).join();
    await object.sleep();
    await object.act(async (io) => {
      io.in("tabs of ann").disconnectSockets();
      expect(await io.in("tabs of ann").fetchSockets()).toEqual([]);
    });
    expect(left).toEqual([2, 1, 0]);
  });

  it("end when the deployed code has no such namespace any more, and their connection's other sockets stay", async () => {
    let hasOld = true;
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => void socket.on("echo", (text) => socket.emit("echo", text)));
      if (hasOld) io.of("/old");
    });
    const client = await object.connect();
    await client.join("/old");
    await client.join();
    hasOld = false;
    await object.sleep();
    client.take();
    expect(await client.ask('2/old,["hello"]', '2["echo",1]')).toEqual(["41/old,", '42["echo",1]']);
    expect(object.logs.join()).toContain('namespace "/old"');
    expect(await client.ask('2["echo",2]')).toEqual(['42["echo",2]']);
  });

  it("keep half of a binary packet that arrived over polling", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => void socket.on("bytes", (bytes) => socket.emit("got", [...bytes])));
    });
    const client = await object.connect({ transport: "polling" });
    await client.join();
    await client.send('52-["bytes",{"_placeholder":true,"num":1}]', new Uint8Array([1]));
    await object.restart();
    client.take();
    expect(await client.ask(new Uint8Array([2]))).toEqual(['42["got",[2]]']);
  });
});
