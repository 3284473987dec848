import { describe, expect, it } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { FakeObject } from "./fakes.ts";
import { OfficialObject } from "./official-object.ts";

type AnyObject = FakeObject | OfficialObject;

/** Records what the application observes; shared by all instances of an object. */
type Note = (...what: unknown[]) => void;

function application(note: Note) {
  return (io: Server) => {
    io.use((socket, next) => {
      if (socket.handshake.auth.token === "wrong") {
        const error: Error & { data?: unknown } = new Error("not authorized");
        error.data = { code: 7 };
        next(error);
        return;
      }
      socket.data.name = socket.handshake.auth.name ?? "nobody";
      next();
    });
    io.on("connection", (socket) => {
      note("connection", socket.data.name, socket.handshake.query.token, socket.handshake.address);
      socket.emit("welcome", socket.data.name);
      socket.join(["lobby", `user:${socket.data.name}`]);
      socket.broadcast.emit("joined", socket.data.name);
      socket.onAny((event, ...args) => note("any", event, args.length));
      socket.use(([event, ...args], next) => {
        note("use", event, args.length);
        if (event === "forbidden") next(new Error("no such event"));
        else next();
      });
      socket.on("error", (error) => note("error", error.message));
      socket.on("echo", (...args) => socket.emit("echo", ...args));
      socket.on("sum", (a, b, ack) => ack(a + b, { twice: 2 * (a + b) }));
      socket.on("join", async (room) => {
        await socket.join(room);
        note("rooms", [...socket.rooms].slice(1));
      });
      socket.on("leave", (room) => {
        socket.leave(room);
        note("rooms", [...socket.rooms].slice(1));
      });
      socket.on("shout", (room, text) => io.to(room).emit("shout", text));
      socket.on("others", (room, text) => socket.to(room).except("quiet").emit("others", text));
      socket.on("count", () => {
        socket.data.count = (socket.data.count ?? 0) + 1;
        socket.data.history ??= [];
        socket.data.history.push({ at: socket.data.count });
        socket.emit("count", socket.data);
      });
      socket.on("forget", () => {
        delete socket.data.history;
        socket.emit("forgot", Object.keys(socket.data));
      });
      socket.once("only once", () => socket.emit("once"));
      socket.on("ask me", async () => {
        const answer = await socket.timeout(60_000).emitWithAck("question", 1);
        note("answer", answer);
      });
      socket.on("callback", () => {
        socket.emit("please", "answer", (...answer: unknown[]) => note("called back", ...answer));
      });
      socket.on("who", async (ack) => {
        const sockets = await io.in("lobby").fetchSockets();
        ack(
          sockets.map((it) => it.data.name),
          io.of("/").sockets.size,
          io.of("/").adapter.rooms.get("lobby")?.size,
        );
      });
      socket.on("kick", (name) => io.in(`user:${name}`).disconnectSockets());
      socket.on("kick hard", (name) => io.in(`user:${name}`).disconnectSockets(true));
      socket.on("bytes", (bytes) => socket.emit("bytes", bytes.length, bytes));
      socket.on("disconnecting", (reason) => note("disconnecting", reason, [...socket.rooms].slice(1)));
      socket.on("disconnect", (reason, description) => {
        // Here the description says what the client did wrong, which Node omits.
        const why = reason === "forced close" ? undefined : description;
        note("disconnect", reason, why, [...socket.rooms], socket.connected);
        io.emit("left", socket.data.name);
      });
    });
    const admin = io.of("/admin");
    admin.on("connection", (socket) => {
      note("admin", socket.nsp.name, socket.handshake.auth);
      socket.on("echo", (...args) => socket.emit("admin echo", ...args));
      socket.on("bye", () => socket.disconnect());
      socket.on("bye all", () => socket.disconnect(true));
      socket.on("disconnect", (reason) => note("admin left", reason));
    });
    const rooms = io.of(/^\/room-\d+$/);
    rooms.use((socket, next) => {
      note("room middleware", socket.nsp.name);
      next();
    });
    rooms.on("connection", (socket) => {
      socket.on("say", (text) => socket.nsp.emit("said", text));
      socket.on("all", (text) => rooms.emit("all", text));
      socket.on("disconnect", (reason) => note("room left", socket.nsp.name, reason));
    });
    io.of((name, auth, next) => next(null, name === "/secret" && auth.key === 1)).on(
      "connection",
      (socket) => {
        socket.emit("secret", socket.nsp.name);
        socket.on("echo", (text) => socket.emit("secret echo", text));
      },
    );
  };
}

const bytes = new Uint8Array([1, 2, 255]);

/**
 * One conversation: each step is what one client sends in one payload. `?` is the id of the last question that it
 * received.
 */
