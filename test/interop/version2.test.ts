import { io as ioToday } from "socket.io-client";
import io, { type OldSocket } from "socket.io-client-2.5";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { http } from "../support/http.ts";
import { Monitor } from "../support/monitor.ts";
import { pathOf } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { start, targets } from "../support/targets.ts";
import { within } from "../support/within.ts";

const EIO3 = { EIO: "3", transport: "polling" };
const bytes = Buffer.from([0, 1, 127, 128, 255]);

function next<Args extends unknown[]>(socket: OldSocket, event: string): Promise<Args> {
  return within(new Promise((resolve) => socket.once(event, (...args) => resolve(args as never))), event);
}

function ask<Args extends unknown[]>(socket: OldSocket, event: string, ...args: unknown[]): Promise<Args> {
  const answered = new Promise<Args>((resolve) => {
    socket.emit(event, ...args, (...answer: Args) => resolve(answer));
  });
  return within(answered, `answer to ${event}`);
}

/** Waits for the upgrade, which would keep the object awake. */
async function upgraded({ io: { engine } }: OldSocket): Promise<void> {
  if (engine.transport.name === "websocket") return;
  await within(new Promise<void>((resolve) => engine.once("upgrade", () => resolve())), "upgrade");
}

describe.each(targets)("socket.io-client 2.5 on %s", (target) => {
  let server: Running;
  let monitor: Monitor;
  let sockets: { close(): unknown }[] = [];

  beforeAll(async () => {
    server = await start(target, "version2");
    monitor = await Monitor.connect(server);
  });
  afterEach(() => {
    for (const socket of sockets) socket.close();
    sockets = [];
  });
  afterAll(async () => {
    monitor?.close();
    await server?.close();
  });

  async function join(path = "", options: object = {}): Promise<OldSocket> {
    const socket = io(server.url + path, { forceNew: true, reconnection: false, ...options });
    sockets.push(socket);
    await next(socket, "connect");
    if (!("transports" in options)) await upgraded(socket);
    return socket;
  }

  /** Puts the object to sleep before every step. */
  const sleep = () => server.evict("hibernate");

  describe.each([
    ["polling", { transports: ["polling"] }],
    ["polling in base64", { transports: ["polling"], forceBase64: true }],
    ["websocket", { transports: ["websocket"] }],
    ["websocket in base64", { transports: ["websocket"], forceBase64: true }],
    ["polling, then websocket", {}],
  ])("over %s", (_name, options) => {
    it("exchanges events and acknowledgements, with text and bytes, with sleep between any two steps", async () => {
      const socket = await join("", options);
      expect(socket.id).toBe(socket.io.engine.id);
      await sleep();
      const echoed = next(socket, "echo");
      socket.emit("echo", "zwölf ✓ 😀", { deep: [bytes, null] }, bytes, 1.5);
      expect(await echoed).toEqual(["zwölf ✓ 😀", { deep: [bytes, null] }, bytes, 1.5]);
      await sleep();
      expect(await ask(socket, "sum", 2, 3)).toEqual([5, "sum"]);
      await sleep();
      socket.once("question", (question: Uint8Array, answer: (...args: unknown[]) => void) => {
        answer(question, "yes");
      });
      expect(await ask(socket, "ask me", bytes)).toEqual([bytes, "yes"]);
      await sleep();
      expect(await ask(socket, "remember", "first")).toEqual(["first"]);
      await sleep();
      expect(await ask(socket, "remember", "second")).toEqual(["first"]);
      await sleep();
      expect(await ask(socket, "join", "blue")).toEqual([[socket.id, "blue"]]);
    });

    it("shares rooms and broadcasts with current clients", async () => {
      const old = await join("", options);
      const today = ioToday(server.url, { forceNew: true, reconnection: false });
      sockets.push(today);
      await within(new Promise<void>((resolve) => today.once("connect", () => resolve())), "connect");
      await ask(old, "join", "green");
      await today.timeout(5_000).emitWithAck("join", "green");
      await sleep();
      const told = next(old, "told");
      today.emit("tell", "green", "from today");
      expect(await told).toEqual(["from today"]);
      await sleep();
      const toToday = within(new Promise((resolve) => today.once("all", (...args) => resolve(args))), "all");
      const toOld = next(old, "all");
      old.emit("all", bytes, "both");
      expect(await toOld).toEqual([bytes, "both"]);
      expect(await toToday).toEqual([bytes, "both"]);
    });

    it("joins namespaces with a query, which becomes auth, and has an id of its own in each", async () => {
      const socket = await join("/locked?token=secret&x=1", options);
      expect(socket.id).toBe(`/locked#${socket.io.engine.id}`);
      expect(await monitor.next("connection", socket.id)).toMatchObject({
        nsp: "/locked",
        auth: { token: "secret", x: "1" },
      });
      await sleep();
      expect(await ask(socket, "sum", 1, 1)).toEqual([2, "sum"]);
      const left = next(socket, "disconnect");
      socket.emit("leave me");
      expect(await left).toEqual(["io server disconnect"]);
      expect(await monitor.next("disconnect", socket.id)).toMatchObject({
        reason: "server namespace disconnect",
      });
    });

    it("receives the data or the message of a middleware's refusal", async () => {
      const refusals: unknown[] = [];
      for (const path of ["/locked?token=bad", "/wrong", "/nowhere"]) {
        const socket = io(server.url + path, { forceNew: true, reconnection: false, ...options });
        sockets.push(socket);
        refusals.push(...(await next(socket, "error")));
      }
      expect(refusals).toEqual([{ why: "bad" }, "not authorized", { message: "Invalid namespace" }]);
    });

    it("is disconnected when it closes its socket", async () => {
      const socket = await join("", options);
      const { id } = socket;
      await sleep();
      socket.close();
      expect((await monitor.next("disconnect", id)).reason).toMatch(
        /^(client namespace disconnect|transport close)$/,
      );
    });
  });

  it("upgrades to WebSocket with its default options", async () => {
    const socket = await join();
    expect(socket.io.engine.transport.name).toBe("websocket");
  });

  it("is in the main namespace before it sends anything, over polling", async () => {
    const open = await http(server, pathOf({ ...EIO3, b64: "1" }));
    expect(open.body).toMatch(
      /^\d+:0\{"sid":"[\w-]+","upgrades":\["websocket"\],"pingInterval":25000,"pingTimeout":20000/,
    );
    const { sid } = JSON.parse(open.body.replace(/^\d+:0/, "").replace(/\}\d+:.*$/, "}")) as { sid: string };
    const rest = open.body.includes("2:40") ? open : await http(server, pathOf({ ...EIO3, b64: "1", sid }));
    expect(rest.body.endsWith("2:40")).toBe(true);
  });

  it("wakes a sleeping object by its ping, and is answered", async () => {
    const socket = await RawSocket.open(server, pathOf({ EIO: "3", transport: "websocket" }));
    await socket.nextText("40");
    for (const ping of ["2", "2"]) {
      await sleep();
      socket.send(ping);
      expect(await socket.next()).toBe("3");
    }
    await sleep();
    const sent = Buffer.concat([Buffer.from([4]), bytes]);
    socket.send('451-["echo",{"_placeholder":true,"num":0}]', sent);
    expect(await socket.next()).toBe('451-["echo",{"_placeholder":true,"num":0}]');
    expect(await socket.next()).toEqual(sent);
    socket.close();
  });

  it("is closed when its pings stop, and not as long as they arrive", async () => {
    const fast = await start(target, "version2", "fast");
    const eyes = await Monitor.connect(fast);
    try {
      const [steady, silent] = [
        await RawSocket.open(fast, pathOf({ EIO: "3", transport: "websocket" })),
        await RawSocket.open(fast, pathOf({ EIO: "3", transport: "websocket" })),
      ];
      const [, silentOpen] = [await steady.nextText("0"), await silent.nextText("0")];
      const { sid } = JSON.parse(silentOpen.slice(1)) as { sid: string };
      const beat = setInterval(() => steady.send("2"), 100);
      const ended = await eyes.next("disconnect", sid);
      clearInterval(beat);
      expect(ended.reason).toBe("ping timeout");
      steady.send("2");
      await steady.nextText("3");
      steady.close();
    } finally {
      eyes.close();
      await fast.close();
    }
  });

  it("is refused with code 5 unless the option lets it in", async () => {
    const closed = await start(target, "version2", "closed");
    try {
      const refused = await http(closed, pathOf(EIO3));
      expect([refused.status, refused.body]).toEqual([
        400,
        '{"code":5,"message":"Unsupported protocol version"}',
      ]);
      const socket = io(closed.url, { forceNew: true, reconnection: false });
      sockets.push(socket);
      await next(socket, "connect_error");
    } finally {
      await closed.close();
    }
  });
});
