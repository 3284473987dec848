import { describe, expect, it } from "vitest";
import { joinByWebSocket, RawSession } from "../support/raw-session.ts";
import { until, untilSent } from "./support/raid.ts";
import { Siege } from "./support/siege.ts";
import { OTHER_PATH } from "./support/victim.ts";

/** A client that shares an object or an isolate with attackers is served as before. */
describe("clients that share a resource with attackers are not affected in", () => {
  it("an isolate: two objects with 50 MB each end sessions, and neither ends the other", async () => {
    const siege = await Siege.lay();
    const { victim, raid } = siege;
    for (const path of [undefined, OTHER_PATH]) {
      await siege.during(async () => {
        const sockets = await raid.open(60, { says: "40", isCompressed: true, path });
        for (const socket of sockets) {
          if (socket.readyState === 1) socket.send(`42["set","key","${"x".repeat(900_000)}"]`);
        }
        await untilSent(sockets);
      });
    }
    await siege.expectRoom();
    // A quiet object still has its budget, half a minute later as well.
    await victim.advance(40_000);
    await siege.during(async () => {
      const sockets = await raid.open(40, { says: "40", isCompressed: true, path: OTHER_PATH });
      for (const socket of sockets) {
        if (socket.readyState === 1) socket.send(`42["set","key","${"x".repeat(900_000)}"]`);
      }
      await untilSent(sockets);
    });
    expect(victim.isDown).toBe(false);
    await siege.expectRoom();
  }, 60_000);

  it("an object whose budget thousands of small sessions use up, even while these grow", async () => {
    const siege = await Siege.lay("small");
    await siege.during(async () => {
      const sockets = await siege.raid.open(1_300, { says: "40" });
      for (const socket of sockets) {
        if (socket.readyState === 1) socket.send(`42["set","key","${"x".repeat(12_000)}"]`);
      }
      await untilSent(sockets);
    });
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("an object with a client that reads nothing of the 20 MB that are sent to all", async () => {
    const siege = await Siege.lay("small");
    await siege.during(async () => {
      for (let i = 0; i < 10; i++) await RawSession.join(siege.victim);
      const [deaf, speaker] = await siege.raid.open(2, { says: "40" });
      deaf!.pause();
      for (let i = 0; i < 66; i++) {
        speaker!.send('42["all of",300000]');
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
      await untilSent([speaker!]);
    }, /^([26]$|42\["all")/);
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("an object with many upgrades that are never completed", async () => {
    const siege = await Siege.lay("hasty");
    const { victim } = siege;
    await siege.during(async () => {
      for (let i = 0; i < 24; i++) {
        const session = await RawSession.join(victim);
        const candidate = await session.candidate();
        candidate.send("2probe");
        await candidate.nextText("3probe");
        if (i % 3 === 0) candidate.cut();
        if (i % 3 === 1) candidate.send("x".repeat(900_000));
      }
    });
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("an object whose main namespace a client joins and leaves again and again", async () => {
    const siege = await Siege.lay("recovery");
    await siege.during(async () => {
      const { socket } = await joinByWebSocket(siege.victim);
      for (let i = 0; i < 200; i++) {
        socket.send("41", "40");
        await socket.nextText("40");
      }
      socket.cut();
    });
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("a server with a client that polls invented sessions", async () => {
    const siege = await Siege.lay();
    const { victim } = siege;
    const before = await victim.facts();
    await siege.during(async () => {
      const made = [
        "x",
        "A".repeat(22),
        `${"A".repeat(22)}.${"A".repeat(43)}`,
        "__proto__",
        "%00",
        "main",
        "p:x",
        "s:x",
      ];
      for (let i = 0; i < 60; i++) {
        const sid = made[i % made.length]! + (i > 30 ? i : "");
        const session = Object.create(RawSession.prototype) as RawSession;
        Object.defineProperty(session, "sid", { value: sid });
        Object.defineProperty(session, "at", { value: victim });
        expect((await session.poll()).status).toBe(400);
        expect((await session.post("40")).status).toBe(400);
      }
    });
    const after = await victim.facts();
    expect(after.rows).toEqual(before.rows);
    await siege.expectNothingLeft();
  }, 60_000);

  it("an object with a client that disconnects itself and its companions in every turn", async () => {
    const siege = await Siege.lay("recovery");
    await siege.during(async () => {
      for (let i = 0; i < 30; i++) {
        const { socket, id } = await joinByWebSocket(siege.victim);
        socket.send(
          `42["join",["${id}","gang"]]`,
          `42["kick","gang"]`,
          `42["kick","${id}"]`,
          '42["echo",1]',
          "41",
          "40",
        );
        if (i % 2 === 0) socket.cut();
      }
    });
    await until("the end of the gang", async () => (await siege.victim.facts()).sockets <= 2 * siege.count);
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);
});