const SCRIPT: [client: "ann" | "bob" | "cat", ...messages: (string | Uint8Array)[]][] = [
  ["ann", "0"],
  ["ann", '2["echo",1,"two",null,{"three":[3]}]'],
  ["bob", '0{"token":"wrong"}'],
  ["bob", '0{"name":"bob"}'],
  ["bob", '21["sum",2,3]'],
  ["bob", '2["echo","a"]', '2["echo","b"]', '212["sum",1,1]'],
  ["ann", '2["join","quiet"]'],
  ["bob", '2["join","loud"]'],
  ["cat", '0{"name":"cat"}'],
  ["cat", '2["join","loud"]'],
  ["cat", '2["shout","loud","hey"]'],
  ["cat", '2["shout","nowhere","hey"]'],
  ["cat", '2["others","lobby","psst"]'],
  ["bob", '2["leave","loud"]'],
  ["cat", '2["shout","loud","again"]'],
  ["bob", '2["count"]'],
  ["bob", '2["count"]', '2["count"]'],
  ["bob", '2["forget"]'],
  ["bob", '2["count"]'],
  ["cat", '2["only once"]'],
  ["cat", '2["only once"]'],
  ["cat", '2["forbidden"]'],
  ["cat", '2["unheard of",1]'],
  ["ann", '20["who"]'],
  ["ann", '2["ask me"]'],
  ["ann", '3?["fine"]'],
  ["ann", '2["callback"]'],
  ["ann", '3?["one","two"]', '3?["late"]'],
  ["ann", '399["nobody asked"]'],
  ["ann", '51-["bytes",{"_placeholder":true,"num":0}]', bytes],
  ["ann", '0/admin,{"user":"ann"}'],
  ["ann", '2/admin,["echo","in admin"]', '2["echo","in main"]'],
  ["bob", "0/nowhere,"],
  ["bob", "0/room-1,"],
  ["cat", "0/room-1,"],
  ["ann", "0/room-2,"],
  ["bob", '2/room-1,["say","hello"]'],
  ["bob", '2/room-1,["all","to all"]'],
  ["cat", '0/secret,{"key":2}'],
  ["cat", '0/secret,{"key":1}'],
  ["cat", '2/secret,["echo","shh"]'],
  ["bob", "1/room-1,"],
  ["bob", "0/room-1,"],
  ["bob", '2/room-1,["say","back"]'],
  ["ann", '2/admin,["bye"]'],
  ["ann", '2["echo","still in main"]'],
  ["ann", '0/admin,{"user":"again"}'],
  ["cat", '2["kick","bob"]'],
  ["bob", '2/room-1,["say","still here"]'],
  ["bob", '0{"name":"bob2"}'],
  ["bob", '20["who"]'],
  ["ann", '2/admin,["bye all"]'],
  ["cat", '20["who"]'],
  ["bob", '2["kick hard","cat"]'],
  ["bob", '20["who"]'],
  ["bob", '2/never-joined,["x"]'],
];

interface Client {
  isOpen: boolean;
  send(...messages: (string | Uint8Array)[]): Promise<unknown>;
  take(): unknown[];
}

/**
 * Runs the script, and returns what everybody observed at every step; ids are replaced by the order of their
 * appearance.
 */
async function traceOf(
  create: (setup: (io: Server) => void) => AnyObject,
  between: (object: AnyObject) => Promise<void>,
): Promise<string[]> {
  let notes: unknown[] = [];
  const trace: string[] = [];
  const object = create(application((...what) => void notes.push(what)));
  const clients: Record<string, Client> = {};
  for (const name of ["ann", "bob", "cat"]) clients[name] = (await object.connect()) as Client;
  const ids: string[] = [];
  const anonymous = (text: string) =>
    // Ids of acknowledgements are never used twice, so they grow faster in an object that sleeps.
    text.replaceAll(/"42\d+\[/g, '"42?[').replaceAll(/(?<="sid\\":\\")[\w-]{20}/g, (id) => {
      if (!ids.includes(id)) ids.push(id);
      return `id${ids.indexOf(id)}`;
    });
  let question = "";
  for (const [name, ...messages] of SCRIPT) {
    await clients[name]?.send(
      ...messages.map((it) => (typeof it === "string" ? it.replace("3?", `3${question}`) : it)),
    );
    const seen = Object.entries(clients).map(([who, it]) => [who, it.isOpen, it.take()]);
    question = /"42(\d+)\[/.exec(JSON.stringify(seen))?.[1] ?? question;
    trace.push(anonymous(JSON.stringify({ name, messages, notes, seen })));
    notes = [];
    await between(object);
    // Clients cannot see what a replay makes the application record.
    notes = [];
  }
  return trace;
}

/** Records of `connection` listeners that run again are removed, because nobody else can observe them. */
function withoutReplays(trace: string[]): string[] {
  return trace.map((line) => {
    const step = JSON.parse(line) as { name: string; messages: unknown[]; notes: unknown[][]; seen: unknown };
    const isConnect = String(step.messages[0]).startsWith("0");
    const notes = step.notes.filter(([kind]) => isConnect || (kind !== "connection" && kind !== "admin"));
    return JSON.stringify({ ...step, notes });
  });
}

const rest = async () => {};
const asleep = (object: AnyObject) => object.sleep();

describe("the same conversation", async () => {
  const official = await traceOf((setup) => new OfficialObject(setup as never), rest);

  it("is seen alike by clients and application on Node and here", async () => {
    const object = { current: undefined as FakeObject | undefined };
    const ours = await traceOf((setup) => {
      object.current = new FakeObject(setup);
      return object.current;
    }, rest);
    expect(ours).toEqual(official);
    expect(object.current?.logs).toEqual([]);
  });

  it("is seen alike when nothing is stored", async () => {
    const ours = await traceOf((setup) => new FakeObject(setup, { hibernation: false }), rest);
    expect(ours).toEqual(official);
  });

  it("is seen alike when the object sleeps between every two steps", async () => {
    const ours = await traceOf((setup) => new FakeObject(setup), asleep);
    expect(withoutReplays(ours)).toEqual(withoutReplays(official));
  });

  it("is seen alike when the object sleeps and there is no async context", async () => {
    const ours = await traceOf((setup) => new FakeObject(setup, { hasAsyncContext: false }), asleep);
    expect(withoutReplays(ours)).toEqual(withoutReplays(official));
  });
});
