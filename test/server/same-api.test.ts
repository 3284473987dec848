import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Server, Socket } from "../../src/server/index.ts";
import { FakeObject, turn } from "./fakes.ts";
import { OfficialObject } from "./official-object.ts";

type Note = (...what: unknown[]) => void;

interface World {
  readonly io: Server;
  readonly note: Note;
  /** Connects a client to a namespace, and returns its socket. */
  join(nsp?: string, auth?: object): Promise<Socket>;
  /** Lets a client send messages. */
  send(socket: Socket, ...messages: string[]): Promise<void>;
  /** Lets everything run that waits only for its turn. */
  settle(): Promise<void>;
}

/** The texts of errors are our own. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch {
    return "throws";
  }
}

const isReserved = (call: () => unknown) => outcome(call) !== true;

/** What code that uses the server observes, chapter by chapter of its API. */
const CHAPTERS: Record<string, (world: World) => Promise<void>> = {
  "what calls of a server return": async ({ io, note, join }) => {
    await join();
    note(io.emit("x"), io.send("x") === io, io.write("x") === io, io.use((_s, next) => next()) === io);
    note((io.on("y", () => {}) as unknown) === io.sockets, io.of("/").on("y", () => {}) === io.of("/"));
    note(io.to("r").emit("x"), io.in(["r", "s"]).emit("x"), io.except("r").emit("x"));
    note(io.volatile.emit("x"), io.local.emit("x"), io.compress(false).emit("x"), io.timeout(5).emit("x"));
    note(io.socketsJoin("r"), io.socketsLeave("r"), io.disconnectSockets());
    note(
      io.listenerCount("y"),
      io.eventNames(),
      io.listeners("y").length,
      (io.off("y", () => {}) as unknown) === io.sockets,
    );
    note(io.connectTimeout(), io.connectTimeout(5) === io, io.connectTimeout(), io.path());
    note(typeof io.adapter(), io.sockets === io.of("/"), [...io._nsps.keys()]);
  },
  "reserved names": async ({ io, note, join }) => {
    const socket = await join();
    for (const name of [
      "connect",
      "connect_error",
      "disconnect",
      "disconnecting",
      "newListener",
      "removeListener",
      "connection",
      "new_namespace",
      "error",
      "message",
    ]) {
      note(
        name,
        isReserved(() => socket.emit(name)),
        isReserved(() => io.emit(name)),
        isReserved(() => io.to("r").emit(name)),
        isReserved(() => io.serverSideEmit(name)),
      );
    }
  },
  "what calls of a socket return": async ({ note, join }) => {
    const socket = await join();
    note(socket.emit("x"), socket.send("x") === socket, socket.write("x") === socket);
    note(socket.volatile === socket, socket.compress(true) === socket, socket.timeout(5) === socket);
    note(socket.use((_e, next) => next()) === socket, socket.on("x", () => {}) === socket);
    note(
      socket.to("r").emit("x"),
      socket.broadcast.emit("x"),
      socket.local.emit("x"),
      socket.except("r").emit("x"),
    );
    const listener = () => {};
    note(
      socket.onAny(listener) === socket,
      socket.prependAny(() => {}) === socket,
      socket.listenersAny().length,
    );
    note(
      socket.listenersAny()[1] === listener,
      socket.offAny(listener) === socket,
      socket.listenersAny().length,
    );
    note(socket.offAny() === socket, socket.listenersAny());
    note(socket.onAnyOutgoing(listener) === socket, socket.prependAnyOutgoing(() => {}) === socket);
    note(socket.listenersAnyOutgoing()[1] === listener, socket.offAnyOutgoing(listener) === socket);
    note(socket.offAnyOutgoing() === socket, socket.listenersAnyOutgoing());
    note(
      await socket.join("a"),
      await socket.join(["b", "c"]),
      await socket.leave("b"),
      [...socket.rooms].slice(1),
    );
    note(socket.connected, socket.disconnected, socket.recovered, socket.data, socket.nsp.name);
    note(socket.client.conn === socket.conn, socket.request === socket.conn.request);
  },
  "properties of a socket, and its rooms after leaveAll()": async ({ io, note, join }) => {
    const socket = await join();
    const nsp = io.of("/");
    note(socket.server === io, socket.adapter === nsp.adapter, nsp.server === io);
    note((socket.client as unknown as { server: unknown }).server === io);
    socket.join(["a", "b"]);
    const before = socket.rooms;
    note(socket.leaveAll(), socket.rooms.size, before.size, nsp.adapter.rooms.size, nsp.adapter.sids.size);
    note((await io.in(socket.id).fetchSockets()).length, io.to(socket.id).emit("x"), socket.connected);
    socket.join("c");
    note([...socket.rooms], [...(nsp.adapter.rooms.get("c") ?? [])].length);
    nsp.adapter.delAll(socket.id);
    note([...socket.rooms], nsp.adapter.socketRooms(socket.id)?.size ?? 0, nsp.adapter.rooms.size);
  },
  "a socket that has disconnected": async ({ io, note, join, settle }) => {
    const socket = await join();
    socket.on("disconnecting", (reason) =>
      note("disconnecting", reason, socket.rooms.size, socket.connected),
    );
    socket.on("disconnect", (reason) => note("disconnect", reason, socket.rooms.size, socket.connected));
    note(socket.disconnect() === socket);
    await settle();
    note(socket.emit("x"), socket.disconnect() === socket, socket.connected, socket.disconnected);
    socket.join("late");
    note(socket.rooms, io.sockets.sockets.size, io.sockets.adapter.rooms.size);
    note(io.to("late").emit("x"), await io.in("late").fetchSockets());
  },
  "rooms and the adapter's events": async ({ io, note, join, settle }) => {
    const { adapter } = io.of("/");
    const names = new Map<string, string>();
    const nameOf = (id: string) => {
      if (!names.has(id)) names.set(id, `#${names.size}`);
      return names.get(id);
    };
    for (const event of ["create-room", "join-room", "leave-room", "delete-room"] as const) {
      adapter.on(event, (room: string, id?: string) =>
        note(event, room.length === 20 ? nameOf(room) : room, id && nameOf(id)),
      );
    }
    const [ann, bob] = [await join(), await join()];
    ann.join(["a", "b", "a"]);
    ann.join("a");
    bob.join("a");
    io.in("b").socketsJoin(["c", "a"]);
    io.socketsLeave("a");
    bob.leave("nowhere");
    note(
      adapter.socketRooms(ann.id)?.size,
      adapter.rooms.get("c")?.size,
      adapter.rooms.has("a"),
      adapter.sids.size,
    );
    note(
      (await adapter.sockets(new Set(["c"]))).size,
      (await io.allSockets()).size,
      await adapter.serverCount(),
    );
    ann.disconnect();
    await settle();
    note(adapter.sids.size, adapter.rooms.size, adapter.socketRooms(ann.id));
  },
  "broadcasts that ask for acknowledgements": async ({ io, note, join, settle }) => {
    io.timeout(50).emit("q", (error: Error | null, answers: unknown) => note("nobody", error, answers));
    await settle();
    await join();
    io.timeout(0).emit("q", (error: Error | null, answers: unknown) => note("0 ms", error?.message, answers));
    io.emit("q", (error: Error | null, answers: unknown) => note("no timeout", error?.message, answers));
    const asked = io.timeout(5).emitWithAck("q");
    await asked.catch((error: Error & { responses: unknown }) => note(error.message, error.responses));
    note(await io.to("nowhere").timeout(5).emitWithAck("q"));
  },
  "acknowledgements of one socket": async ({ note, join, send, settle }) => {
    const socket = await join();
    socket.emit("q", (...answer: unknown[]) => note("first", ...answer));
    socket.timeout(50).emit("q", (...answer: unknown[]) => note("second", ...answer));
    socket.timeout(0).emit("q", (...answer: unknown[]) => note("third", (answer[0] as Error).message));
    const fourth = socket.emitWithAck("q");
    const fifth = socket.timeout(1).emitWithAck("q");
    await fifth.catch((error: Error) => note("fifth", error.message));
    await send(socket, '30["a","b"]', '31["c"]', '31["again"]', "32[]", '33["d"]', '399["nobody"]');
    note("fourth", await fourth);
    await settle();
  },
  "the parents of dynamic namespaces": async ({ io, note, join, settle }) => {
    io.on("new_namespace", (nsp) => note("new", nsp.name));
    const parent = io.of(/^\/dynamic-\d+$/);
    parent.on("connection", (socket) => note("connection", socket.nsp.name));
    note(parent.name, [...io._nsps.keys()]);
    const [one, two] = [await join("/dynamic-1"), await join("/dynamic-2")];
    one.join("r");
    for (const socket of [one, two]) socket.onAnyOutgoing((...event) => note(socket.nsp.name, ...event));
    note(parent.emit("to all"), parent.to("r").emit("to r"), parent.volatile.emit("volatile"));
    note(
      outcome(() => parent.fetchSockets()),
      await parent.in("r").fetchSockets(),
    );
    note(parent.socketsJoin("s"), one.rooms.has("s"), io.of("/dynamic-1") === one.nsp);
    note(io.of("/dynamic-3").name, [...io._nsps.keys()]);
    await settle();
    note(outcome(() => io.of(/x/g)));
  },
  "middlewares and errors of a socket": async ({ note, join, send }) => {
    const socket = await join();
    const order: unknown[] = [];
    socket.onAny((event) => order.push(`any ${event}`));
    socket.prependAny((event) => order.push(`first ${event}`));
    socket.use((event, next) => {
      order.push(`use ${event[0]}`);
      event[1] = "changed";
      next(event[0] === "bad" ? new Error("refused") : undefined);
    });
    socket.on("error", (error) => order.push(`error ${error.message}`));
    socket.on("good", (value) => order.push(`heard ${value}`));
    socket.on("7", (value) => order.push(`number ${value}`));
    await send(socket, '2["good",1]');
    await send(socket, '2["bad",1]');
    await send(socket, "2[7,1]");
    note(order);
  },
  "sockets that are found, and their properties": async ({ io, note, join }) => {
    const [ann, bob] = [await join("/", { name: "ann" }), await join()];
    ann.data.name = "ann";
    bob.join("r");
    note((await io.fetchSockets()).map((it) => it === (ann as unknown) || it === (bob as unknown)));
    const [found] = await io.except("r").fetchSockets();
    note(found?.data, found?.handshake.auth, [...(found?.rooms ?? [])].length, found?.id === ann.id);
    note((await io.in("r").in(ann.id).fetchSockets()).length, (await io.local.fetchSockets()).length);
    note(
      io.sockets.sockets.get(ann.id) === ann,
      io.sockets.sockets.size,
      [...io.sockets.sockets.values()].length,
    );
  },
  "sockets of another server in the cluster": async ({ io, note, join, settle }) => {
    const ann = await join();
    ann.on("disconnect", (reason) => note("disconnect", reason));
    const { adapter } = io.of("/");
    const details = {
      id: ann.id,
      handshake: { auth: { from: "afar" } },
      rooms: [ann.id, "far"],
      data: { far: 1 },
    };
    adapter.fetchSockets = async () => [details] as never;
    const [remote] = await io.fetchSockets();
    if (remote === undefined) throw new Error("nobody was found");
    note(remote === (ann as unknown), remote.id === ann.id, remote.handshake, remote.data);
    note(remote.rooms instanceof Set, remote.rooms.has("far"));
    note(remote.emit("hello", 1), remote.join(["a", "b"]), remote.leave("a"), [...ann.rooms].slice(1));
    note(isReserved(() => remote.emit("disconnect")));
    const { broadcastWithAck } = adapter;
    adapter.broadcastWithAck = (packet, opts, count, ack) => {
      note(packet.data, opts.rooms.has(ann.id), opts.flags?.timeout, opts.flags?.expectSingleResponse);
      count(1);
      if ((packet.data as unknown[])[0] !== "in vain") ack("one", "two");
    };
    remote.timeout(50).emit("q", (error: Error | null, answer: unknown) => note("one answer", error, answer));
    note(await remote.timeout(50).emitWithAck("q", 2));
    remote.timeout(1).emit("in vain", (error: Error, answer: unknown) => note(error.message, answer));
    await remote
      .timeout(1)
      .emitWithAck("in vain")
      .catch((error: Error & { responses: unknown }) => {
        note(error.message, error.responses);
      });
    adapter.broadcastWithAck = broadcastWithAck;
    Reflect.deleteProperty(adapter, "fetchSockets");
    note(remote.disconnect() === remote);
    await settle();
  },
  "an adapter that knows another server in the cluster": async ({ io, note, join, send, settle }) => {
    const ann = await join();
    const { adapter } = io.of("/");
    adapter.serverSideEmit = (packet) => {
      const ack: unknown = packet.at(-1);
      note("to others", ...packet.filter((it: unknown) => typeof it !== "function"));
      if (typeof ack !== "function") return;
      if (packet[0] === "in vain") ack(new Error("too late"), [1]);
      else ack(null, [1, 2]);
    };
    note(io.serverSideEmit("hello", 1, "two"));
    io.serverSideEmit("ask", (error: Error | null, answers: unknown) => note(error, answers));
    note(await io.serverSideEmitWithAck("ask", 3));
    await io.serverSideEmitWithAck("in vain").catch((error: Error & { responses: unknown }) => {
      note(error.message, error.responses);
    });
    io.on("from another", (...args) => note("heard", ...args.filter((it) => typeof it !== "function")));
    io.on("asks", (answer: (value: unknown) => void) => answer("answered"));
    io.of("/")._onServerSideEmit(["from another", 1, "two"]);
    io.of("/")._onServerSideEmit(["asks", (value: unknown) => note(value)]);

    // The broadcast is complete when both servers have said how many clients they reach, and all have answered.
    adapter.serverCount = () => Promise.resolve(2);
    const { broadcastWithAck } = adapter;
    let ofOther: { count: (clients: number) => void; ack: (answer: unknown) => void } | undefined;
    adapter.broadcastWithAck = (packet, opts, count, ack, ...rest) => {
      ofOther = { count, ack };
      broadcastWithAck.call(adapter, packet, opts, count, ack, ...rest);
    };
    io.timeout(1_000).emit("q", (error: Error | null, answers: unknown) => note("all", error, answers));
    await send(ann, '30["ann"]');
    note("one is missing");
    ofOther?.count(1);
    await settle();
    note("still");
    ofOther?.ack("of another");
    await settle();
  },
  "the errors of a server-side emit": async ({ io, note }) => {
    io.on("hello", () => note("must not be heard"));
    note(io.serverSideEmit("hello", 1), io.of("/x").serverSideEmit("hello"));
  },
};

