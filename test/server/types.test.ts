import { describe, expectTypeOf, it } from "vitest";
import type { defineServer as DefineServer } from "../../src/index.ts";
import type {
  DisconnectReason,
  Handshake,
  Namespace,
  RemoteSocket,
  Server,
  Socket,
  SocketMap,
} from "../../src/server/index.ts";

interface ClientToServer {
  plain: (text: string, n: number) => void;
  asks: (text: string, ack: (ok: boolean) => void) => void;
}

interface ServerToClient {
  news: (text: string) => void;
  empty: () => void;
  question: (n: number, ack: (answer: string, extra: number) => void) => void;
  withError: (ack: (error: Error, answer: string) => void) => void;
}

interface BetweenServers {
  ping: (n: number) => void;
  count: (ack: (n: number) => void) => void;
}

interface Data {
  name: string;
}

declare const defineServer: typeof DefineServer;

type Io = Server<ClientToServer, ServerToClient, BetweenServers, Data>;
type S = Socket<ClientToServer, ServerToClient, BetweenServers, Data>;

/** This code never runs: the test is whether the compiler accepts these lines. */
function typed(io: Io, socket: S): void {
  io.on("connection", (it) => {
    expectTypeOf(it).toEqualTypeOf<S>();
    expectTypeOf(it.data).toEqualTypeOf<Data>();
  });
  io.on("new_namespace", (nsp) => {
    expectTypeOf(nsp).toEqualTypeOf<Namespace<ClientToServer, ServerToClient, BetweenServers, Data>>();
  });
  io.on("ping", (n) => expectTypeOf(n).toEqualTypeOf<number>());
  // @ts-expect-error no such event between servers
  io.on("unknown", () => {});

  socket.on("plain", (text, n) => {
    expectTypeOf(text).toEqualTypeOf<string>();
    expectTypeOf(n).toEqualTypeOf<number>();
  });
  socket.once("asks", (_text, ack) => {
    ack(true);
    // @ts-expect-error the acknowledgement takes a boolean
    ack("yes");
  });
  socket.on("plain", async () => {});
  socket.on("disconnect", (reason) => expectTypeOf(reason).toEqualTypeOf<DisconnectReason>());
  socket.on("error", (error) => expectTypeOf(error).toEqualTypeOf<Error>());
  // @ts-expect-error no such event
  socket.on("unknown", () => {});

  expectTypeOf(socket.emit("news", "text")).toEqualTypeOf<boolean>();
  socket.emit("empty");
  socket.emit("question", 1, (answer, extra) => {
    expectTypeOf(answer).toEqualTypeOf<string>();
    expectTypeOf(extra).toEqualTypeOf<number>();
  });
  // @ts-expect-error wrong argument
  socket.emit("news", 1);
  // @ts-expect-error too many arguments
  socket.emit("empty", 1);
  // @ts-expect-error an event of the other direction
  socket.emit("plain", "text", 1);

  socket.timeout(1).emit("question", 1, (error, answer, extra) => {
    expectTypeOf(error).toEqualTypeOf<Error>();
    expectTypeOf(answer).toEqualTypeOf<string>();
    expectTypeOf(extra).toEqualTypeOf<number>();
  });
  expectTypeOf(socket.emitWithAck("question", 1)).toEqualTypeOf<Promise<string>>();
  expectTypeOf(socket.timeout(1).emitWithAck("question", 1)).toEqualTypeOf<Promise<string>>();
  // @ts-expect-error no acknowledgement to wait for
  socket.emitWithAck("news");
  // @ts-expect-error no acknowledgement to wait for
  socket.emitWithAck("empty");
  // @ts-expect-error no acknowledgement to wait for
  io.timeout(1).emitWithAck("empty");

  io.emit("news", "text");
  // @ts-expect-error an acknowledgement of a broadcast needs a timeout
  io.emit("question", 1, () => {});
  io.to("room").emit("news", "text");
  io.timeout(1).emit("question", 1, (error, answers) => {
    expectTypeOf(error).toEqualTypeOf<Error>();
    expectTypeOf(answers).toEqualTypeOf<string[]>();
  });
  socket
    .to("room")
    .timeout(1)
    .emit("question", 1, (error, answers) => {
      expectTypeOf(error).toEqualTypeOf<Error>();
      expectTypeOf(answers).toEqualTypeOf<string[]>();
    });
  expectTypeOf(io.timeout(1).emitWithAck("question", 1)).toEqualTypeOf<Promise<string[]>>();
  expectTypeOf(io.to("room").timeout(1).emitWithAck("question", 1)).toEqualTypeOf<Promise<string[]>>();

  io.serverSideEmit("ping", 1);
  io.serverSideEmit("count", (error, counts) => {
    expectTypeOf(error).toEqualTypeOf<Error>();
    expectTypeOf(counts).toEqualTypeOf<number[]>();
  });
  expectTypeOf(io.serverSideEmitWithAck("count")).toEqualTypeOf<Promise<number[]>>();
  // @ts-expect-error wrong argument
  io.serverSideEmit("ping", "1");

  expectTypeOf(io.fetchSockets()).toEqualTypeOf<Promise<RemoteSocket<ServerToClient, Data>[]>>();
  expectTypeOf(socket.handshake).toEqualTypeOf<Handshake>();
  expectTypeOf(socket.join("room")).toEqualTypeOf<Promise<void> | void>();
  expectTypeOf(io.of("/x")).toEqualTypeOf<Namespace<ClientToServer, ServerToClient, BetweenServers, Data>>();
  io.use((it, next) => {
    it.data.name = "ann";
    next(new Error("no"));
  });
  socket.use(([event, ...args], next) => {
    expectTypeOf(event).toEqualTypeOf<string>();
    expectTypeOf(args).toBeArray();
    next();
  });
}

