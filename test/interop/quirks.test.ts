import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { http } from "../support/http.ts";
import { Monitor } from "../support/monitor.ts";
import { joinByWebSocket, pathOf, RawSession, RS } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { drowsy, expected, SHARDS, start, targets } from "../support/targets.ts";

const states = targets.flatMap((target) =>
  (target === "edge" ? ["awake", "asleep"] : ["awake"]).map((state) => [target, state] as const),
);

/** An object that has slept does not know when its last ping was, and sends one with the next answer. */
const isNoPing = (packet: string) => packet !== "2";

/** The monitor sees the polls of its own object. */
const hasOneObject = SHARDS === 1;

/** What clients in other languages send, replayed byte by byte; each test names the client. */
describe.each(states)("quirks of clients on %s (%s)", (target, state) => {
  let server: Running;
  let monitor: Monitor;
  beforeAll(async () => {
    server = await start(target, "basic");
    if (state === "asleep") server = drowsy(server);
    monitor = await Monitor.connect(server);
  });
  afterAll(async () => {
    monitor?.close();
    await server?.close();
  });

  async function isAliveOn(socket: RawSocket): Promise<void> {
    socket.send('4271["echo","here"]');
    expect(await socket.nextText("4371")).toBe('4371["here"]');
  }

  describe("python-engineio", () => {
    it("gets at most 16 packets in the answer to a poll, and the rest in the next one", async () => {
      const session = await RawSession.join(server);
      await session.post('42["burst",40]');
      const numbers: string[] = [];
      while (numbers.length < 40) {
        const packets = (await session.poll()).body.split(RS);
        // A client with a limit closes the connection at 17; the official server has no limit.
        if (target === "edge") expect(packets.length).toBeLessThanOrEqual(16);
        numbers.push(...packets.filter(isNoPing));
      }
      expect(numbers).toEqual(Array.from({ length: 40 }, (_, i) => `42["n",${i}]`));
    });

    it("gets each binary packet together with its attachments", async () => {
      const session = await RawSession.join(server);
      await session.post(`42["burst",15]${RS}42["binary"]`);
      const packets: string[] = [];
      while (packets.length < 18) {
        packets.push(...(await session.poll()).body.split(RS).filter(isNoPing));
      }
      expect(packets.slice(15)).toEqual([expect.stringMatching(/^452-\["binary"/), "bAQID", "bBA=="]);
    });

    it("may upgrade before its first poll", async () => {
      const session = await RawSession.start(server);
      const socket = await session.upgrade();
      socket.send("40");
      expect(await socket.nextText("40")).toMatch(/^40\{"sid"/);
      await isAliveOn(socket);
      socket.cut();
    });

    it("posts a single binary packet as b and base64", async () => {
      const session = await RawSession.join(server);
      session.stayAwake();
      expect((await session.post('451-["echo",{"_placeholder":true,"num":0}]')).body).toBe("ok");
      expect((await session.post("bAAEC")).body).toBe("ok");
      await session.next("45");
      expect(await session.next()).toBe("bAAEC");
    });
  });

  describe("the official client and browsers", () => {
    it.each([
      ["node-XMLHttpRequest", { "user-agent": "node-XMLHttpRequest" }],
      ["a browser", { "user-agent": "Mozilla/5.0 (X11) Chrome/156", "sec-fetch-mode": "cors" }],
    ])("get all queued packets in one answer: %s", async (_who, headers) => {
      const session = await RawSession.start(server, {}, { headers });
      await session.post("40", { headers });
      await session.next("40");
      await session.post('42["burst",40]', { headers });
      const numbers: string[] = [];
      while (numbers.length < 40) {
        numbers.push(...(await session.poll({ headers })).body.split(RS).filter(isNoPing));
      }
      expect(numbers).toEqual(Array.from({ length: 40 }, (_, i) => `42["n",${i}]`));
    });
  });

  describe("C# (SocketIOClient 4)", () => {
    it("upgrades with 5 alone and gets the answer to its CONNECT on the WebSocket", async () => {
      const session = await RawSession.start(server);
      await session.post("40");
      const socket = await session.candidate();
      socket.send("5");
      expect(await socket.nextText("40")).toMatch(/^40\{"sid"/);
      await isAliveOn(socket);
      socket.cut();
    });

    it("posts binary in a body of its own", async () => {
      const session = await RawSession.join(server);
      session.stayAwake();
      await session.post('452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
      await session.post("bAQ==");
      await session.post("bAg==");
      await session.next("45");
      expect([await session.next(), await session.next()]).toEqual(["bAQ==", "bAg=="]);
    });
  });

  describe("C# (SocketIOClient 3)", () => {
    it("abandons its polling session and opens a new one by WebSocket", async () => {
      const reply = await http(server, pathOf({ EIO: "4", transport: "polling" }));
      expect(reply.body).toContain("websocket");
      const { socket } = await joinByWebSocket(server);
      await isAliveOn(socket);
      socket.cut();
    });
  });

  describe("ESP32 (arduinoWebSockets)", () => {
    it("sends 2probe and 5 back to back, then 40/", async () => {
      const session = await RawSession.start(server);
      expect(session.handshake.headers["content-length"]).toBe(String(session.handshake.body.length));
      expect(session.handshake.body).not.toContain("\n");
      const socket = await session.candidate();
      socket.send("2probe", "5", "40/");
      expect(await socket.next()).toBe("3probe");
      expect(await socket.nextText("40")).toMatch(/^40\{"sid"/);
      await isAliveOn(socket);
      socket.cut();
    });

    it.each(["40/", "40/,", "40", '40/,{"token":"x"}', "40{}"])(
      "joins the main namespace by %s",
      async (connect) => {
        const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));
        await socket.nextText("0");
        socket.send(connect);
        expect(await socket.nextText("40")).toMatch(/^40\{"sid"/);
        socket.cut();
      },
    );
  });

  describe("Swift", () => {
    it.runIf(hasOneObject)(
      "gets an answer to its waiting poll, without which it does not send 5",
      async () => {
        const session = await RawSession.join(server);
        const poll = session.begin();
        await monitor.parked(session);
        const socket = await session.candidate();
        socket.send("2probe");
        expect(await socket.next()).toBe("3probe");
        const from = performance.now();
        expect((await poll.reply).body).toBe("6");
        expect(performance.now() - from).toBeLessThan(500);
        socket.send("5");
        await isAliveOn(socket);
        socket.cut();
      },
    );

    it("posts a noop while it upgrades", async () => {
      const session = await RawSession.join(server);
      const socket = await session.candidate();
      socket.send("2probe");
      await socket.nextText("3probe");
      expect((await session.post("6")).body).toBe("ok");
      socket.send("5");
      await isAliveOn(socket);
      socket.cut();
    });

    it("asks with b64=1 and EIO=4 and wants exactly 200 and ok", async () => {
      const session = await RawSession.start(server, { b64: "1" });
      expect(await session.post("40")).toMatchObject({ status: 200, body: "ok" });
      expect((await session.poll()).status).toBe(200);
    });

    it("writes the path without its slash", async () => {
      const reply = await http(server, pathOf({ EIO: "4", transport: "polling" }, "/socket.io"));
      expect(reply.status).toBe(expected(target, { official: 404, edge: 200 }));
    });

    it("is not served under a path that begins with two slashes, as by the official server", async () => {
      const reply = await http(server, pathOf({ EIO: "4", transport: "polling" }, "//socket.io/"));
      expect(reply.status).toBe(404);
    });
  });

  describe("Java", () => {
    it("posts text/plain;charset=UTF-8 and accepts anything", async () => {
      const session = await RawSession.start(server, {}, { headers: { accept: "*/*" } });
      const headers = { accept: "*/*", "content-type": "text/plain;charset=UTF-8" };
      expect((await session.post("40", { headers })).body).toBe("ok");
      expect(await session.next("40")).toMatch(/^40\{/);
    });
  });

  describe("Go (karagenc)", () => {
    it.runIf(hasOneObject)("sends 5 without waiting for the answer to its poll", async () => {
      const session = await RawSession.join(server);
      const poll = session.begin();
      await monitor.parked(session);
      const socket = await session.candidate();
      socket.send("2probe");
      expect(await socket.next()).toBe("3probe");
      socket.send("5");
      expect((await poll.reply).body).toMatch(/^[16]$/);
      await isAliveOn(socket);
      socket.cut();
    });
  });

  describe("Rust", () => {
    it("sends an unsolicited pong as its first packet", async () => {
      const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));
      await socket.nextText("0");
      socket.send("3", "40");
      expect(await socket.nextText("40")).toMatch(/^40\{"sid"/);
      await isAliveOn(socket);
      socket.cut();
    });

    it("stamps its requests with numbers", async () => {
      const session = await RawSession.start(server, { t: "1699999999.123" });
      expect((await session.post("40")).body).toBe("ok");
    });
  });

  describe("PHP (elephant.io)", () => {
    it("puts attachments into the body of their packet", async () => {
      const session = await RawSession.join(server);
      const body = `452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]${RS}bAQ==${RS}bAg==`;
      expect((await session.post(body)).body).toBe("ok");
      await session.next("45");
      expect([await session.next(), await session.next()]).toEqual(["bAQ==", "bAg=="]);
    });

    it("gets the answer to its 40 as the first frame, as it expects", async () => {
      const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));
      expect(await socket.next()).toMatch(/^0/);
      socket.send("40/custom");
      expect(await socket.next()).toMatch(/^40\/custom,/);
      socket.cut();
    });

    it("upgrades with 5 alone", async () => {
      const session = await RawSession.join(server);
      const socket = await session.candidate();
      socket.send("5");
      await isAliveOn(socket);
      socket.cut();
    });
  });

  describe("C++", () => {
    it("opens a WebSocket with nothing but EIO and transport", async () => {
      const { open, socket } = await joinByWebSocket(server);
      expect(Object.keys(open)).toEqual(["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]);
      socket.cut();
    });
  });

  describe("Dart", () => {
    it("asks for b64 by polling and understands base64 there", async () => {
      const session = await RawSession.join(server, "", { b64: "1" });
      await session.post('42["binary"]');
      await session.next("45");
      expect(await session.next()).toBe("bAQID");
    });
  });

  describe("any client", () => {
    it("batches a pong with an event, in either order", async () => {
      const session = await RawSession.join(server);
      await session.post(`3${RS}421["echo","a"]`);
      expect(await session.next("431")).toBe('431["a"]');
      await session.post(`422["echo","b"]${RS}3`);
      expect(await session.next("432")).toBe('432["b"]');
    });

    it("posts a bare pong and gets ok", async () => {
      const session = await RawSession.join(server);
      for (let i = 0; i < 3; i++) expect(await session.post("3")).toMatchObject({ status: 200, body: "ok" });
      expect(await session.isAlive()).toBe(true);
    });

    it("posts any number of packets at once, all taken in order", async () => {
      const session = await RawSession.join(server);
      await session.post(Array.from({ length: 200 }, (_, i) => `42${i}["echo",${i}]`).join(RS));
      for (let i = 0; i < 200; i++) expect(await session.next("43")).toBe(`43${i}[${i}]`);
    });

    it("receives nothing but the answer to its probe before it sends 5", async () => {
      const session = await RawSession.join(server);
      const socket = await session.candidate();
      socket.send("2probe");
      expect(await socket.next()).toBe("3probe");
      await monitor.ask("emit", session.id, "later", [1]);
      expect(socket.frames.unread).toEqual([]);
      socket.send("5");
      expect(await socket.next()).toBe('42["later",1]');
      socket.cut();
    });

    it("may poll after 3probe, and gets an answer before it sends 5", async () => {
      const session = await RawSession.join(server);
      const socket = await session.candidate();
      socket.send("2probe");
      await socket.nextText("3probe");
      expect((await session.poll({ ms: 1_000 })).body).toBe("6");
      socket.send("5");
      await isAliveOn(socket);
      socket.cut();
    });

    it("gets with a later poll what was emitted while no poll waited", async () => {
      const session = await RawSession.join(server);
      for (let i = 0; i < 5; i++) await monitor.ask("emit", session.id, "kept", [i]);
      const kept: string[] = [];
      while (kept.length < 5) kept.push(await session.next("42"));
      expect(kept).toEqual(Array.from({ length: 5 }, (_, i) => `42["kept",${i}]`));
    });
  });
});

/** The ping of a busy polling session must arrive in time, because some clients disconnect without pings. */
describe.each(targets)("a ping that is due on %s", (target) => {
  it("precedes the packets in the same answer", async () => {
    const server = await start(target, "basic", "busy");
    try {
      const session = await RawSession.join(server);
      const answers: string[][] = [];
      while (answers.filter((packets) => packets.includes("2")).length < 3) {
        await session.post('42["burst",3]');
        const reply = await session.poll();
        expect(reply.status).toBe(200);
        const packets = reply.body.split(RS);
        answers.push(packets);
        if (packets.includes("2")) await session.post("3");
        if (target === "edge" && packets.includes("2")) expect(packets[0]).toBe("2");
      }
      const numbers = answers.flat().filter((packet) => packet !== "2");
      expect(numbers).toEqual(numbers.map((_, i) => `42["n",${i % 3}]`));
    } finally {
      await server.close();
    }
  });
});
