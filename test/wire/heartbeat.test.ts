import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { Monitor } from "../support/monitor.ts";
import { joinByWebSocket, pathOf, RawSession, RS } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { expected, start, targets } from "../support/targets.ts";

/**
 * The timing of the official suites is a pingInterval of 300 ms and a pingTimeout of 200 ms. Clients that answer their
 * pings get more time to do so, because the machine may be busy. These tests do little but wait, so they wait together.
 */
describe.concurrent.each(targets)("a server with a heartbeat every 300 ms on %s", (target) => {
  /** Servers that close a client without an answer after 200 ms, after a second, and hardly ever. */
  let hasty: Running;
  let patient: Running;
  let endless: Running;
  beforeAll(async () => {
    const variants = ["fast", "patient", "busy"].map((variant) => start(target, "basic", variant));
    [hasty, patient, endless] = (await Promise.all(variants)) as [Running, Running, Running];
  });
  afterAll(() => Promise.all([hasty, patient, endless].map((server) => server?.close())));

  /** It waits for no namespace: on a busy machine a ping may come before the answer to that, and would be skipped. */
  async function openSocket(at = endless): Promise<RawSocket> {
    const socket = await RawSocket.open(at, pathOf({ EIO: "4", transport: "websocket" }));
    await socket.nextText("0");
    return socket;
  }

  it("pings a WebSocket again and again, and sends nothing but pings and answers to pongs", async () => {
    const socket = await openSocket();
    for (let i = 0; i < 4; i++) {
      expect(await socket.next()).toBe("2");
      socket.send("3");
      if (target === "edge") expect(await socket.next()).toBe("6");
    }
    socket.cut();
  });

  it("pings a polling session through its polls", async () => {
    const session = await RawSession.start(endless);
    for (let i = 0; i < 4; i++) {
      expect((await session.poll()).body).toBe("2");
      expect((await session.post("3")).body).toBe("ok");
    }
  });

  it("does not ping in the first third of an interval", async () => {
    const from = performance.now();
    const socket = await openSocket();
    expect(await socket.next()).toBe("2");
    expect(performance.now() - from).toBeGreaterThan(100 - 20);
    socket.cut();
  });

  it("ends a WebSocket session that does not answer", async () => {
    const { socket } = await joinByWebSocket(hasty);
    expect((await socket.end(3_000)).code).toBe(1005);
  });

  it("sends one ping at a time", async () => {
    const { socket } = await joinByWebSocket(hasty);
    await socket.end(3_000);
    expect(socket.frames.seen.filter((frame) => frame === "2")).toEqual(["2"]);
  });

  it("ends a polling session that polls no more, and reports a ping timeout", async () => {
    const monitor = await Monitor.connect(patient);
    try {
      const session = await RawSession.join(patient);
      expect(await monitor.next("close", session.sid)).toMatchObject({ reason: "ping timeout" });
      const reply = await session.poll();
      expect([reply.status, reply.body]).toEqual([400, '{"code":1,"message":"Session ID unknown"}']);
      const { socket, open, id } = await joinByWebSocket(patient);
      expect(await monitor.next("disconnect", id)).toMatchObject({ reason: "ping timeout" });
      expect(await monitor.next("close", open.sid)).toMatchObject({ reason: "ping timeout" });
      await socket.end();
    } finally {
      monitor.close();
    }
  });

  it("keeps a session with a steady heartbeat beyond pingInterval + pingTimeout", async () => {
    const socket = await openSocket(patient);
    socket.send("40");
    const from = performance.now();
    while (performance.now() - from < 1_600) {
      if ((await socket.next()) === "2") socket.send("3");
    }
    socket.send('421["echo","here"]');
    expect(await socket.nextText("43")).toBe('431["here"]');
    socket.cut();
  });

  it("pings even while packets are sent all the time", async () => {
    const session = await RawSession.join(endless);
    const pings = async () => {
      await session.post('42["echo","busy"]');
      const packets = (await session.poll()).body.split(RS);
      if (packets.includes("2")) await session.post("3");
      return packets.filter((packet) => packet === "2").length;
    };
    let count = 0;
    await expect.poll(async () => (count += await pings()), { timeout: 5_000, interval: 1 }).toBe(2);
  });

  it("does not end a session for an unanswered ping from before its upgrade", async () => {
    const session = await RawSession.join(endless);
    expect((await session.poll()).body).toBe("2");
    const socket = await session.upgrade();
    socket.send("3");
    for (let i = 0; i < 3; i++) {
      await socket.nextText("2", 1_000);
      socket.send("3");
    }
    socket.cut();
  });

  it("ends a session that joins no namespace within connectTimeout", async () => {
    const impatient = await start(target, "basic", "impatient");
    try {
      const session = await RawSession.start(impatient);
      const packets: string[] = [];
      while (!packets.includes("1")) packets.push(await session.next());
      expect(packets.filter((packet) => packet !== "2" && packet !== "6")).toEqual(["1"]);
    } finally {
      await impatient.close();
    }
  });
});

describe.concurrent.each(targets)("a server with the default heartbeat on %s", (target) => {
  it("does not ping a new session, and answers its pongs with a noop only", async () => {
    const server = await start(target, "basic");
    try {
      const { socket } = await joinByWebSocket(server);
      socket.send("3", "3", '421["echo","after the pongs"]');
      await socket.nextText("43");
      // The runtime answers pongs with a noop, so that they do not wake the object.
      expect(socket.frames.seen.slice(2)).toEqual(
        expected(target, {
          official: ['431["after the pongs"]'],
          edge: ["6", "6", '431["after the pongs"]'],
        }),
      );
      socket.cut();
    } finally {
      await server.close();
    }
  });
});
