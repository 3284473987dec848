import { describe, expect, it } from "vitest";
import { Adapter, type Server, type ServerOptions, type Socket } from "../../src/server/index.ts";
import { FakeObject } from "./fakes.ts";

const fail = (): never => {
  throw new Error("thrown by user code");
};
const reject = () => Promise.reject(new Error("thrown by user code"));

interface Fault {
  setup?: (io: Server) => void;
  listen?: (socket: Socket) => void;
  adapter?: Partial<Adapter>;
  /** The name in the log. */
  names: string;
}

const onRoom = (event: "create-room" | "join-room" | "leave-room" | "delete-room"): Fault => ({
  setup: (io) => void io.sockets.adapter.on(event, fail),
  names: event,
});
const inAdapter = (method: keyof Adapter, does: () => unknown = fail): Fault => ({
  adapter: { [method]: does } as Partial<Adapter>,
  names: method,
});

const FAULTS: Record<string, Fault> = {
  "create-room of the adapter": onRoom("create-room"),
  "join-room of the adapter": onRoom("join-room"),
  "leave-room of the adapter": onRoom("leave-room"),
  "delete-room of the adapter": onRoom("delete-room"),
  "leave-room, rejecting": {
    setup: (io) => void io.sockets.adapter.on("leave-room", reject),
    names: "leave-room",
  },
  "addAll of an adapter": inAdapter("addAll"),
  "addAll, rejecting": inAdapter("addAll", reject),
  "delAll of an adapter": inAdapter("delAll"),
  "delAll, rejecting": inAdapter("delAll", reject),
  "init of an adapter": inAdapter("init"),
  "init, rejecting": inAdapter("init", reject),
  "persistSession of an adapter": inAdapter("persistSession"),
  "persistSession, rejecting": inAdapter("persistSession", reject),
  connection: { setup: (io) => void io.prependListener("connection", fail), names: "connection" },
  new_namespace: {
    setup: (io) => {
      io.on("new_namespace" as never, fail as never);
      io.of("/third");
    },
    names: "new_namespace",
  },
  disconnecting: {
    listen: (socket) => void socket.prependListener("disconnecting", fail),
    names: "disconnecting",
  },
  disconnect: { listen: (socket) => void socket.prependListener("disconnect", fail), names: "disconnect" },
  "an event": { listen: (socket) => void socket.prependListener("sync", fail), names: "sync" },
  onAny: { listen: (socket) => void socket.onAny(fail), names: "sync" },
  "onAny, rejecting": { listen: (socket) => void socket.onAny(reject), names: "sync" },
  onAnyOutgoing: { listen: (socket) => void socket.onAnyOutgoing(fail), names: "news" },
  "onAnyOutgoing, rejecting": { listen: (socket) => void socket.onAnyOutgoing(reject), names: "news" },
  "an error listener": {
    listen: (socket) => {
      socket.use((_event, next) => next());
      socket.use(() => fail());
      socket.on("error", fail);
    },
    names: "error",
  },
  "a getter in socket.data": {
    listen: (socket) => {
      socket.data.map = new Map();
      void socket.data.map;
      socket.data.trap = Object.defineProperty({}, "x", { get: fail, enumerable: true });
    },
    names: "socket.data",
  },
};

