import type { Socket } from "socket.io-client";
import { expect } from "vitest";
import type { Running } from "../support/app.ts";
import { type ClientOptions, connected, nextEvent } from "../support/clients.ts";
import type { Monitor } from "../support/monitor.ts";
import { Inbox } from "../support/within.ts";

/** The environment of a behaviour: a running server, and clients of one version with one set of transports. */
export interface World {
  server: Running;
  monitor: Monitor;
  /** A client that is about to connect. */
  open(nsp?: string, options?: ClientOptions): Socket;
  /** A client that has connected. */
  connect(nsp?: string, options?: ClientOptions): Promise<Socket>;
  /** Emits an event and waits for the acknowledgement. */
  ask<T = unknown>(socket: Socket, event: string, ...args: unknown[]): Promise<T>;
}

type Behaviour = [sentence: string, run: (world: World) => Promise<void>];

/** Everything that one client is sent, in order, without the offset that recovery adds. */
export function said(socket: Socket, event = "said"): Inbox<unknown[]> {
  const inbox = new Inbox<unknown[]>();
  socket.on(event, (...args: unknown[]) => {
    const hasOffset = (socket as unknown as { _pid?: string })._pid !== undefined;
    inbox.push(hasOffset ? args.slice(0, -1) : args);
  });
  return inbox;
}

const VALUES = [1, -0.5, "text 文字 🎈", true, null, [], {}, { a: [{ b: "c" }], "": 1 }];

