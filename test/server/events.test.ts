import { describe, expect, it } from "vitest";
import type { Server, Socket } from "../../src/server/index.ts";
import { FakeObject, turn } from "./fakes.ts";
import { OfficialObject } from "./official-object.ts";

async function withSocket(
  setup: (io: Server) => void = () => {},
  options = {},
  transport: "polling" | "websocket" = "websocket",
) {
  const object = new FakeObject(setup, options);
  const client = await object.connect({ transport });
  const id = await client.join();
  client.take();
  const socket = object.io.sockets.sockets.get(id)!;
  return { object, client, socket };
}

const onConnection = (listen: (socket: Socket) => void) => (io: Server) => {
  io.on("connection", listen);
};

describe("an event from the client", () => {
  it("reaches every listener for its name in order, with its arguments", async () => {
    const seen: unknown[] = [];
    const { client } = await withSocket(
      onConnection((socket) => {
        socket.on("x", (...args) => seen.push(["first", ...args]));
        socket.prependListener("x", (...args) => seen.push(["zeroth", ...args]));
        socket.on("5", (...args) => seen.push(["five", ...args]));
      }),
    );
    await client.send(
      '2["x"]',
      '2["x",1,null,{"a":[]}]',
      '2[5,"number"]',
      '2["__proto__",1]',
      '2["constructor"]',
    );
    expect(seen).toEqual([
      ["zeroth"],
      ["first"],
      ["zeroth", 1, null, { a: [] }],
      ["first", 1, null, { a: [] }],
      ["five", "number"],
    ]);
  });

  it("passes catch-all listeners, then middlewares, then listeners, all of which may acknowledge it", async () => {
    const seen: unknown[] = [];
    const { client } = await withSocket(
      onConnection((socket) => {
        socket.onAny((event, ...args) => seen.push(["any", event, args.length]));
        socket.prependAny((event) => seen.push(["before any", event]));
        const removed = () => seen.push("removed");
        socket.onAny(removed).offAny(removed);
        socket.use((event, next) => {
          seen.push(["use", event.length]);
          event[1] = "changed";
          setImmediate(next);
        });
        socket.on("x", (value, ack) => {
          seen.push(["x", value]);
          ack("done");
        });
        seen.push(["listeners", socket.listenersAny().length]);
      }),
    );
    expect(await client.ask('20["x","original"]')).toEqual(['430["done"]']);
    expect(seen).toEqual([
      ["listeners", 2],
      ["before any", "x"],
      ["any", "x", 2],
      ["use", 3],
      ["x", "changed"],
    ]);
  });

  it("is emitted as an error of the socket when a middleware refuses it, and reaches no listener", async () => {
    const seen: unknown[] = [];
    const { client } = await withSocket(
      onConnection((socket) => {
        socket.use(([event], next) => {
          if (event === "throw") throw new Error("thrown");
          next(event === "bad" ? new Error("refused") : undefined);
        });
        socket.on("error", (error) => seen.push(error.message));
        for (const event of ["bad", "throw", "good"]) socket.on(event, () => seen.push(event));
      }),
    );
    await client.send('2["bad"]', '2["throw"]', '2["good"]');
    expect(seen).toEqual(["refused", "thrown", "good"]);
  });

  it.each(["throws", "rejects"])(
    "is stopped when a middleware %s with any value, which is logged even without a listener for errors",
    async (how) => {
      const faults = [new Error("a fault"), undefined, 0, "", null];
      const seen: unknown[] = [];
      const { object, client } = await withSocket(
        onConnection((socket) => {
          socket.use(([, index], next) => {
            if (how === "rejects") return Promise.reject(faults[index]).then(next) as never;
            throw faults[index];
          });
          socket.on("x", () => seen.push("heard"));
        }),
      );
      await client.send(...faults.map((_, index) => `2["x",${index}]`));
      expect(seen).toEqual([]);
      expect(object.logs).toHaveLength(faults.length);
      expect(object.logs[0]).toBe('error: a listener of "x" failed: Error: a fault');
    },
  );

  it("is logged with its name when a listener throws or rejects, and reaches the next listener", async () => {
    const { object, client } = await withSocket(
      onConnection((socket) => {
        socket.on("x", () => {
          throw new Error("thrown");
        });
        socket.on("x", async () => {
          await turn();
          throw new Error("rejected");
        });
        socket.on("x", () => socket.emit("still here"));
      }),
    );
    expect(await client.ask('2["x"]')).toEqual(['42["still here"]']);
    expect(object.logs).toEqual([
      'error: a listener of "x" failed: Error: thrown',
      'error: a listener of "x" failed: Error: rejected',
    ]);
    expect(client.isOpen).toBe(true);
  });

  it.each(["awake", "asleep"])(
    "is dropped when the event before it disconnected its socket, and the connection stays: %s",
    async (state) => {
      const run = async (create: (setup: (io: Server) => void) => FakeObject | OfficialObject) => {
        const seen: unknown[] = [];
        const object = create((io) => {
          io.of(/.*/).on("connection", (socket) => {
            socket.on("bye", () => socket.disconnect());
            socket.on("x", (ack) => void (typeof ack === "function" ? ack() : seen.push("x")));
          });
        });
        const client = await object.connect();
        await client.send("0/a,", "0/b,");
        if (state === "asleep") await object.sleep();
        client.take();
        await client.send('2/a,["x"]', '2/a,["bye"]', '2/b,1["x"]', '2/a,["x"]', "3/a,1[]");
        const answers = [...client.take(), ...(await client.send('2/b,2["x"]')).take()];
        const isOpen = [client.isOpen, (await client.send('2/a,["x"]')).isOpen];
        return [seen, answers, isOpen];
      };
      const official = await run((setup) => new OfficialObject(setup as never));
      expect(official).toEqual([["x"], ["41/a,", "43/b,1[]", "43/b,2[]"], [true, false]]);
      expect(await run((setup) => new FakeObject(setup))).toEqual(official);
    },
  );

  it("contains bytes at any depth", async () => {
    const seen: unknown[] = [];
    const { client } = await withSocket(
      onConnection((socket) => void socket.on("b", (value) => seen.push(value))),
    );
    const header = '52-["b",{"a":[{"_placeholder":true,"num":1}],"c":{"_placeholder":true,"num":0}}]';
    await client.send(header, new Uint8Array([1]), new Uint8Array([2, 3]));
    expect(seen).toEqual([{ a: [new Uint8Array([2, 3])], c: new Uint8Array([1]) }]);
  });
});