/** Without generics any event is accepted, as on Node. */
function untyped(io: Server, socket: Socket): void {
  io.on("connection", (it) => {
    it.on("anything", (first, ack) => {
      expectTypeOf(first).toBeAny();
      ack(first.deep.down);
    });
    it.data.whatever = 1;
  });
  io.emit("anything", 1, "two", { three: 3 });
  socket.emit("anything", 1, (answer: string) => answer);
  expectTypeOf(socket.emitWithAck("anything", 1)).resolves.toBeAny();
  expectTypeOf(io.timeout(1).emitWithAck("anything")).resolves.toBeAny();
  io.timeout(1).emit("anything", (error: Error | null, answers: unknown[]) => [error, answers]);
}

/** The annotated form lets all four be inferred. */
function annotated(io: Server<ClientToServer, ServerToClient>): void {
  io.on("connection", (socket) => socket.on("plain", (text) => expectTypeOf(text).toEqualTypeOf<string>()));
}

/** The types that `defineServer` passes on: the four generics, inferred from the annotated `io`. */
function defined(env: Cloudflare.Env, ctx: DurableObjectState): void {
  const chat = defineServer({}, (io: Io, context) => {
    expectTypeOf(context.env).toEqualTypeOf<Cloudflare.Env>();
    expectTypeOf(context.ctx).toEqualTypeOf<DurableObjectState>();
    io.emit("news", "text");
  });
  // Braces may be omitted: setup's result is awaited if it is a promise, and ignored otherwise.
  defineServer({}, (io) => io.on("connection", (socket) => socket.emit("welcome")));
  expectTypeOf(new chat.SessionObject(ctx, env).io).toEqualTypeOf<Io>();
  class SessionObject extends chat.SessionObject {
    notify(room: string, text: string): boolean {
      // @ts-expect-error no such event
      this.io.to(room).emit("unknown", text);
      return this.io.to(room).emit("news", text);
    }
  }
  expectTypeOf(new SessionObject(ctx, env).notify).toEqualTypeOf<(room: string, text: string) => boolean>();
  const emitter = chat.emitter(env);
  emitter.to("room").emit("news", "text");
  emitter.serverSideEmit("ping", 1);
  // @ts-expect-error wrong argument
  emitter.emit("news", 1);
  // @ts-expect-error no such event between servers
  emitter.serverSideEmit("unknown");
  expectTypeOf(emitter.fetchSockets()).resolves.items.toHaveProperty("data").toEqualTypeOf<Data>();

  const untypedChat = defineServer({}, (io) => void io.emit("anything", 1));
  expectTypeOf(new untypedChat.SessionObject(ctx, env).io).toEqualTypeOf<Server>();
  // @ts-expect-error no such option
  defineServer({ pingIntervall: 1 }, () => {});
}

interface Known {
  user: string;
}

type Told = Server<ClientToServer, ServerToClient, BetweenServers, Data, { handshake: Known }>;

