import { describe, expect, it } from "vitest";
import { Namespace, type NamespaceMatcher, type Server } from "../../src/server/index.ts";
import { FakeObject, turn } from "./fakes.ts";

describe("namespaces", () => {
  it("are the same for all spellings of a name, and new ones are emitted", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("new_namespace", (nsp) => seen.push(nsp.name));
      expect(io.of("")).toBe(io.sockets);
      expect(io.of("/")).toBe(io.sockets);
      expect(io.of("chat")).toBe(io.of("/chat"));
    });
    await object.ready();
    expect(seen).toEqual(["/chat"]);
    expect([...object.io._nsps.keys()]).toEqual(["/", "/chat"]);
    expect(object.io.of("/chat")).toBeInstanceOf(Namespace);
  });

  it("include the main one, to which the server's emitter methods and use() belong", async () => {
    const object = new FakeObject(() => {});
    const { io } = object;
    const listener = () => {};
    expect(io.on("x", listener)).toBe(io.sockets);
    expect(io.sockets.listeners("x")).toEqual([listener]);
    expect(io.listenerCount("x")).toBe(1);
    expect(io.use((_socket, next) => next())).toBe(io);
    expect(io.send("hello")).toBe(io);
    expect(io.emit("x")).toBe(true);
  });

  it("keep sockets, rooms and acknowledgement ids apart", async () => {
    const object = new FakeObject((io) => {
      for (const nsp of [io.of("/a"), io.of("/b")]) {
        nsp.on("connection", (socket) => {
          socket.join("room");
          socket.on("ask", () => socket.emit("q", () => {}));
        });
      }
    });
    const client = await object.connect();
    await client.join("/a");
    await client.join("/b");
    client.take();
    object.io.of("/a").to("room").emit("x");
    expect(client.take()).toEqual(['42/a,["x"]']);
    expect(await client.ask('2/a,["ask"]', '2/b,["ask"]')).toEqual(['42/a,0["q"]', '42/b,0["q"]']);
  });
});

