import { describe, expect, it } from "vitest";
import { snapshot } from "../../src/server/index.ts";
import { withoutProxies } from "../../src/server/state/without-proxies.ts";
import { FakeObject } from "./fakes.ts";

describe("arrays of socket.data", () => {
  it("find an item both by the original object and by the one that they return", async () => {
    const item = { name: "a" };
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.list = [{ name: "b" }, item, 7, item];
        socket.data.mixed = [socket.data.list[1]];
        const { list, mixed } = socket.data;
        for (const it of [item, list[1]]) {
          seen.push([list.includes(it), list.indexOf(it), list.lastIndexOf(it), list.indexOf(it, 2)]);
          seen.push([mixed.includes(it), list.indexOf(it, -1), list.lastIndexOf(it, 2)]);
        }
        seen.push([list.includes(7), list.includes({ name: "a" }), list.indexOf("b"), list.lastIndexOf(7)]);
        seen.push(list.indexOf(list.find((it: { name?: string }) => it.name === "b")));
      });
    });
    await (await object.connect()).join();
    const found = [
      [true, 1, 3, 3],
      [true, 3, 1],
    ];
    expect(seen).toEqual([...found, ...found, [true, false, -1, 2], 0]);
  });
});

describe("a dictionary whose keys come and go", () => {
  it("leaves nothing in storage, asleep or awake", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.settings = "assigned by the listener";
        socket.on("play", (from: number) => {
          for (let i = from; i < from + 2_000; i++) {
            socket.data[`game ${i}`] = {};
            delete socket.data[`game ${i}`];
          }
        });
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send('2["play",0]');
    const size = () => JSON.stringify(object.storedOf(client)).length;
    const before = size();
    await object.sleep();
    await client.send('2["play",2000]');
    expect(size()).toBe(before);
    await object.sleep();
    // Server code that runs no listeners cannot know which keys they assign.
    await object.act((io) => {
      const [socket] = [...io.sockets.sockets.values()];
      for (let i = 0; i < 5_000; i++) {
        socket!.data[`game ${i}`] = {};
        delete socket!.data[`game ${i}`];
      }
    });
    expect(size()).toBeLessThan(20_000);
    await client.send('2["play",0]');
    expect(size()).toBe(before);
  });

  it.each(["deleted", "replaced"])("is not assigned again by a replay once it was %s", async (how) => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.token = "secret";
        if (socket.recovered) socket.data.news = "of the next instance";
        socket.on("deleted", () => void delete socket.data.token);
        socket.on("replaced", () => {
          socket.data = { name: "ann" };
        });
        socket.on("show", (ack) => ack("token" in socket.data, socket.data.news));
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send(`2["${how}"]`);
    for (let i = 0; i < 2; i++) {
      await object.sleep();
      client.take();
      expect(await client.ask('21["show"]')).toEqual(['431[false,"of the next instance"]']);
    }
  });
});

describe("socket.data", () => {
  it("is not overwritten by a replay when server code replaces it while the socket sleeps", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data = { token: "secret", name: "ann" };
        socket.on("show", (ack) => ack(socket.data));
      });
    });
    const client = await object.connect();
    await client.join();
    await object.sleep();
    await object.act((io) => {
      for (const socket of io.sockets.sockets.values()) socket.data = { name: "bob" };
    });
    for (let i = 0; i < 2; i++) {
      client.take();
      expect(await client.ask('21["show"]')).toEqual(['431[{"name":"bob"}]']);
      await object.sleep();
    }
  });

  it("keeps its other values when the keys of a client are assigned to it, with __proto__ among them", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.banned = true;
        socket.on("settings", (given) => {
          Object.assign(socket.data, given);
          Object.assign(socket.handshake.query, given);
        });
        socket.on("show", (ack) => {
          const { data, handshake } = socket;
          ack(data.banned, data.admin, data.color, handshake.query.token, handshake.query.admin);
        });
      });
    });
    const client = await object.connect();
    await client.join();
    await client.send('2["settings",{"__proto__":{"admin":"yes"},"color":"red"}]');
    client.take();
    const shown = ['431[true,null,"red","abc",null]'];
    expect(await client.ask('21["show"]')).toEqual(shown);
    await object.sleep();
    expect(await client.ask('21["show"]')).toEqual(shown);
    expect(object.logs).toEqual([]);
  });

  it("is the identical object that was assigned when nothing is stored", async () => {
    const user = new (class User {})();
    const data = { user, list: [user] };
    const seen: unknown[] = [];
    const object = new FakeObject(
      (io) => {
        io.on("connection", (socket) => {
          socket.data = data;
          seen.push(
            socket.data === data,
            socket.data.list[0] === user,
            structuredClone(socket.handshake.query),
          );
        });
      },
      { hibernation: false },
    );
    await (await object.connect()).join();
    expect(seen).toEqual([true, true, { EIO: "4", transport: "polling", token: "abc" }]);
  });
});

describe("snapshot", () => {
  it("returns a plain copy that structured clone accepts, without values that it cannot copy", async () => {
    const seen: unknown[] = [];
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        socket.data.user = { name: "ann", tags: ["a"], since: new Date(0), greet: () => "hello" };
        const copy = snapshot(socket.data);
        socket.data.user.tags.push("b");
        seen.push(
          structuredClone(copy),
          structuredClone(snapshot({ handshake: socket.handshake }).handshake.query),
        );
        expect(() => structuredClone(socket.data)).toThrow();
      });
    });
    await (await object.connect()).join();
    expect(seen).toEqual([
      { user: { name: "ann", tags: ["a"], since: new Date(0) } },
      { EIO: "4", transport: "polling", token: "abc" },
    ]);
    expect(object.logs).toEqual([expect.stringContaining("socket.data.user.greet cannot be stored")]);
  });
});

describe("a value that is passed to the platform", () => {
  it("contains no proxies at any depth, and is the same object when it contained none", async () => {
    const object = new FakeObject((io) => {
      io.on("connection", (socket) => {
        const user = { name: "ann" };
        socket.data.user = user;
        socket.data.friends = [socket.data.user];
        const own = { list: [1], stub: () => {} };
        expect(withoutProxies(own)).toBe(own);
        expect(withoutProxies(socket.data.user)).toBe(user);
        const state = withoutProxies({ own, users: new Map([["ann", socket.data.user]]), data: socket.data });
        expect(state.own).toBe(own);
        expect(structuredClone({ users: state.users, data: state.data })).toEqual({
          users: new Map([["ann", user]]),
          data: { user, friends: [user] },
        });
        const circle: Record<string, unknown> = { user: socket.data.user };
        circle.self = circle;
        const copy = withoutProxies(circle);
        expect(copy.self).toBe(copy);
        expect(copy.user).toBe(user);
      });
    });
    await (await object.connect()).join();
    expect(object.logs).toEqual([]);
  });
});
