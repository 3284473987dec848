import { describe, expect, it } from "vitest";
import { Adapter, type Server, type Socket } from "../../src/server/index.ts";
import { FakeObject, type TestClient } from "./fakes.ts";

/** Ann is in room a, Bob in a and b, Cat in none. */
async function withThree(setup: (io: Server) => void = () => {}, options = {}) {
  const object = new FakeObject(setup, { options });
  const clients: TestClient[] = [];
  const sockets: Socket[] = [];
  for (let i = 0; i < 3; i++) {
    const client = await object.connect();
    clients.push(client);
    sockets.push(object.io.sockets.sockets.get(await client.join())!);
    client.take();
  }
  const [ann, bob, cat] = sockets as [Socket, Socket, Socket];
  ann.join("a");
  bob.join(["a", "b"]);
  const received = () => clients.map((client) => client.take().length);
  return { object, io: object.io, clients, ann, bob, cat, received };
}

describe("the rooms of a socket", () => {
  it("are bounded: beyond that join() throws, and socketsJoin() logs it and continues with other sockets", async () => {
    const { object, io, ann, bob, cat } = await withThree(() => {}, { maxRooms: 3 });
    expect(() => bob.join("c")).toThrow("a socket may be in 3 rooms; let it leave some, or raise maxRooms");
    expect(() => ann.join(["b", "c"])).toThrow("maxRooms");
    expect([...bob.rooms]).toEqual([bob.id, "a", "b"]);
    bob.join(["a", "b"]);
    io.socketsJoin("c");
    expect(object.logs).toEqual([expect.stringContaining('a listener of "socketsJoin" failed')]);
    expect([ann, bob, cat].map(({ rooms }) => rooms.has("c"))).toEqual([true, false, true]);
    bob.leave("b");
    bob.join("c");
    expect(bob.rooms.has("c")).toBe(true);
  });

  it("count towards the budget of the object, including their place in the index", async () => {
    const { object, ann } = await withThree();
    const before = object.budget.total;
    ann.join(Array.from({ length: 1_000 }, (_, i) => `${i}`));
    expect(object.budget.total - before).toBeGreaterThan(200_000);
    for (let i = 0; i < 1_000; i++) ann.leave(`${i}`);
    expect(object.budget.total).toBe(before);
    ann.join(Array.from({ length: 1_000 }, (_, i) => `${i}`));
    ann.disconnect();
    expect(object.budget.total).toBeLessThan(before);
  });
});

describe("a broadcast", () => {
  it("reaches the union of its rooms once, except the excepted rooms", async () => {
    const { io, ann, bob, received } = await withThree();
    io.emit("x");
    expect(received()).toEqual([1, 1, 1]);
    io.to("a").to("b").emit("x");
    expect(received()).toEqual([1, 1, 0]);
    io.in(["a", "b", "nowhere"]).except("b").emit("x");
    expect(received()).toEqual([1, 0, 0]);
    io.except(["a"]).emit("x");
    expect(received()).toEqual([0, 0, 1]);
    io.except(["b", ann.id]).emit("x");
    expect(received()).toEqual([0, 0, 1]);
    ann.to("a").emit("x");
    expect(received()).toEqual([0, 1, 0]);
    bob.broadcast.emit("x");
    expect(received()).toEqual([1, 0, 1]);
    bob.to(ann.id).emit("x");
    expect(received()).toEqual([1, 0, 0]);
    io.local.emit("x");
    bob.local.emit("x");
    expect(received()).toEqual([2, 1, 2]);
    io.to("nowhere").emit("x");
    expect(received()).toEqual([0, 0, 0]);
  });

  it("is encoded once, so that all receivers get the identical frames", async () => {
    const { io, clients } = await withThree();
    const bytes = new Uint8Array([7]);
    let stringified = 0;
    const value = { toJSON: () => ++stringified };
    io.emit("x", value, bytes);
    const frames = clients.map((client) => client.take());
    expect(frames[0]).toEqual(['451-["x",1,{"_placeholder":true,"num":0}]', bytes]);
    expect(frames[1]?.[1]).toBe(frames[0]?.[1]);
    expect(frames[2]).toEqual(frames[0]);
  });

  it("does not change its operator, which may be used again", async () => {
    const { io, received } = await withThree();
    const a = io.to("a");
    const aWithoutB = a.except("b");
    a.to("b").volatile.emit("x");
    received();
    a.emit("x");
    expect(received()).toEqual([1, 1, 0]);
    aWithoutB.emit("x");
    expect(received()).toEqual([1, 0, 0]);
  });

  it("has operators that find, move and disconnect the sockets that it would reach", async () => {
    const { io, ann, bob, cat, clients } = await withThree();
    expect(await io.in("a").fetchSockets()).toEqual([ann, bob]);
    expect(await io.except("a").fetchSockets()).toEqual([cat]);
    expect(await io.in("b").allSockets()).toEqual(new Set([bob.id]));
    io.in("a").socketsJoin(["c", "d"]);
    expect([...bob.rooms]).toEqual([bob.id, "a", "b", "c", "d"]);
    io.in("b").socketsLeave(["c", "d"]);
    expect([...bob.rooms]).toEqual([bob.id, "a", "b"]);
    io.in("c").disconnectSockets(true);
    expect(clients.map((client) => client.isOpen)).toEqual([false, true, true]);
    io.disconnectSockets();
    expect([ann, bob, cat].map((socket) => socket.connected)).toEqual([false, false, false]);
    expect(clients.map((client) => client.isOpen)).toEqual([false, true, true]);
    expect(io.sockets.adapter.rooms.size).toBe(0);
  });

  it("reaches all sockets, also those that have left all rooms", async () => {
    const object = new FakeObject((io) => void io.on("connection", (socket) => socket.leaveAll()));
    const client = await object.connect();
    const id = await client.join();
    client.take();
    await object.act((io) => void io.to(id).emit("nobody"));
    await object.act((io) => void io.emit("all", 1));
    await object.sleep();
    await object.act((io) => void io.emit("all", 2));
    expect(client.take()).toEqual(['42["all",1]', '42["all",2]']);
  });

  it("does not reach a socket whose middlewares still run", async () => {
    const object = new FakeObject((io) => {
      io.use((socket, next) => {
        socket.join("a");
        io.to("a").emit("x");
        next();
      });
    });
    const client = await object.connect();
    expect(await client.ask("0")).toEqual([expect.stringMatching(/^40/)]);
    expect(object.io.sockets.adapter.rooms.get("a")?.size).toBe(1);
  });
});