describe("dynamic namespaces", () => {
  it("are asked in the order of registration, and the first one that allows the name gets the child", async () => {
    const asked: string[] = [];
    const object = new FakeObject((io) => {
      for (const name of ["first", "second"]) {
        io.of((nsp, auth, next) => {
          asked.push(name);
          turn().then(() => next(nsp === "/error" ? new Error("x") : null, auth.for === name));
        }).on("connection", (socket) => socket.emit("from", name));
      }
      io.of(/^\/re$/).on("connection", (socket) => socket.emit("from", "pattern"));
    });
    const client = await object.connect();
    const ask = async (message: string) => {
      await client.send(message);
      await object.settle();
      return client.take().slice(-1);
    };
    expect(await ask('0/x,{"for":"second"}')).toEqual(['42/x,["from","second"]']);
    expect(await ask("0/re,")).toEqual(['42/re,["from","pattern"]']);
    expect(await ask('0/error,{"for":"first"}')).toEqual(['44/error,{"message":"Invalid namespace"}']);
    expect(asked).toEqual(["first", "second", "first", "second", "first", "second"]);
  });

  it("are created and joined even if a listener of new_namespace throws", async () => {
    const object = new FakeObject((io) => {
      io.on("new_namespace", () => {
        throw new Error("not ready");
      });
      io.of(/^\/re$/);
    });
    const client = await object.connect();
    await client.join("/re");
    expect(object.logs).toEqual([expect.stringContaining("not ready")]);
    expect(object.io.of("/plain").name).toBe("/plain");
  });

  it("are refused when their function fails, and the next function is asked", async () => {
    const object = new FakeObject((io) => {
      io.of(() => {
        throw new Error("at once");
      });
      io.of((async () => Promise.reject(new Error("later"))) as NamespaceMatcher);
      io.of(/^\/re$/);
    });
    const client = await object.connect();
    expect(await client.ask("0/x,")).toEqual(['44/x,{"message":"Invalid namespace"}']);
    expect(await client.ask("0/re,")).toEqual([expect.stringMatching(/^40\/re,/)]);
    expect(object.logs).toHaveLength(4);
    expect(object.isAwake).toBe(false);
  });

  it("create one child for two clients that ask at the same time", async () => {
    const made: string[] = [];
    const object = new FakeObject((io) => {
      io.on("new_namespace", (nsp) => made.push(nsp.name));
      io.of((_name, _auth, next) => void turn().then(() => next(null, true)));
    });
    const clients = [await object.connect(), await object.connect()];
    await Promise.all(clients.map((client) => client.send("0/x,")));
    await object.settle();
    expect(made).toEqual(["/x"]);
    expect(object.io.of("/x").sockets.size).toBe(2);
  });

  it("give children what was registered on the parent before, and emit to all of them", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      const parent = io.of(/^\/\d$/);
      parent.use((socket, next) => {
        seen.push(["use", socket.nsp.name]);
        next();
      });
      parent.on("connect", (socket) => seen.push(["connect", socket.nsp.name]));
    });
    const client = await object.connect();
    await client.join("/1");
    await client.join("/2");
    client.take();
    const [parent] = object.io._internals.namespaces.parents;
    parent?.namespace.emit("all");
    parent?.namespace.to("nowhere").emit("none");
    parent?.namespace.except("nowhere").emit("some");
    expect(client.take()).toEqual(['42/1,["all"]', '42/2,["all"]', '42/1,["some"]', '42/2,["some"]']);
    expect(seen).toEqual([
      ["use", "/1"],
      ["connect", "/1"],
      ["use", "/2"],
      ["connect", "/2"],
    ]);
    expect(() => parent?.namespace.fetchSockets()).toThrow("not supported on a parent namespace");
    expect(await parent?.namespace.in("room").fetchSockets()).toEqual([]);
    expect(object.io.of("/3").name).toBe("/3");
    expect(() => object.io.of(/x/g)).toThrow("stateful regular expression");
  });

  it("remove a child whose last socket left or was refused, with the option for it, and never a static one", async () => {
    const object = new FakeObject(
      (io) => {
        io.of("/static");
        io.of(/^\/dynamic/).use((socket, next) =>
          next(socket.handshake.auth.no ? new Error("no") : undefined),
        );
      },
      { options: { cleanupEmptyChildNamespaces: true } },
    );
    const client = await object.connect();
    for (const name of ["/static", "/dynamic"]) await client.join(name);
    const names = () => [...object.io._nsps.keys()];
    expect(names()).toEqual(["/", "/static", "/dynamic"]);
    await client.send("1/static,", "1/dynamic,");
    expect(names()).toEqual(["/", "/static"]);
    await client.send('0/dynamic,{"no":1}');
    expect(names()).toEqual(["/", "/static"]);
    await client.join("/dynamic");
    expect(names()).toEqual(["/", "/static", "/dynamic"]);
  });

  it("keep a child whose last socket leaves while another client is joining it", async () => {
    let admit = () => {};
    const object = new FakeObject(
      (io) => {
        io.of(/^\/dynamic/).use((socket, next) => {
          if (socket.handshake.auth.slow) admit = next;
          else next();
        });
      },
      { options: { cleanupEmptyChildNamespaces: true } },
    );
    const [fast, slow] = [await object.connect(), await object.connect()];
    await fast.join("/dynamic");
    await slow.send('0/dynamic,{"slow":1}');
    await fast.send("1/dynamic,");
    admit();
    await object.settle();
    slow.take();
    object.io.of("/dynamic").emit("x");
    expect(slow.take()).toEqual(['42/dynamic,["x"]']);
    await slow.send("1/dynamic,");
    expect([...object.io._nsps.keys()]).toEqual(["/"]);
  });

  it("do not accumulate when a client invents new names all the time", async () => {
    const object = new FakeObject((io) => {
      io.of(/^\/dynamic/).on("connection", (socket) =>
        socket.on("echo", (text) => socket.emit("echo", text)),
      );
    });
    const [steady, flood] = [await object.connect(), await object.connect()];
    await steady.join("/dynamic-steady");
    for (let from = 0; from < 4_000; from += 50) {
      const names = Array.from({ length: 50 }, (_, i) => `/dynamic-${from + i}`);
      await flood.send(...names.map((name) => `0${name},`));
      await flood.send(...names.map((name) => `1${name},`));
    }
    expect(flood.isOpen).toBe(true);
    expect(object.io._nsps.size).toBeLessThan(1_100);
    steady.take();
    expect(await steady.ask('2/dynamic-steady,["echo","here"]')).toEqual([
      '42/dynamic-steady,["echo","here"]',
    ]);
    object.io.of("/dynamic-steady").emit("x");
    expect(steady.take()).toEqual(['42/dynamic-steady,["x"]']);
    expect(await flood.join("/dynamic-0")).toHaveLength(20);
  });

  it("have children from an earlier instance, which clients may join without the function being asked", async () => {
    const asked: unknown[] = [];
    const object = new FakeObject((io) => {
      io.of((name, { key }, next) => {
        asked.push(name);
        next(null, key === "right");
      });
    });
    const ann = await object.connect();
    await ann.join("/made", { key: "right" });
    for (const isAsleep of [false, true]) {
      if (isAsleep) await object.sleep();
      await object.act((io) => expect([...io._nsps.keys()]).toEqual(["/", "/made"]));
      if (isAsleep) await object.sleep();
      const bob = await object.connect();
      await bob.join("/made");
      await bob.leave();
    }
    expect(asked).toEqual(["/made"]);
    await ann.send("1/made,");
    ann.take();
    await object.sleep();
    expect(await ann.ask("0/made,")).toEqual(['44/made,{"message":"Invalid namespace"}']);
  });

  it("have children from an earlier instance, which are created again for a packet to or from a member", async () => {
    const setup = (io: Server) => {
      io.on("new_namespace", (nsp) => {
        nsp.on("connection", (socket) => void socket.on("via new_namespace", () => socket.emit("heard")));
      });
      io.of((_name, _auth, next) => next(null, true)).on("connection", (socket) => {
        socket.on("hello", () => socket.nsp.emit("hello", socket.nsp.name));
      });
    };
    const object = new FakeObject(setup);
    const client = await object.connect();
    await client.join("/made/by/function");
    await object.sleep();
    client.take();
    await object.act((io) => io.of("/made/by/function").emit("from server"));
    expect(client.take()).toEqual(['42/made/by/function,["from server"]']);
    await object.sleep();
    expect(
      await client.ask('2/made/by/function,["hello"]', '2/made/by/function,["via new_namespace"]'),
    ).toEqual(['42/made/by/function,["hello","/made/by/function"]', '42/made/by/function,["heard"]']);
  });
});
