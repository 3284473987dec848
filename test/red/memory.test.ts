import { connect, type Socket as TcpSocket } from "node:net";
import { describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { joinByWebSocket, RawSession, RS } from "../support/raw-session.ts";
import { postAll, until, untilSent } from "./support/raid.ts";
import { Siege } from "./support/siege.ts";

/** An array of empty arrays: each byte that is sent takes ten in memory once it is parsed. */
const puffed = (bytes: number) => `[${"[],".repeat(bytes / 3)}0]`;

/** The memory that clients make an object use has one bound, whatever it is used for. */
describe("memory that attackers make the server use", () => {
  it.each([
    ["nobody hears", "420[0]", 7],
    ["a handler owes and never gives", '420["n"]', 7],
  ])(
    "events that ask for an acknowledgement which %s are bounded",
    async (_, event, times) => {
      const siege = await Siege.lay("small");
      await siege.during(async () => {
        const session = await RawSession.join(siege.victim);
        await postAll(session, event + (RS + event).repeat(990_000 / (event.length + 1) - 1), times);
      });
      await siege.expectRoom();
      await siege.expectNothingLeft();
    },
    60_000,
  );

  it("CONNECTs beyond `maxNamespaces`, whose answers nobody fetches, are bounded", async () => {
    const siege = await Siege.lay("small");
    const most = Array.from({ length: 100 }, (_, i) => `40/open-${i},`).join(RS);
    const beyond = Array.from({ length: 80_000 }, (_, i) => `40/${i.toString(36)},`).join(RS);
    await siege.during(async () => {
      for (let i = 0; i < 4; i++) {
        const session = await RawSession.join(siege.victim);
        await session.post(most);
        await postAll(session, beyond, 1);
      }
    });
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it.each([
    ["no `auth`", "small", ""],
    [
      "an `auth` of 16 kB, in an object that never sleeps",
      "small, awake",
      JSON.stringify({ x: "x".repeat(16_000) }),
    ],
  ])(
    "clients that are in as many namespaces as allowed are bounded: %s",
    async (_, variant, auth) => {
      const siege = await Siege.lay(variant);
      await siege.during(async () => {
        for (let n = 0; n < 5; n++) {
          const sockets = await siege.raid.open(60, { says: "40", isCompressed: true });
          for (const socket of sockets) {
            for (let i = 0; i < 99; i++) tell(socket, `40/open-${i},${auth}`);
          }
          await untilSent(sockets);
          await siege.expectMemory();
        }
      });
      await siege.expectRoom();
      await siege.expectNothingLeft();
    },
    60_000,
  );

  it("clients that are in many namespaces with names of 900 kB are refused", async () => {
    const siege = await Siege.lay("small");
    await siege.during(async () => {
      const sockets = await siege.raid.open(4, { says: "40", isCompressed: true });
      for (let i = 0; i < 10; i++) {
        for (const socket of sockets) tell(socket, `40/open-${i}${"n".repeat(900_000)},`);
      }
      await untilSent(sockets);
    });
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("handshakes with as many headers as allowed are bounded, awake and asleep", async () => {
    const siege = await Siege.lay("small");
    const headers = Object.fromEntries(
      Array.from({ length: 8 }, (_, i) => [`x-padding-${i}`, String(i).repeat(1_800)]),
    );
    await siege.during(async () => {
      for (let i = 0; i < 450; i += 10) {
        const ten = Array.from({ length: 10 }, () =>
          RawSession.start(siege.victim, {}, { headers }).catch(() => {}),
        );
        await Promise.all(ten);
      }
    });
    await siege.expectLaterInstances();
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it.each([
    ["text", JSON.stringify("x".repeat(900_000))],
    ["what takes ten times as much once it is parsed", puffed(900_000)],
  ])(
    "packets that wait while a `connection` listener is replayed are bounded: %s",
    async (_, value) => {
      const siege = await Siege.lay("small");
      const { victim } = siege;
      const { socket } = await joinByWebSocket(victim, {}, "/slow,");
      // Its `connection` listener has settled, so that the object may sleep.
      socket.send('42/slow,1["settled"]');
      await socket.nextText("43/slow,1", 10_000);
      await victim.evict("hibernate");
      await siege.during(async () => {
        for (let i = 0; i < 40; i++) socket.send(`42/slow,["echo",${value}]`);
        await untilSent([socket.socket]);
      });
      await siege.expectRoom();
      socket.cut();
      await siege.expectNothingLeft();
    },
    60_000,
  );

  it("clients that never finish their binary packets are bounded", async () => {
    const siege = await Siege.lay("small");
    const bytes = new Uint8Array(900_000);
    await siege.during(async () => {
      const sockets = await siege.raid.open(20, { says: "40", isCompressed: true });
      for (const socket of sockets) {
        socket.send('4510-["echo",{"_placeholder":true,"num":0}]');
        for (let i = 0; i < 5; i++) tell(socket, bytes);
      }
      await untilSent(sockets);
      await siege.expectMemory();
    });
    await siege.expectNothingLeft();
  }, 60_000);

  it("rooms of a socket are bounded", async () => {
    const siege = await Siege.lay("small");
    await siege.during(async () => {
      const sockets = await siege.raid.open(20, { says: "40", isCompressed: true });
      for (const [i, socket] of sockets.entries()) {
        const rooms = Array.from({ length: 15_000 }, (_, j) => `${i}-${j}`);
        tell(socket, `42["join",${JSON.stringify(rooms)}]`);
      }
      await untilSent(sockets);
    });
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("what clients have put into `socket.data` is bounded, awake and asleep", async () => {
    const siege = await Siege.lay("small");
    await siege.during(async () => {
      const sockets = await siege.raid.open(40, { says: "40", isCompressed: true });
      for (const socket of sockets) tell(socket, `42["set","key","${"x".repeat(900_000)}"]`);
      await untilSent(sockets);
    });
    await siege.expectLaterInstances();
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("warnings that quote what clients sent are bounded", async () => {
    const siege = await Siege.lay("small");
    const deep = `${"[".repeat(600)}${"]".repeat(600)}`;
    await siege.during(async () => {
      const [socket] = await siege.raid.open(1, { says: "40", isCompressed: true });
      for (let i = 0; i < 50; i++) {
        tell(socket!, `42["set","${"k".repeat(800_000)}${i}",${deep}]`);
        tell(socket!, `42["unset","${"k".repeat(800_000)}${i}"]`);
      }
      await untilSent([socket!]);
    });
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("an `auth` that takes far more memory than its bytes counts with what it takes", async () => {
    const siege = await Siege.lay("small");
    const auth = `40{"a":${puffed(30_000)}}`;
    await siege.during(() => siege.raid.open(300, { isCompressed: true, says: auth }));
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("one broadcast to 1,000 sleepers, all of which have to be read, fits into memory and is received by all", async () => {
    const siege = await Siege.lay("small");
    const { victim, raid } = siege;
    const sockets = await raid.open(1_000, { says: "40", headers: { "x-padding": "p".repeat(1_500) } });
    expect(sockets.length).toBe(1_000);
    let received = 0;
    for (const socket of sockets) {
      socket.on("message", (data) => {
        if (String(data).startsWith('42["all"')) received++;
      });
    }
    await victim.evict("hibernate");
    sockets[0]!.send('42["all","good morning"]');
    await until("the broadcast", () => received === 1_000);
    await siege.expectRoom();
    expect(raid.closed).toBe(0);
    await siege.expectNothingLeft();
  }, 60_000);

  it("unfinished uploads are bounded", async () => {
    const siege = await Siege.lay("small");
    await siege.during(async () => {
      for (let i = 0; i < 250; i++) {
        const session = await RawSession.start(siege.victim).catch(() => undefined);
        if (session === undefined) break;
        const upload = session.upload("4".repeat(990_000), 999_999);
        await Promise.race([upload.flushed, upload.reply.catch(() => {})]);
      }
      await siege.expectMemory();
    });
  }, 60_000);

  it("answers to polls that nobody reads are bounded", async () => {
    const siege = await Siege.lay("small");
    const held: TcpSocket[] = [];
    await siege.during(async () => {
      for (let i = 0; i < 5; i++) {
        const session = await RawSession.join(siege.victim);
        for (let j = 0; j < 6; j++) {
          const reply = await session.post('42["flood me",10,300000]', { ms: 10_000 });
          if (reply.status !== 200) break;
          const socket = connect(siege.victim.port, "127.0.0.1").pause();
          socket.on("error", () => {});
          held.push(socket);
          socket.write(`GET ${session.path()} HTTP/1.1\r\nHost: x\r\n\r\n`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    });
    await siege.expectRoom();
    for (const socket of held) socket.destroy();
    await siege.expectNothingLeft();
  }, 60_000);
});

function tell(socket: WebSocket, frame: string | Uint8Array): void {
  if (socket.readyState === socket.OPEN) socket.send(frame);
}