/** Session behaviour as an application sees it, the same whatever the transport. */
export const behaviours: Behaviour[] = [
  [
    "delivers what the application emits in its `connection` listener",
    async ({ open }) => {
      const socket = open();
      const welcomes = said(socket, "welcome");
      expect(await welcomes.next()).toEqual(["/"]);
      expect(socket.connected).toBe(true);
    },
  ],
  [
    "carries any JSON in both directions",
    async ({ connect }) => {
      const socket = await connect();
      const echoes = said(socket, "echo");
      socket.emit("echo", ...VALUES);
      expect(await echoes.next()).toEqual(VALUES);
    },
  ],
  [
    "acknowledges with the values that the handler passes",
    async ({ ask, connect }) => {
      const socket = await connect();
      expect(await ask(socket, "echo", { deep: [1] })).toEqual({ deep: [1] });
    },
  ],
  [
    "answers each acknowledgement with its own value",
    async ({ ask, connect }) => {
      const socket = await connect();
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(socket, "echo", i)));
      expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => i));
    },
  ],
  [
    "asks the client for an acknowledgement and receives it",
    async ({ connect, monitor }) => {
      const socket = await connect();
      socket.on("question", (question, answer) => answer(question, "and more"));
      socket.emit("ask", "how?");
      expect(await monitor.next("answer", socket.id)).toMatchObject({ answers: ["how?", "and more"] });
    },
  ],
  [
    "lets a handler await the client's acknowledgement",
    async ({ ask, connect }) => {
      const socket = await connect();
      socket.on("question", (question, answer) => answer({ asked: question }));
      expect(await ask(socket, "ask and wait", "why?")).toEqual({ asked: "why?" });
    },
  ],
  [
    "gives up an acknowledgement that does not arrive in time",
    async ({ connect, monitor }) => {
      const socket = await connect();
      socket.emit("ask in vain", 50);
      expect(await monitor.next("timeout", socket.id)).toMatchObject({ message: "operation has timed out" });
    },
  ],
  [
    "carries binary in both directions, at any depth, also empty",
    async ({ connect }) => {
      const socket = await connect();
      const echoes = said(socket, "echo");
      const large = Buffer.alloc(100_000, 7);
      socket.emit(
        "echo",
        Buffer.from([1, 2, 3]),
        { deep: [Buffer.from([4]), "text"] },
        Buffer.alloc(0),
        large,
      );
      const [first, nested, empty, back] = (await echoes.next()) as [
        Buffer,
        { deep: [Buffer, string] },
        Buffer,
        Buffer,
      ];
      expect([...first]).toEqual([1, 2, 3]);
      expect([[...nested.deep[0]], nested.deep[1]]).toEqual([[4], "text"]);
      expect(empty.byteLength).toBe(0);
      expect(Buffer.compare(back, large)).toBe(0);
    },
  ],
  [
    "passes binary to handlers as bytes",
    async ({ ask, connect }) => {
      const socket = await connect();
      expect(await ask(socket, "describe", Buffer.from([1, 2, 3]))).toEqual({ isBytes: true, length: 3 });
    },
  ],
  [
    "acknowledges with binary",
    async ({ ask, connect }) => {
      const socket = await connect();
      expect([...(await ask<Buffer>(socket, "echo", Buffer.from([9, 8])))]).toEqual([9, 8]);
    },
  ],
  [
    "delivers 500 packets in order",
    async ({ connect }) => {
      const socket = await connect();
      const numbers = said(socket, "n");
      socket.emit("count", 0, 500);
      for (let i = 0; i < 500; i++) expect(await numbers.next()).toEqual([i]);
    },
  ],
  [
    "receives 500 packets in order",
    async ({ ask, connect }) => {
      const socket = await connect();
      for (let i = 0; i < 500; i++) socket.emit("c", i);
      expect(await ask(socket, "c report")).toEqual({ next: 500, wrong: 0 });
    },
  ],
  [
    "delivers a packet of 500 kB in both directions",
    async ({ ask, connect }) => {
      const socket = await connect();
      const text = "ü".repeat(250_000);
      expect(await ask(socket, "echo", text)).toBe(text);
    },
  ],
  [
    "emits to a room, to all except a room, and to all others",
    async ({ ask, connect }) => {
      const [a, b, c] = [await connect(), await connect(), await connect()] as const;
      const [toA, toB, toC] = [said(a), said(b), said(c)];
      expect(await ask(b, "join", "blue")).toEqual(["blue"]);
      a.emit("to", "blue", 1);
      expect(await toB.next()).toEqual([1]);
      a.emit("except", "blue", 2);
      expect(await toA.next()).toEqual([2]);
      expect(await toC.next()).toEqual([2]);
      b.emit("broadcast", 3);
      expect(await toA.next()).toEqual([3]);
      expect(await toC.next()).toEqual([3]);
      a.emit("in", "blue", 4);
      expect(await toB.next()).toEqual([4]);
      c.emit("all", 5);
      for (const inbox of [toA, toB, toC]) expect(await inbox.next()).toEqual([5]);
      expect([toA.unread, toB.unread, toC.unread]).toEqual([[], [], []]);
    },
  ],
  [
    "leaves rooms, and removes the socket from its rooms when it disconnects",
    async ({ ask, connect, monitor }) => {
      const [a, b] = [await connect(), await connect()] as const;
      expect(await ask(a, "join", ["one", "two"])).toEqual(["one", "two"]);
      expect(await ask(a, "leave", "one")).toEqual(["two"]);
      expect(await ask(b, "who", "two")).toEqual([a.id]);
      const { id } = a;
      a.disconnect();
      expect(await monitor.next("disconnecting", id)).toMatchObject({ rooms: 2 });
      expect(await monitor.next("disconnect", id)).toMatchObject({ rooms: 0 });
      expect(await ask(b, "who", "two")).toEqual([]);
    },
  ],
  [
    "moves others into rooms",
    async ({ ask, connect }) => {
      const [a, b] = [await connect(), await connect()] as const;
      await ask(a, "join", "from");
      await ask(b, "join others", "from", "to");
      expect(await ask(b, "who", "to")).toEqual([a.id]);
    },
  ],
  [
    "asks a whole room for acknowledgements",
    async ({ ask, connect }) => {
      const [a, b, c] = [await connect(), await connect(), await connect()] as const;
      await ask(a, "join", "jury");
      await ask(b, "join", "jury");
      a.on("question", (_question, answer) => answer("a"));
      b.on("question", (_question, answer) => answer("b"));
      const { failed, answers } = await ask<{ failed: boolean; answers: string[] }>(c, "poll", "jury");
      expect([failed, answers.sort()]).toEqual([false, ["a", "b"]]);
    },
  ],
  [
    "keeps data with its socket",
    async ({ ask, connect }) => {
      const [a, b] = [await connect(), await connect()] as const;
      await ask(a, "set", "name", { first: "Ada" });
      expect(await ask(a, "get", "name")).toEqual({ first: "Ada" });
      expect(await ask(b, "get", "name")).toBeNull();
    },
  ],
  [
    "multiplexes namespaces over one connection",
    async ({ ask, connect, open }) => {
      const main = await connect("/", { forceNew: true });
      const custom = main.io.socket("/custom");
      const welcomes = said(custom, "welcome");
      expect(await welcomes.next()).toEqual(["/custom"]);
      expect(custom.id).not.toBe(main.id);
      const [toMain, toCustom] = [said(main), said(custom)];
      custom.emit("all", "custom");
      expect(await toCustom.next()).toEqual(["custom"]);
      main.emit("all", "main");
      expect(await toMain.next()).toEqual(["main"]);
      custom.disconnect();
      expect(await ask(main, "echo", "still here")).toBe("still here");
      expect(toMain.unread).toEqual([]);
      open("/never").disconnect();
    },
  ],
  [
    "refuses with the middleware's error and its data",
    async ({ open }) => {
      const [error] = (await nextEvent(open("/admin", { auth: { token: "wrong" } }), "connect_error")) as [
        Error & { data: unknown },
      ];
      expect([error.message, error.data]).toEqual(["not authorized", { token: "wrong" }]);
    },
  ],
  [
    "admits a client with the right token, which the application can read",
    async ({ open }) => {
      const welcomes = said(open("/admin", { auth: { token: "secret" } }), "welcome");
      expect(await welcomes.next()).toEqual([{ token: "secret" }]);
    },
  ],
  [
    "refuses a namespace that does not exist",
    async ({ open }) => {
      const [error] = (await nextEvent(open("/nowhere"), "connect_error")) as [Error];
      expect(error.message).toBe("Invalid namespace");
    },
  ],
  [
    "provides the handshake to the application",
    async ({ ask, connect }) => {
      const socket = await connect("/", {
        query: { token: "a b" },
        auth: { user: 1 },
        extraHeaders: { "x-agent": "me" },
      });
      const { auth, ...handshake } = await ask<Record<string, object>>(socket, "handshake");
      // A client that returns adds what it needs for recovery.
      expect(auth).toMatchObject({ user: 1 });
      expect(handshake).toEqual({
        token: "a b",
        xdomain: false,
        secure: false,
        url: expect.stringMatching(/^\/socket\.io\/\?.*token=a(%20|\+)b/),
        agent: "me",
      });
    },
  ],
  [
    "disconnects when the client disconnects, with the reason",
    async ({ connect, monitor }) => {
      const socket = await connect();
      const { id } = socket;
      const left = nextEvent(socket, "disconnect");
      socket.disconnect();
      expect((await left)[0]).toBe("io client disconnect");
      expect(await monitor.next("disconnect", id)).toMatchObject({ reason: "client namespace disconnect" });
    },
  ],
  [
    "disconnects when the server disconnects, with the reason",
    async ({ connect, monitor }) => {
      for (const close of [false, true]) {
        const socket = await connect();
        const { id } = socket;
        const left = nextEvent(socket, "disconnect");
        socket.emit("kick", close);
        expect((await left)[0]).toBe("io server disconnect");
        expect(await monitor.next("disconnect", id)).toMatchObject({ reason: "server namespace disconnect" });
      }
    },
  ],
  [
    "lets a client that was disconnected connect again",
    async ({ ask, connect }) => {
      const socket = await connect();
      const before = socket.id;
      const { engine } = socket.io;
      const closed = new Promise((resolve) => engine.once("close", resolve));
      socket.disconnect();
      await closed; // old clients ignore connect() as long as their connection is closing
      socket.connect();
      await connected(socket);
      expect(socket.id).not.toBe(before);
      expect(await ask(socket, "echo", "back")).toBe("back");
    },
  ],
];
