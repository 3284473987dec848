import { afterEach, describe, expect, it } from "vitest";
import { type ConnectOptions, io as ourIo, type Socket } from "../../src/client/index.ts";
import type { Running } from "../support/app.ts";
import { within } from "../support/within.ts";

export interface InteropTarget {
  /** A server that runs the application "interop". */
  server: Running;
  /** The same server with connection state recovery, where events carry an offset as an additional argument. */
  recovery: Running;
}

const TRANSPORTS: Record<string, ConnectOptions> = {
  "polling only": { transports: ["polling"] },
  "websocket only": { transports: ["websocket"] },
  "polling, then websocket": {},
};

interface SuiteOptions {
  /** Whether the server sleeps between the steps. */
  isAsleep?: boolean;
  /** The client to test, if it is not the one of the sources. */
  io?: () => typeof ourIo;
}

/** The behaviour on which any Socket.IO server and this client must agree. The target exists when the tests run. */
export function interopSuite(name: string, target: () => InteropTarget, options: SuiteOptions = {}): void {
  const { isAsleep, io = () => ourIo } = options;

  for (const [transport, defaults] of Object.entries(TRANSPORTS)) {
    describe(`${name}, ${transport}`, () => {
      const sockets: Socket[] = [];

      /**
       * Puts the server to sleep before the next step, if the suite is about that. An upgrade would keep the server
       * awake.
       */
      async function sleep(server = target().server): Promise<void> {
        if (!isAsleep) return;
        await Promise.all(sockets.filter(({ connected }) => connected).map(upgraded));
        await server.evict("hibernate");
      }

      async function upgraded(socket: Socket): Promise<void> {
        const { engine } = socket.io;
        if (transport === "polling, then websocket" && engine?.transport.name === "polling")
          await Promise.race([once(engine, "upgrade"), once(engine, "upgradeError")]);
      }

      function connect(path = "/", options: ConnectOptions = {}): Socket {
        const socket = io()(target().server.url + path, { forceNew: true, ...defaults, ...options });
        sockets.push(socket);
        return socket;
      }

      async function connected(path?: string, options?: ConnectOptions): Promise<Socket> {
        const socket = connect(path, options);
        await once(socket, "connect");
        await upgraded(socket);
        await sleep();
        return socket;
      }

      afterEach(async () => {
        const left = sockets.splice(0);
        // Otherwise the next test would wait 10 s for an abandoned upgrade, until the server gives it up.
        if (isAsleep) await Promise.all(left.filter(({ connected }) => connected).map(upgraded));
        for (const socket of left) socket.disconnect();
      });

      it("connects, and has an id", async () => {
        const socket = connect();
        const hello = once(socket, "hello");
        await once(socket, "connect");
        expect(socket.connected).toBe(true);
        expect(socket.active).toBe(true);
        expect(await hello).toEqual([socket.id]);
        expect(socket.recovered).toBe(false);
      });

      it("carries JSON of all kinds both ways", async () => {
        const socket = await connected();
        const args = [1, "2", { a: [null, true, { b: "ü 😀 \u2028 \u001e" }] }, null, [], ""];
        const echo = once(socket, "echo");
        socket.emit("echo", ...args);
        expect(await echo).toEqual(args);
      });

      it("carries binary data both ways", async () => {
        const socket = await connected();
        const bytes = Uint8Array.of(0, 1, 2, 255);
        const echo = once(socket, "echo");
        socket.emit("echo", bytes, { deep: [bytes.buffer, new Uint16Array([1, 2, 3])] });
        const [first, second] = (await echo) as [Uint8Array, { deep: [Uint8Array, Uint8Array] }];
        expect(first).toBeInstanceOf(Buffer);
        expect([...first]).toEqual([0, 1, 2, 255]);
        expect([...second.deep[0]]).toEqual([0, 1, 2, 255]);
        expect([...second.deep[1]]).toEqual([1, 0, 2, 0, 3, 0]);
      });

      it("carries a Blob", async () => {
        const socket = await connected();
        expect(await socket.emitWithAck("echo", new Blob(["hello"]))).toEqual(Buffer.from("hello"));
      });

      it("carries a large message both ways", async () => {
        const socket = await connected();
        const text = "x€".repeat(100_000);
        expect(await socket.emitWithAck("echo", text)).toBe(text);
      });

      it("keeps the order of what is emitted in one turn and in several", async () => {
        const socket = await connected();
        const seen: number[] = [];
        const done = new Promise<void>((resolve) => {
          socket.on("echo", (n: number) => {
            seen.push(n);
            if (seen.length === 60) resolve();
          });
        });
        for (let i = 0; i < 30; i++) socket.emit("echo", i);
        for (let i = 30; i < 60; i++) {
          await Promise.resolve();
          socket.emit("echo", i);
        }
        await done;
        expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => i));
      });

      it("keeps the order of a burst from the server", async () => {
        const socket = await connected();
        const seen: number[] = [];
        const done = new Promise<void>((resolve) => {
          socket.on("n", (n: number) => {
            if (seen.push(n) === 100) resolve();
          });
        });
        socket.emit("burst", 100);
        await done;
        expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i));
      });

      it("receives acknowledgements of the server", async () => {
        const socket = await connected();
        const answer = new Promise((resolve) =>
          socket.emit("echo", 1, "two", (...args: unknown[]) => resolve(args)),
        );
        expect(await answer).toEqual([1, "two"]);
        await sleep();
        expect(await socket.emitWithAck("echo", { three: 3 })).toEqual({ three: 3 });
        await sleep();
        expect(await socket.timeout(5000).emitWithAck("echo", 4)).toBe(4);
      });

      it("sends acknowledgements to the server", async () => {
        const socket = await connected();
        socket.on("question", (value: number, ack: (...args: unknown[]) => void) =>
          ack(value + 1, Buffer.from("ok")),
        );
        const answers = await new Promise<unknown[]>((resolve) => {
          socket.emit("ask", 41, (...args: unknown[]) => resolve(args));
        });
        expect(answers[0]).toBe(42);
        expect(Buffer.from(answers[1] as Uint8Array).toString()).toBe("ok");
      });

      it("calls a callback with a timeout with an error when no answer arrives", async () => {
        const socket = await connected();
        const error = await new Promise((resolve) => socket.timeout(50).emit("never", resolve));
        expect(error).toEqual(new Error("operation has timed out"));
        await expect(socket.timeout(50).emitWithAck("never")).rejects.toThrow("operation has timed out");
      });

      it("keeps what is emitted before it is connected", async () => {
        const socket = connect();
        const echo = once(socket, "echo");
        const answer = socket.emitWithAck("echo", "second");
        socket.emit("echo", "first");
        expect(await answer).toBe("second");
        expect(await echo).toEqual(["first"]);
      });

      it("shares one connection among namespaces", async () => {
        const main = await connected();
        const custom = main.io.socket("/custom");
        const dynamic = main.io.socket("/dynamic-7");
        await Promise.all([once(custom, "connect"), once(dynamic, "connect")]);
        expect(await custom.emitWithAck("echo", "custom")).toBe("custom");
        expect(await dynamic.emitWithAck("echo", Buffer.from([7]))).toEqual(Buffer.from([7]));
        await sleep();
        custom.disconnect();
        expect(await main.emitWithAck("echo", "still here")).toBe("still here");
        expect(main.io.engine?.readyState).toBe("open");
      });

      it("is refused by an unknown namespace", async () => {
        const socket = connect("/nowhere");
        const [error] = (await once(socket, "connect_error")) as [Error];
        expect(error.message).toBe("Invalid namespace");
        expect(socket.active).toBe(false);
      });

      it("reports why a middleware refused it, and calls `auth` at each connect", async () => {
        const tokens = ["bad", "good"];
        const socket = connect("/auth", { auth: (send) => send({ token: tokens.shift() }) });
        const [error] = (await once(socket, "connect_error")) as [Error & { data: unknown }];
        expect(error.message).toBe("not authorized");
        expect(error.data).toEqual({ code: "BAD_TOKEN" });
        socket.connect();
        await once(socket, "connect");
        const { auth } = (await socket.emitWithAck("handshake")) as unknown as { auth: unknown };
        expect(auth).toEqual({ token: "good" });
      });

      it("sends its query and its headers", async () => {
        const socket = await connected("/?room=a%20b", { extraHeaders: { "x-test": "yes" } });
        expect(await socket.emitWithAck("handshake")).toMatchObject({
          query: { room: "a b", EIO: "4" },
          header: "yes",
          transport: transport === "polling only" ? "polling" : "websocket",
        });
      });

      it("receives what is sent to its rooms, also bytes", async () => {
        const [one, two] = [await connected(), await connected()];
        await Promise.all([one.emitWithAck("join", "room"), two.emitWithAck("join", "room")]);
        await sleep();
        const said = Promise.all([once(one, "said"), once(two, "said")]);
        one.emit("say", "room", "text", Buffer.from([1]));
        expect(await said).toEqual([
          ["text", Buffer.from([1])],
          ["text", Buffer.from([1])],
        ]);
      });

      it("does not reconnect when the server disconnects its socket", async () => {
        const socket = await connected();
        socket.emit("kick");
        expect(await once(socket, "disconnect")).toEqual(["io server disconnect", undefined]);
        expect(socket.active).toBe(false);
        expect(socket.id).toBeUndefined();
        await sleep();
        socket.connect();
        await once(socket, "connect");
      });

      it("reports `io server disconnect` when the server disconnects all namespaces", async () => {
        const socket = await connected();
        socket.emit("kick", true);
        expect((await once(socket, "disconnect"))[0]).toBe("io server disconnect");
      });

      it("reconnects when the connection is lost, and sends what was emitted meanwhile", async () => {
        const socket = await connected("/", { reconnectionDelay: 10, randomizationFactor: 0 });
        const { id } = socket;
        socket.emit("drop");
        expect((await once(socket, "disconnect"))[0]).toBe("transport close");
        expect(socket.active).toBe(true);
        const answer = socket.emitWithAck("echo", "meanwhile");
        expect(await once(socket.io, "reconnect_attempt")).toEqual([1]);
        expect(await answer).toBe("meanwhile");
        expect(socket.id).not.toBe(id);
      });

      it("rejects its pending promises when the connection is lost", async () => {
        const socket = await connected();
        const answer = socket.emitWithAck("never");
        socket.emit("drop");
        await expect(answer).rejects.toThrow("socket has been disconnected");
      });

      it("disconnects, and connects again", async () => {
        const socket = await connected();
        const disconnected = once(socket, "disconnect");
        socket.disconnect();
        expect(await disconnected).toEqual(["io client disconnect", undefined]);
        expect(socket.active).toBe(false);
        await sleep();
        socket.connect();
        await once(socket, "connect");
        await sleep();
        expect(await socket.emitWithAck("echo", 1)).toBe(1);
      });

      it("recovers its session with the events that it missed", async () => {
        const { recovery } = target();
        // The client reconnects when the test says so, and not while the server is being put to sleep.
        const options = { forceNew: true, ...defaults, reconnection: false };
        // A key brings a client back to the same object, where there are several.
        const come = (key: string) => io()(recovery.url, { ...options, query: { key } });
        const [socket, other] = [come("0"), come("1")];
        sockets.push(socket, other);
        await Promise.all([once(socket, "hello"), once(other, "hello")]);
        await socket.emitWithAck("join", "room");
        const { id } = socket;
        const said: unknown[] = [];
        socket.on("said", (text: unknown) => said.push(text));
        const disconnected = once(socket, "disconnect");
        socket.emit("drop");
        await disconnected;
        await sleep(recovery);
        other.emit("say", "room", "missed");
        const reconnected = once(socket, "connect");
        socket.connect();
        await reconnected;
        expect(socket.recovered).toBe(true);
        expect(socket.id).toBe(id);
        await sleep(recovery);
        other.emit("say", "room", "live");
        await expect.poll(() => said).toEqual(["missed", "live"]);
      });
    });
  }
}

interface Source {
  once(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** The arguments of the next event of this name. */
export function once(source: unknown, event: string): Promise<unknown[]> {
  const came = new Promise<unknown[]>((resolve) =>
    (source as Source).once(event, (...args) => resolve(args)),
  );
  const bounded = within(came, `event "${event}"`, 20_000);
  // In a race between two events, one of them never arrives.
  bounded.catch(() => {});
  return bounded;
}
