import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { Monitor } from "../support/monitor.ts";
import { pathOf, RawSession, RS } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { start, targets } from "../support/targets.ts";

describe.each(targets)("upgrade on %s", (target) => {
  let server: Running;
  let monitor: Monitor;
  beforeAll(async () => {
    server = await start(target, "basic");
    monitor = await Monitor.connect(server);
  });
  afterAll(async () => {
    monitor?.close();
    await server?.close();
  });

  async function isAliveOn(socket: RawSocket): Promise<void> {
    socket.send('4271["echo","over websocket"]');
    expect(await socket.nextText("4371")).toBe('4371["over websocket"]');
  }

  it("answers the probe, answers the waiting poll, and moves to the WebSocket", async () => {
    const session = await RawSession.join(server);
    const poll = session.begin();
    await monitor.parked(session);
    const socket = await session.candidate();
    socket.send("2probe");
    expect(await socket.next()).toBe("3probe");
    expect((await poll.reply).body).toBe("6");
    socket.send("5");
    expect(await monitor.next("upgrade", session.sid)).toMatchObject({ to: "websocket" });
    await isAliveOn(socket);
    expect(await monitor.ask("conn", session.id)).toMatchObject({
      transport: "websocket",
      query: { transport: "polling" },
    });
    for (const reply of [await session.poll(), await session.post("40")]) {
      expect([reply.status, reply.body]).toEqual([400, '{"code":3,"message":"Bad request"}']);
    }
    await isAliveOn(socket);
    socket.cut();
  });

  it("answers a repeated probe again", async () => {
    const session = await RawSession.join(server);
    const socket = await session.candidate();
    socket.send("2probe", "2probe");
    expect(await socket.next()).toBe("3probe");
    expect(await socket.next()).toBe("3probe");
    socket.cut();
  });

  it("answers polls with a noop during the probe, and sends nothing else over the candidate", async () => {
    const session = await RawSession.join(server);
    const socket = await session.candidate();
    socket.send("2probe");
    expect(await socket.next()).toBe("3probe");
    for (let i = 0; i < 3; i++) expect((await session.poll()).body).toBe("6");
    expect(socket.frames.unread).toEqual([]);
    expect(await session.isAlive()).toBe(true);
    expect(socket.frames.unread).toEqual([]);
    socket.cut();
  });

  it("accepts an upgrade without a probe, and sends what is queued", async () => {
    const session = await RawSession.start(server);
    await session.post("40");
    const socket = await session.candidate();
    socket.send("5");
    expect(await socket.nextText("40")).toMatch(/^40\{"sid"/);
    expect(await monitor.next("upgrade", session.sid)).toMatchObject({ to: "websocket" });
    await isAliveOn(socket);
    socket.cut();
  });

  it("answers a poll that still waits with a close packet when the upgrade completes", async () => {
    const session = await RawSession.join(server);
    const poll = session.begin();
    await monitor.parked(session);
    const socket = await session.candidate();
    socket.send("2probe", "5");
    expect((await poll.reply).body).toMatch(/^[16]$/);
    await isAliveOn(socket);
    socket.cut();
  });

  it("sends packets that were queued without a waiting poll over the WebSocket in order", async () => {
    const session = await RawSession.join(server);
    const socket = await session.candidate();
    socket.send("2probe");
    await socket.nextText("3probe");
    await session.post('42["burst",20]');
    socket.send("5");
    for (let i = 0; i < 20; i++) expect(await socket.next()).toBe(`42["n",${i}]`);
    socket.cut();
  });

  // A "3" is answered by the runtime, which does not tell the object.
  const premature = [
    "2",
    '42["echo",1]',
    "6",
    "1",
    "2prob",
    "x",
    "",
    ...(target === "official" ? ["3"] : []),
  ];
  it.each(premature)(
    "closes a candidate that sends %j, and the session continues and may try again",
    async (frame) => {
      const session = await RawSession.join(server);
      const socket = await session.candidate();
      socket.send(frame);
      expect((await socket.end()).code).toBe(1005);
      expect(await session.isAlive()).toBe(true);
      const again = await session.upgrade();
      await isAliveOn(again);
      again.cut();
    },
  );

  it("closes a candidate that sends binary", async () => {
    const session = await RawSession.join(server);
    const socket = await session.candidate();
    socket.send(new Uint8Array([1]));
    expect((await socket.end()).code).toBe(1005);
    expect(await session.isAlive()).toBe(true);
  });

  it("keeps the session when frames of a candidate are broken or larger than allowed", async () => {
    const session = await RawSession.join(server);
    const broken = await session.candidate();
    const raw = (broken.socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket;
    raw.write(new Uint8Array(16).fill(0xff));
    await broken.end();
    const large = await session.candidate();
    large.send("x".repeat(1_000_001));
    await large.end();
    expect(await session.isAlive()).toBe(true);
    const again = await session.upgrade();
    await isAliveOn(again);
    again.cut();
  });

  it.each(["close", "cut"] as const)(
    "continues polling when the candidate disconnects (%s) after its probe",
    async (how) => {
      const session = await RawSession.join(server);
      const socket = await session.candidate();
      socket.send("2probe");
      await socket.nextText("3probe");
      socket[how]();
      await socket.end();
      expect(await session.isAlive()).toBe(true);
      const again = await session.upgrade();
      await isAliveOn(again);
      again.cut();
    },
  );

  it("refuses a second candidate while one is probing", async () => {
    const session = await RawSession.join(server);
    const first = await session.candidate();
    first.send("2probe");
    await first.nextText("3probe");
    const second = await session.candidate();
    expect((await second.end()).code).toBe(1005);
    first.send("5");
    await isAliveOn(first);
    first.cut();
  });

  it("refuses a candidate after the upgrade", async () => {
    const session = await RawSession.join(server);
    const socket = await session.upgrade();
    await isAliveOn(socket);
    const second = await session.candidate();
    expect((await second.end()).code).toBe(1005);
    await isAliveOn(socket);
    socket.cut();
  });

  it("closes the candidate when the session closes", async () => {
    const session = await RawSession.join(server);
    const socket = await session.candidate();
    socket.send("2probe");
    await socket.nextText("3probe");
    await session.post("1");
    expect((await socket.end()).code).toBe(1005);
  });

  it("completes the upgrade of a session that is closing, then closes its WebSocket", async () => {
    const session = await RawSession.join(server);
    const socket = await session.candidate();
    socket.send("2probe");
    await socket.nextText("3probe");
    await monitor.ask("disconnect socket", session.id, true);
    socket.send("5");
    expect(await socket.next()).toBe("41");
    expect((await socket.end()).code).toBe(1005);
    expect(await monitor.next("close", session.sid)).toMatchObject({ reason: "forced close" });
  });

  it("uses the b64 of the request that opened the candidate", async () => {
    const session = await RawSession.join(server);
    const socket = await session.candidate({ b64: "1" });
    socket.send("5", '42["binary"]');
    await socket.nextText("45");
    expect(await socket.next()).toBe("bAQID");
    socket.cut();
  });

  it("delivers packets of a poll body that is answered while the candidate probes", async () => {
    const session = await RawSession.join(server);
    const socket = await session.candidate();
    socket.send("2probe");
    await socket.nextText("3probe");
    await session.post(`421["echo","a"]${RS}422["echo","b"]`);
    expect(await session.next("431")).toBe('431["a"]');
    expect(await session.next("432")).toBe('432["b"]');
    socket.cut();
  });

  it("refuses a candidate for an unknown session", async () => {
    const path = pathOf({ EIO: "4", transport: "websocket", sid: "nobody" });
    await expect(RawSocket.open(server, path)).rejects.toMatchObject({ status: 400 });
  });
});

describe.each(targets)("a slow upgrade on %s", (target) => {
  it("closes a candidate after upgradeTimeout, and the session continues", async () => {
    const server = await start(target, "basic", "slow upgrade");
    try {
      const session = await RawSession.join(server);
      const silent = await session.candidate();
      expect((await silent.end()).code).toBe(1005);
      const probing = await session.candidate();
      probing.send("2probe");
      expect((await probing.end()).code).toBe(1005);
      expect(await session.isAlive()).toBe(true);
    } finally {
      await server.close();
    }
  });
});