describe("an event to the client", () => {
  it("is sent with JSON and bytes, and emit returns true even when the socket is gone", async () => {
    const { client, socket } = await withSocket();
    const bytes = new Uint8Array([1, 2]);
    expect(socket.emit("x", 1, undefined, { b: bytes })).toBe(true);
    expect(socket.send("text")).toBe(socket);
    expect(socket.write("text")).toBe(socket);
    expect(client.take()).toEqual([
      '451-["x",1,null,{"b":{"_placeholder":true,"num":0}}]',
      bytes,
      '42["message","text"]',
      '42["message","text"]',
    ]);
    socket.disconnect();
    expect(client.take()).toEqual(["41"]);
    expect(socket.emit("x")).toBe(true);
    expect(client.take()).toEqual([]);
  });

  it("may not have a reserved name", async () => {
    const { object, socket } = await withSocket();
    for (const name of [
      "connect",
      "connect_error",
      "disconnect",
      "disconnecting",
      "newListener",
      "removeListener",
    ]) {
      expect(() => socket.emit(name)).toThrow(`"${name}" is a reserved event name`);
      expect(() => object.io.emit(name)).toThrow(`"${name}" is a reserved event name`);
      expect(() => socket.broadcast.emit(name)).toThrow(`"${name}" is a reserved event name`);
    }
    expect(socket.emit("error", 1)).toBe(true);
    expect(object.io.emit("connection")).toBe(true);
    expect(() => object.io.serverSideEmit("connection")).toThrow("reserved");
  });

  it("is dropped when it is volatile and the transport is not ready; flags hold for one event", async () => {
    const { object, client, socket } = await withSocket(() => {}, {}, "polling");
    object.setPolling(client, false);
    socket.volatile.emit("dropped", new Uint8Array([1]));
    socket.emit("kept");
    object.io.volatile.emit("dropped too");
    object.setPolling(client, true);
    socket.volatile.emit("sent");
    socket.compress(false).emit("sent too");
    expect(client.take()).toEqual(['42["kept"]', '42["sent"]', '42["sent too"]']);
  });

  it("is passed to outgoing catch-all listeners without the acknowledgement, also as a broadcast", async () => {
    const seen: unknown[] = [];
    const { object, client, socket } = await withSocket();
    socket.onAnyOutgoing((...args) => seen.push(args));
    socket.prependAnyOutgoing((event) => seen.push(event));
    socket.emit("x", 1, () => {});
    object.io.emit("y", 2);
    socket.broadcast.emit("not to me");
    expect(seen).toEqual(["x", ["x", 1], "y", ["y", 2]]);
    expect(socket.listenersAnyOutgoing()).toHaveLength(2);
    socket.offAnyOutgoing().emit("z");
    expect(seen).toHaveLength(4);
    expect(client.take()).toHaveLength(3);
  });

  it("throws when its data contains itself, and no acknowledgement is waited for", async () => {
    const { object, client, socket } = await withSocket();
    const circle: unknown[] = [];
    circle.push(circle);
    expect(() => socket.emit("x", circle, () => {})).toThrow();
    expect(client.take()).toEqual([]);
    expect(object.isAwake).toBe(false);
  });
});

describe("a socket", () => {
  it("has its parts under the official names, and no own keys except those of the user", async () => {
    const { object, client, socket } = await withSocket();
    expect(socket.nsp).toBe(object.io.of("/"));
    expect(socket.nsp.server).toBe(object.io);
    expect(socket.client.id).toBe(client.sid);
    expect(socket.conn.transport.name).toBe("websocket");
    expect(socket.request._query.token).toBe("abc");
    expect(socket.recovered).toBe(false);
    expect(Object.keys(socket)).toEqual([]);
    expect(Object.assign(socket, { user: "ann" })).toHaveProperty("user", "ann");
    expect(Object.keys(socket)).toEqual(["user"]);
    expect([...socket.client.sockets.values()]).toEqual([socket]);
  });

  it("allows its methods to be replaced and any property to be added, also when nothing is stored", async () => {
    for (const hibernation of [true, false]) {
      const { client, socket } = await withSocket(() => {}, { hibernation });
      const bag = socket as unknown as Record<string | symbol, unknown>;
      const key = Symbol();
      bag[key] = 1;
      bag.toString = () => "mine";
      bag.phase = { a: 1 };
      socket.on = () => socket;
      expect([bag[key], String(socket), bag.phase]).toEqual([1, "mine", { a: 1 }]);
      socket.data = { replaced: true };
      socket.data.more = [1];
      expect(socket.data).toEqual({ replaced: true, more: [1] });
      expect(socket.emit("x")).toBe(true);
      expect(client.take()).toEqual(['42["x"]']);
    }
  });
});