async function notesOf(object: FakeObject | OfficialObject, chapter: (world: World) => Promise<void>) {
  const notes: unknown[][] = [];
  const clients = new Map<unknown, { send(...messages: string[]): Promise<unknown> }>();
  const settle = async () => {
    for (let i = 0; i < 5; i++) await turn();
  };
  if (object instanceof FakeObject) await object.ready();
  const io = object.io as unknown as Server;
  await chapter({
    io,
    note: (...what) => void notes.push(what),
    settle,
    async join(nsp = "/", auth) {
      const client = await object.connect();
      const known = new Set(io._nsps.get(nsp)?.sockets.keys());
      await client.send(`0${nsp === "/" ? "" : `${nsp},`}${auth === undefined ? "" : JSON.stringify(auth)}`);
      await settle();
      const socket = [...io.of(nsp).sockets.values()].find(({ id }) => !known.has(id));
      if (socket === undefined) throw new Error(`nobody joined ${nsp}`);
      clients.set(socket.id, client as never);
      return socket as Socket;
    },
    async send(socket, ...messages) {
      await clients.get(socket.id)?.send(...messages);
      await settle();
    },
  });
  await settle();
  return notes;
}

describe("on Node and here, the result is the same for", () => {
  // The official adapter logs each time that there is no other server.
  beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
  afterEach(() => void vi.restoreAllMocks());

  it.each(Object.entries(CHAPTERS))("%s", async (_name, chapter) => {
    const setup = (io: Server) => {
      // Late listeners are not what these chapters are about.
      io.on("connection", () => {});
    };
    const official = await notesOf(new OfficialObject(setup as never), chapter);
    expect(official.length).toBeGreaterThan(0);
    expect(await notesOf(new FakeObject(setup), chapter)).toEqual(official);
    expect(await notesOf(new FakeObject(setup, { hibernation: false }), chapter)).toEqual(official);
  });
});