/** The fifth type parameter applies to everything that has the handshake; without it any data is accepted. */
function told(io: Told, socket: S, env: Cloudflare.Env, ctx: DurableObjectState): void {
  io.on("connection", (it) => expectTypeOf(it.handshake.data).toEqualTypeOf<Known>());
  io.use((it) => expectTypeOf(it.handshake.data).toEqualTypeOf<Known>());
  io.of("/x").on("connection", (it) => expectTypeOf(it.handshake.data.user).toEqualTypeOf<string>());
  io.of("/x").sockets.forEach((it) => void expectTypeOf(it.handshake.data).toEqualTypeOf<Known>());
  io.to("room")
    .fetchSockets()
    .then(([it]) => expectTypeOf(it?.handshake.data).toEqualTypeOf<Known | undefined>());
  io.on("connection", (it) => {
    it.broadcast.fetchSockets().then(([other]) => {
      expectTypeOf(other?.handshake.data).toEqualTypeOf<Known | undefined>();
    });
  });
  expectTypeOf(socket.handshake.data).toBeAny();
  const chat = defineServer({ handshakeData: async () => ({ user: "ann" }) }, (_: Told) => {});
  expectTypeOf(new chat.SessionObject(ctx, env).io).toEqualTypeOf<Told>();
  expectTypeOf(chat.emitter(env).fetchSockets())
    .resolves.items.toHaveProperty("handshake")
    .toEqualTypeOf<Handshake<Known>>();
  // @ts-expect-error not what the server was told it gives
  defineServer({ handshakeData: () => ({ user: 1 }) }, (_: Told) => {});
  // @ts-expect-error nor what a promise holds
  defineServer({ handshakeData: async () => ({}) }, (_: Told) => {});
  // @ts-expect-error no such type
  type _Wrong = Server<ClientToServer, ServerToClient, BetweenServers, Data, { handshakes: Known }>;
  const both = (
    _: Server<ClientToServer, ServerToClient, BetweenServers, Data, { handshake: Known; data: 1 }>,
  ) => {};
  defineServer({ handshakeData: (_request, _env, c) => ({ user: c.var.user }) }, both);
  type Shared = Server<
    ClientToServer,
    ServerToClient,
    BetweenServers,
    Data,
    { data: { games: Map<string, 1> } }
  >;
  const withData = (it: Shared) => {
    expectTypeOf(it.data).toEqualTypeOf<{ games: Map<string, 1> }>();
    expectTypeOf(it.of("/chat").data.games.get("a")).toEqualTypeOf<1 | undefined>();
    // @ts-expect-error not what the server was told it holds
    it.data.games.set("a", 2);
    it.on("connection", ({ nsp }) => expectTypeOf(nsp.data.games).toEqualTypeOf<Map<string, 1>>());
    it.of("/chat").data = { games: new Map() };
  };
  defineServer({ dataTtl: { games: 1_000 }, maxDataBytes: 1 }, withData);
  expectTypeOf(io.data.anything.goes).toBeAny();
  // Code without type parameters accepts any server.
  const chatOf = (_: Server<ClientToServer, ServerToClient, BetweenServers, Data>) => {};
  chatOf(io);
  const anyOf = (_: Server) => {};
  anyOf(io as Server);
}

/** The types of what a broadcast, a namespace or a snapshot of a socket returns. */
function handedOn(
  io: Io,
  socket: S,
  nsp: Namespace<ClientToServer, ServerToClient, BetweenServers, Data>,
): void {
  // @ts-expect-error wrong argument
  io.to("room").emit("news", 1);
  // @ts-expect-error wrong argument
  socket.broadcast.emit("news", 1);
  // @ts-expect-error wrong argument
  nsp.volatile.except("room").emit("news", 1);
  // @ts-expect-error wrong argument
  socket.send("no event of this name");
  nsp.local.timeout(1).emit("withError", (error, answers) => {
    expectTypeOf(error).toEqualTypeOf<Error>();
    expectTypeOf(answers).toEqualTypeOf<string[]>();
  });
  socket.timeout(1).emit("withError", (error, answer) => {
    expectTypeOf(error).toEqualTypeOf<Error>();
    expectTypeOf(answer).toEqualTypeOf<string>();
  });
  nsp.on("connection", (it) => expectTypeOf(it).toEqualTypeOf<S>());
  nsp.use((it) => expectTypeOf(it).toEqualTypeOf<S>());
  expectTypeOf(nsp.sockets).toEqualTypeOf<SocketMap<S>>();
  expectTypeOf(nsp.sockets).toExtend<ReadonlyMap<string, S>>();
  expectTypeOf(socket.nsp).toEqualTypeOf(nsp);
  expectTypeOf(socket.rooms).toEqualTypeOf<Set<string>>();
  expectTypeOf(socket.once("plain", () => {})).toEqualTypeOf(socket);
  expectTypeOf(socket.volatile).toEqualTypeOf(socket);
  io.fetchSockets().then(([remote]) => {
    expectTypeOf(remote?.data).toEqualTypeOf<Data | undefined>();
    // @ts-expect-error wrong argument
    remote?.emit("news", 1);
  });
}

describe("types", () => {
  it("are checked by the compiler", () => {
    expectTypeOf(typed).toBeFunction();
    expectTypeOf(untyped).toBeFunction();
    expectTypeOf(annotated).toBeFunction();
    expectTypeOf(defined).toBeFunction();
    expectTypeOf(told).toBeFunction();
    expectTypeOf(handedOn).toBeFunction();
  });
});
