import { describe, expect, it } from "vitest";
import type { Socket } from "../../src/server/index.ts";
import type { Untyped } from "../../src/shared/untyped.ts";
import { FakeObject } from "./fakes.ts";

/** A request or a handshake on which user code may set any property. */
const bag = (value: unknown) => value as Record<string, Untyped>;

const show = (socket: Socket) => {
  socket.on("show", (ack) => {
    const { request, handshake } = socket;
    ack(bag(request).user, bag(request).session, bag(handshake).user, handshake.auth);
  });
};

describe("what a middleware puts on socket.request and socket.handshake", () => {
  it("survives sleep at any depth", async () => {
    const object = new FakeObject((io) => {
      io.use((socket, next) => {
        bag(socket.request).user = { name: "ann", roles: [] };
        bag(socket.request).session = { views: 0 };
        bag(socket.handshake).user = "ann";
        socket.handshake.auth.user = { id: 1 };
        next();
      });
      io.on("connection", (socket) => {
        show(socket);
        socket.on("change", () => {
          bag(socket.request).session.views++;
          bag(socket.request).user.roles.push("admin");
          socket.handshake.auth.user.id = 2;
          delete socket.handshake.auth.token;
        });
      });
    });
    const client = await object.connect();
    await client.join("/", { token: "secret" });
    await object.sleep();
    client.take();
    expect(await client.ask('21["show"]')).toEqual([
      '431[{"name":"ann","roles":[]},{"views":0},"ann",{"token":"secret","user":{"id":1}}]',
    ]);
    await client.send('2["change"]');
    await object.sleep();
    client.take();
    expect(await client.ask('21["show"]')).toEqual([
      '431[{"name":"ann","roles":["admin"]},{"views":1},"ann",{"user":{"id":2}}]',
    ]);
    expect(JSON.stringify(object.storedOf(client))).not.toContain("secret");
    expect(object.logs).toEqual([]);
  });

  it("is shared on the request by all namespaces of a connection, and separate on the handshake of each socket", async () => {
    const object = new FakeObject((io) => {
      io.use((socket, next) => {
        bag(socket.request).user = "ann";
        bag(socket.handshake).first = true;
        next();
      });
      io.of("/other").on("connection", (socket) => {
        socket.on("show", (ack) => {
          const { request } = socket;
          const isOne = request === socket.conn.request && request === socket.client.request;
          ack(bag(request).user, bag(socket.handshake).first ?? null, isOne);
        });
      });
    });
    const client = await object.connect();
    await client.join();
    await client.join("/other");
    client.take();
    const before = await client.ask('2/other,1["show"]');
    expect(before).toEqual(['43/other,1["ann",null,true]']);
    await object.sleep();
    expect(await client.ask('2/other,1["show"]')).toEqual(before);
  });

  it("survives sleep also when it replaces fields of the request and the handshake", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("change", () => {
          socket.handshake.query.room = "1";
          socket.handshake.headers["x-new"] = "2";
          socket.request._query.more = "3";
          socket.request.url = "/rewritten";
        });
        socket.on("show", (ack) => ack(socket.handshake, { ...socket.request, headers: undefined }));
      });
    });
    const client = await object.connect();
    await client.join();
    client.take();
    const before = await client.ask('21["show"]');
    await client.send('2["change"]');
    await object.sleep();
    const [answer] = await client.ask('21["show"]');
    const [handshake, request] = JSON.parse(String(answer).slice(3));
    const [old, oldRequest] = JSON.parse(String(before[0]).slice(3));
    expect(handshake).toEqual({
      ...old,
      query: { ...old.query, room: "1" },
      headers: { ...old.headers, "x-new": "2" },
    });
    expect(request).toEqual({
      ...oldRequest,
      _query: { ...oldRequest._query, more: "3" },
      url: "/rewritten",
    });
    await object.act((io) => {
      const [socket] = [...io.sockets.sockets.values()];
      expect(socket?.request.headers.get("origin")).toBe("https://example.com");
    });
  });

  it("causes one warning, with its path, when it cannot be stored", async () => {
    const object = new FakeObject((io) => {
      io.use((socket, next) => {
        bag(socket.request).session = { id: 1, save: () => "saved" };
        bag(socket.handshake.auth).user = { find: () => "found" };
        next();
      });
      io.on("connection", (socket) => {
        socket.on("use", (ack) => {
          ack(bag(socket.request).session.save?.(), socket.handshake.auth.user.find?.());
        });
      });
    });
    const client = await object.connect();
    await client.join();
    client.take();
    expect(await client.ask('21["use"]')).toEqual(['431["saved","found"]']);
    expect(object.logs).toEqual([
      expect.stringContaining("socket.handshake.auth.user.find cannot be stored"),
      expect.stringContaining("socket.request.session.save cannot be stored"),
    ]);
    await object.sleep();
    expect(await client.ask('21["use"]')).toEqual(["431[null,null]"]);
  });

  it("may be restored by connection listeners when it could not be stored, and otherwise keeps its saved value", async () => {
    const object = new FakeObject((io) => {
      let count = 0;
      io.on("connection", (socket) => {
        count++;
        bag(socket.request).tools = { greet: () => `hello ${count}` }.greet;
        bag(socket.request).count = count;
        socket.handshake.auth.count = count;
        socket.on("show", (ack) => {
          const { request, handshake } = socket;
          ack(bag(request).tools(), bag(request).count, handshake.auth.count);
        });
      });
    });
    const client = await object.connect();
    await client.join();
    const other = await object.connect();
    await other.join();
    await object.sleep();
    other.take();
    expect(await other.ask('21["show"]')).toEqual(['431["hello 1",2,2]']);
  });

  it("includes a change inside a Map that was made before the handler settled", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        bag(socket.request).session ??= new Map();
        bag(socket.handshake).seen ??= new Set();
        socket.on("change", () => {
          bag(socket.request).session.set("a", 1);
          bag(socket.handshake).seen.add(2);
        });
        socket.on("show", (ack) => ack([...bag(socket.request).session], [...bag(socket.handshake).seen]));
      });
    });
    const client = await object.connect();
    await client.join();
    await object.sleep();
    await client.send('2["change"]');
    await object.sleep();
    client.take();
    expect(await client.ask('21["show"]')).toEqual(['431[[["a",1]],[2]]']);
  });

  it("is absent from storage when they are only read", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.on("look", (ack) => {
          ack(socket.handshake.query.token, socket.handshake.auth, socket.request.headers.get("user-agent"));
        });
      });
    });
    const client = await object.connect();
    await client.join("/", { a: 1 });
    const before = object.storedOf(client);
    object.saves = 0;
    client.take();
    expect(await client.ask('21["look"]')).toEqual(['431["abc",{"a":1},"test"]']);
    expect(object.saves).toBe(0);
    await object.sleep();
    await client.send('2["look"]');
    expect(object.storedOf(client)).toEqual(before);
  });

  it("is on plain objects when nothing is stored", async () => {
    const object = new FakeObject(
      (io) => {
        io.use((socket, next) => {
          bag(socket.request).user = "ann";
          socket.handshake.auth.user = "ann";
          next();
        });
        io.on("connection", show);
      },
      { hibernation: false },
    );
    const client = await object.connect();
    await client.join();
    client.take();
    expect(await client.ask('21["show"]')).toEqual(['431["ann",null,null,{"user":"ann"}]']);
  });
});

describe("the handshake", () => {
  it("has a query and headers with the usual methods of objects, whatever a client's parameters are called", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", ({ handshake: { query, headers, auth } }) => {
        seen.push(Object.hasOwn(query, "token"), Object.hasOwn(query, "x"), Object.hasOwn(headers, "origin"));
        seen.push(`${query} ${headers} ${auth}`, Object.getPrototypeOf(query) === Object.prototype);
      });
    });
    const seen: unknown[] = [];
    const client = await object.connect();
    await client.join();
    const text = "[object Object]";
    expect(seen).toEqual([true, false, true, `${text} ${text} ${text}`, true]);
  });

  it("may be assigned as a whole, as on Node", async () => {
    const object = new FakeObject((io) => {
      io.use((socket, next) => {
        socket.handshake = { ...socket.handshake, auth: { user: "ann" } };
        next();
      });
      io.on("connection", show);
    });
    const client = await object.connect();
    await client.join("/", { token: 1 });
    await object.sleep();
    client.take();
    expect(await client.ask('21["show"]')).toEqual(['431[null,null,null,{"user":"ann"}]']);
  });
});