describe("the server works on when user code throws in", () => {
  it.each(Object.entries(FAULTS))("%s", async (_name, { setup, listen, adapter, names }) => {
    const notes: unknown[] = [];
    class Own extends Adapter {}
    Object.assign(Own.prototype, adapter);
    const options: ServerOptions = { connectionStateRecovery: {}, ...(adapter && { adapter: Own }) };
    const object = new FakeObject(
      (io) => {
        setup?.(io);
        io.on("connection", (socket) => {
          listen?.(socket);
          socket.on("sync", (ack) => ack("main"));
          socket.on("disconnect", (reason) => notes.push(`${socket.data.who} left: ${reason}`));
          socket.data.who = socket.handshake.auth.who;
        });
        io.of("/other").on("connection", (socket) => {
          socket.on("sync", (ack) => ack("other"));
          socket.on("disconnect", (reason) => notes.push(`other left: ${reason}`));
        });
      },
      { options },
    );
    const ann = await object.connect();
    const bob = await object.connect();
    for (const [client, who] of [
      [ann, "ann"],
      [bob, "bob"],
    ] as const) {
      await client.send(`0{"who":"${who}"}`);
      await client.send("0/other,");
    }
    await ann.send('20["sync"]');
    await object.act((io) => io.emit("news"));
    const sockets = [...object.io.sockets.sockets.values()];
    expect(sockets.map((socket) => socket.handshake.auth.who)).toEqual(["ann", "bob"]);
    await object.act(() => sockets[0]!.disconnect());
    bob.take();
    expect(await ann.ask('2/other,1["sync"]')).toEqual(expect.arrayContaining(['43/other,1["other"]']));
    await ann.leave();
    await object.act((io) => {
      expect([...io.sockets.sockets.keys()]).toEqual([sockets[1]!.id]);
      expect([...io.sockets.adapter.sids.keys()].filter((id) => id === sockets[0]!.id)).toEqual([]);
      expect(io.sockets.adapter.rooms.has(sockets[0]!.id)).toBe(false);
      io.emit("later");
    });
    expect(String(bob.take())).toContain("later");
    expect(await bob.ask('2/other,2["sync"]')).toEqual(['43/other,2["other"]']);
    await bob.leave();
    const left = [
      "ann left: server namespace disconnect",
      "other left: transport close",
      "bob left: transport close",
      "other left: transport close",
    ];
    expect(notes).toEqual(left);
    expect(object.logs.join("\n")).toContain(`"${names}" failed: Error: thrown by user code`);
  });
});

describe("a client that cannot be admitted is refused", () => {
  it.each([
    ["data that no packet can hold", Object.assign(new Error("no"), { data: 1n }), "no"],
    ["data that throws", Object.assign(new Error("no"), { data: { toJSON: fail } }), "no"],
    ["a message that throws", Object.defineProperty({}, "message", { get: fail }), "refused"],
  ])("by an error with %s", async (_name, error, message) => {
    const object = new FakeObject((io) => void io.use((_socket, next) => next(error as Error)));
    const client = await object.connect();
    expect(await client.ask("0")).toEqual([`44{"message":"${message}"}`]);
    expect(object.logs).toHaveLength(1);
  });

  it("when the adapter of a dynamic namespace cannot be created", async () => {
    let isBroken = false;
    class Own extends Adapter {
      constructor(nsp: ConstructorParameters<typeof Adapter>[0]) {
        super(nsp);
        if (isBroken) fail();
      }
    }
    const object = new FakeObject((io) => void io.of((_name, _auth, next) => next(null, true)), {
      options: { adapter: Own },
    });
    const client = await object.connect();
    await client.ask("0");
    isBroken = true;
    expect(await client.ask("0/child,")).toEqual(['44/child,{"message":"Invalid namespace"}']);
    isBroken = false;
    expect(String(await client.ask("0/child,"))).toContain('40/child,{"sid"');
  });
});

it("a socket is removed even if destroy() of its parser's decoder throws", async () => {
  const notes: string[] = [];
  class Decoder {
    #decoded: (packet: unknown) => void = () => {};
    on(_event: string, decoded: (packet: unknown) => void) {
      this.#decoded = decoded;
    }
    add(message: string) {
      this.#decoded(JSON.parse(message));
    }
    destroy = fail;
  }
  class Encoder {
    encode = (packet: unknown) => [JSON.stringify(packet)];
  }
  const object = new FakeObject(
    (io) => {
      io.on("connection", (socket) => void socket.on("disconnect", (reason) => notes.push(reason)));
    },
    { options: { parser: { Encoder, Decoder } } },
  );
  const client = await object.connect();
  await client.send('{"type":0,"nsp":"/"}');
  expect(object.io.sockets.sockets.size).toBe(1);
  await client.leave();
  expect(notes).toEqual(["transport close"]);
  expect(object.io.sockets.sockets.size).toBe(0);
});