describe("rooms", () => {
  it("that are joined and left in one turn take effect at once", async () => {
    const { io, ann, received } = await withThree();
    ann.join("now");
    io.to("now").emit("x");
    ann.leave("now");
    io.to("now").emit("x");
    expect(received()).toEqual([1, 0, 0]);
    expect(ann.join("now")).toBeUndefined();
  });

  it("emit the adapter's events in the official order", async () => {
    const seen: unknown[] = [];
    const { object, io, ann, bob } = await withThree();
    for (const event of ["create-room", "join-room", "leave-room", "delete-room"] as const) {
      io.sockets.adapter.on(event, (room: string, id?: string) =>
        seen.push(id ? [event, room, id] : [event, room]),
      );
    }
    ann.join("new");
    ann.join("new");
    bob.join("new");
    ann.leave("new");
    bob.on("disconnecting", () => seen.push("disconnecting"));
    bob.on("disconnect", () => seen.push("disconnect"));
    bob.disconnect();
    await object.settle();
    expect(seen).toEqual([
      ["create-room", "new"],
      ["join-room", "new", ann.id],
      ["join-room", "new", bob.id],
      ["leave-room", "new", ann.id],
      "disconnecting",
      ["leave-room", bob.id, bob.id],
      ["delete-room", bob.id],
      ["leave-room", "a", bob.id],
      ["leave-room", "b", bob.id],
      ["delete-room", "b"],
      ["leave-room", "new", bob.id],
      ["delete-room", "new"],
      "disconnect",
    ]);
  });

  it("may be observed by an adapter of the user's own", async () => {
    const seen: unknown[] = [];
    class Watching extends Adapter {
      override async addAll(id: string, rooms: Set<string>): Promise<void> {
        await super.addAll(id, rooms);
        seen.push([...rooms].filter((room) => room !== id));
      }
    }
    const { ann, io, received } = await withThree(() => {}, { adapter: Watching });
    expect(io.of("/").adapter).toBeInstanceOf(Watching);
    await ann.join("mine");
    io.to("mine").emit("x");
    expect(received()).toEqual([1, 0, 0]);
    expect(seen.at(-1)).toEqual(["mine"]);
    const made = await withThree(() => {}, { adapter: (nsp: never) => new Watching(nsp) });
    expect(made.io.of("/").adapter).toBeInstanceOf(Watching);
  });

  it("are empty after the disconnection, and cannot be joined any more", async () => {
    const { ann, io } = await withThree();
    ann.disconnect();
    ann.join("a");
    expect(ann.rooms).toEqual(new Set());
    expect(io.sockets.adapter.rooms.get("a")?.size).toBe(1);
    expect(io.sockets.adapter.socketRooms(ann.id)).toBeUndefined();
  });

  it("a server-side emit without other servers reaches nobody, and its acknowledgement is an empty list", async () => {
    const { io } = await withThree();
    expect(io.serverSideEmit("x", 1)).toBe(true);
    expect(await io.serverSideEmitWithAck("x")).toEqual([]);
    const seen: unknown[] = [];
    io.on("from elsewhere", (...args: unknown[]) => seen.push(args));
    io.sockets._onServerSideEmit(["from elsewhere", 1, 2]);
    expect(seen).toEqual([[1, 2]]);
  });
});
