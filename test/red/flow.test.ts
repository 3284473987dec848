import { describe, expect, it } from "vitest";
import { joinByWebSocket, RawSession, RS } from "../support/raw-session.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { within } from "../support/within.ts";
import { until } from "./support/raid.ts";
import { Siege } from "./support/siege.ts";

/** A client that does not read, does not send, or requests more than there is, affects only itself. */
describe("the flow of an object under attack", () => {
  it.each([
    ["default", {}],
    ["eager", {}],
    ["awake", {}],
    ["old", { EIO: "3" }],
  ] as const)(
    "ends a WebSocket that does not read what it asks for, with %s options",
    async (variant, query) => {
      const siege = await Siege.lay(variant);
      const { victim, raid } = siege;
      await siege.during(async () => {
        const [socket] = await raid.open(1, { says: "EIO" in query ? undefined : "40", query });
        socket!.pause();
        // It is sent ten times the size of the queue, each time in a turn of its own.
        for (let i = 0; i < 20; i++) {
          socket!.send('42["flood me",8,1000000]');
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        await until("the end of the session", async () => (await clientsOf(siege)) === siege.count + 1);
      });
      expect(victim.growth).toBeLessThan(120_000_000);
      await siege.expectRoom();
      await siege.expectNothingLeft();
    },
    60_000,
  );

  it.each(["default", "eager", "awake"])(
    "keeps a client that reads 24 MB which it is sent in one turn, with %s options",
    async (variant) => {
      const siege = await Siege.lay(variant);
      const { socket } = await joinByWebSocket(siege.victim);
      socket.answerPings();
      await siege.during(async () => {
        socket.send('42["flood me",24,1000000]', '421["echo","after it"]');
        for (let i = 0; i < 24; i++) await socket.nextText('42["flood"', 10_000);
        await socket.nextText("431");
      });
      await siege.expectRoom();
      socket.cut();
      await siege.expectNothingLeft();
    },
    60_000,
  );

  it("writes only the new part of a queue", async () => {
    const siege = await Siege.lay();
    const { victim } = siege;
    const [sessions, broadcasts, bytes] = [40, 30, 20_000];
    await siege.during(async () => {
      for (let i = 0; i < sessions; i++) await RawSession.join(victim);
      const { socket } = await joinByWebSocket(victim);
      const before = await victim.counts();
      for (let i = 0; i < broadcasts; i++) {
        socket.send(`42["all of",${bytes}]`, '421["echo",0]');
        await socket.nextText("431");
      }
      const after = await victim.counts();
      expect(after.bytesWritten - before.bytesWritten).toBeLessThan(1.5 * sessions * broadcasts * bytes);
      expect(after.rowsWritten - before.rowsWritten).toBeLessThan(2.5 * sessions * broadcasts);
      socket.cut();
    }, /^([26]$|42\["all")/);
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("still has timers when one POST causes 10,050 emits that wait for an answer", async () => {
    const siege = await Siege.lay();
    await siege.during(async () => {
      const session = await RawSession.join(siege.victim);
      const ask = '42["ask me",1,4000]';
      await session.post(ask + (RS + ask).repeat(10_049), { ms: 10_000 });
      const { socket } = await joinByWebSocket(siege.victim);
      socket.send('421["later",10]');
      await socket.nextText("431");
      const other = await RawSession.join(siege.victim);
      const upgraded = await other.upgrade();
      upgraded.send('421["echo","upgraded"]');
      await upgraded.nextText("431");
      for (const it of [socket, upgraded]) it.cut();
    });
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("spends no time on the holes of sparse arrays", async () => {
    const siege = await Siege.lay();
    await siege.during(async () => {
      for (let i = 0; i < 8; i++) {
        const { socket } = await joinByWebSocket(siege.victim);
        socket.send('421["sparse",300000000]');
        await socket.nextText("431", 20_000);
        socket.cut();
      }
    });
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("keeps little for closed sessions that never fetch the close packet", async () => {
    const siege = await Siege.lay("small");
    await siege.during(async () => {
      for (let i = 0; i < 10; i++) {
        const session = await RawSession.join(siege.victim);
        await session.post('42["flood me",7,500000]', { ms: 10_000 });
        await session.post(`42["kick","${session.id}"]`, { ms: 10_000 });
      }
    });
    await siege.expectLaterInstances();
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("keeps little for closed WebSockets that never read", async () => {
    const siege = await Siege.lay();
    const { victim, raid } = siege;
    await siege.during(async () => {
      for (let wave = 0; wave < 5; wave++) {
        for (const socket of await raid.open(4, { says: "40" })) {
          socket.pause();
          socket.send('42["flood me",24,1000000]');
        }
        await until("the end of the sessions", async () => (await clientsOf(siege)) === siege.count + 1);
      }
    });
    // They were sent 480 MB. The maximum is the queue of one wave, and memory that is not collected yet.
    expect(victim.growth).toBeLessThan(220_000_000);
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 90_000);

  it("keeps little for many v2 clients that do not read, which the server cannot ping", async () => {
    const siege = await Siege.lay("old");
    const { victim, raid } = siege;
    await siege.during(async () => {
      for (const socket of await raid.open(12, { query: { EIO: "3" } })) {
        socket.pause();
        socket.send('42["flood me",24,1000000]');
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    });
    expect(victim.growth).toBeLessThan(220_000_000);
    raid.leave();
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("loads no more from rows for upgrading clients than its memory allows", async () => {
    const siege = await Siege.lay();
    const { victim } = siege;
    const sessions: RawSession[] = [];
    const sockets: RawSocket[] = [];
    await siege.during(async () => {
      for (let i = 0; i < 14; i++) {
        const session = await RawSession.join(victim);
        await session.post('42["flood me",15,1000000]', { ms: 10_000 });
        sessions.push(session);
      }
      for (const session of sessions) {
        const socket = await session.upgrade();
        socket.socket.pause();
        sockets.push(socket);
      }
    });
    await siege.expectRoom();
    for (const socket of sockets) socket.cut();
    await siege.expectNothingLeft();
  }, 60_000);

  it("ends an upload that trickles together with its session, and then sleeps", async () => {
    const siege = await Siege.lay();
    const { victim } = siege;
    await siege.during(async () => {
      const session = await RawSession.join(victim);
      const upload = session.upload("4", 1_000);
      await upload.flushed;
      // A second POST overlaps the first one, which ends the session.
      expect((await session.post('42["echo",1]')).status).toBe(400);
      await within(
        upload.reply.catch(() => "cut"),
        "end of the upload",
        8_000,
      );
    });
    await siege.expectNothingLeft();
  }, 60_000);

  it("ends an upload of a client that is gone when its session expires", async () => {
    const siege = await Siege.lay();
    const { victim } = siege;
    const session = await RawSession.join(victim);
    const upload = session.upload("4", 1_000);
    await upload.flushed;
    // Only the client that is gone may be affected by the jump of the clock.
    siege.witnesses.leave();
    for (let i = 0; i < 3; i++) {
      await victim.advance(50_000);
      await victim.tick();
    }
    await within(
      upload.reply.catch(() => "cut"),
      "end of the upload",
      8_000,
    );
    await siege.expectNothingLeft();
  }, 60_000);

  it("accepts no more than `maxSessions`, also after sleep", async () => {
    const siege = await Siege.lay("few");
    const { victim } = siege;
    for (let i = 0; i < 40; i++) {
      if (i === 20) await victim.evict("hibernate");
      await RawSession.start(victim).catch(() => {});
    }
    await victim.evict("hibernate");
    await expect(RawSession.start(victim)).rejects.toThrow("403");
    const { socket } = await joinOnceThereIsRoom(siege);
    expect(await count(socket)).toBeLessThanOrEqual(30);
    socket.cut();
    await siege.expectNothingLeft();
  }, 60_000);

  it("writes a bounded number of rows for clients that come and go", async () => {
    const siege = await Siege.lay();
    const { victim } = siege;
    const before = await victim.counts();
    await siege.during(async () => {
      for (let i = 0; i < 40; i++) {
        const session = await RawSession.start(victim);
        await session.post(`40/open-${i},`);
        await session.post("1");
      }
    });
    // For each client its session is written, changed and removed; rows for the witnesses come in addition.
    const after = await victim.counts();
    expect(after.alarms - before.alarms).toBeLessThan(3);
    await siege.expectNothingLeft();
  }, 60_000);
});

async function joinOnceThereIsRoom(siege: Siege) {
  siege.witnesses.leave();
  const { victim } = siege;
  for (let i = 0; ; i++) {
    try {
      return await joinByWebSocket(victim);
    } catch (error) {
      if (i === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function count(socket: Awaited<ReturnType<typeof joinByWebSocket>>["socket"]): Promise<number> {
  socket.send('429["count"]');
  return JSON.parse((await socket.nextText("439")).slice(3))[0];
}

/** The sessions of the object, without the one that asks. */
async function clientsOf(siege: Siege): Promise<number> {
  const { socket } = await joinByWebSocket(siege.victim);
  const all = await count(socket);
  socket.close();
  return all;
}
