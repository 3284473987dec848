import { describe, expect, it } from "vitest";
import { joinByWebSocket, RawSession, RS } from "../support/raw-session.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { Siege } from "./support/siege.ts";
import type { Victim } from "./support/victim.ts";

interface Identity {
  sid: string;
  pid: string;
}

/** What is stored for clients that may return can neither harm them nor reveal what others received. */
describe("connection state recovery under attack", () => {
  async function enter(victim: Victim, auth: object = {}): Promise<{ socket: RawSocket } & Identity> {
    const socket = (await joinByWebSocket(victim, {}, `/open-lobby,${JSON.stringify(auth)}`)).socket;
    const connected = socket.frames.seen.find((frame) => String(frame).startsWith("40/open-lobby,"));
    socket.answerPings();
    return { socket, ...(JSON.parse(String(connected).slice("40/open-lobby,".length)) as Identity) };
  }

  /** A client that has received an event, disconnects and returns gets its id and the missed events. */
  async function expectRecovery(siege: Siege, attack: () => Promise<void>): Promise<void> {
    const { victim } = siege;
    const { socket, sid, pid } = await enter(victim);
    socket.send('42/open-lobby,["echo","before"]');
    const offset = JSON.parse((await socket.nextText("42/open-lobby,")).slice("42/open-lobby,".length))[2];
    await siege.during(attack);
    socket.cut();
    await victim.evict("close");
    siege.witnesses = siege.witnesses.onlyPolling();
    await siege.during(() => victim.tick());
    const other = await enter(victim);
    other.socket.send('42/open-lobby,["all here","while it was away"]');
    await other.socket.nextText('42/open-lobby,["all here"');
    const back = await enter(victim, { pid, offset });
    expect(back.sid).toBe(sid);
    expect(back.socket.frames.seen.map(String).join()).toContain("while it was away");
    for (const it of [other, back]) it.socket.cut();
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }

  it("survives an `auth` of 200,000 levels of arrays", async () => {
    const siege = await Siege.lay("recovery");
    await expectRecovery(siege, async () => {
      const auth = `40/open-lobby,{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
      await siege.raid.open(3, { says: auth });
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
  }, 60_000);

  it("survives namespaces whose names are too long for a key", async () => {
    const siege = await Siege.lay("recovery");
    await expectRecovery(siege, async () => {
      for (const length of [1_000, 3_000, 30_000, 300_000]) {
        const name = `/open-${"n".repeat(length)}`;
        await siege.raid.open(1, { says: `40${name},` });
        const session = await RawSession.start(siege.victim);
        await session.post(`40${name},${RS}42${name},["echo",1]`);
      }
    });
  }, 60_000);

  it("survives secrets that are too long for a key", async () => {
    const siege = await Siege.lay("recovery");
    await expectRecovery(siege, async () => {
      for (const pid of ["p".repeat(400_000), "\u0000", "\ud800", "%", "__proto__", ""]) {
        await siege.raid.open(1, {
          says: `40/open-lobby,${JSON.stringify({ pid, offset: "000000000000" })}`,
        });
      }
    });
  }, 60_000);

  it("gives no client what was sent before it connected, whatever offset it invents", async () => {
    const siege = await Siege.lay("recovery");
    const { victim } = siege;
    const speaker = await enter(victim);
    const say = async (text: string) => {
      speaker.socket.send(`42/open-lobby,["all here","${text}"]`);
      await speaker.socket.nextText('42/open-lobby,["all here"');
    };
    await say("a secret");
    for (const offset of ["000000000000", "zzzzzzzzzzzz", "", "0", undefined]) {
      const spy = await enter(victim);
      await say("for all who are here");
      spy.socket.send('42/open-lobby,["echo",1]');
      await spy.socket.nextText('42/open-lobby,["echo"');
      spy.socket.cut();
      await say("for all who come back");
      const back = await enter(victim, { pid: spy.pid, offset });
      back.socket.send('42/open-lobby,["echo",2]');
      await back.socket.nextText('42/open-lobby,["echo",2');
      expect(back.socket.frames.seen.map(String).join()).not.toContain("a secret");
      back.socket.cut();
    }
    speaker.socket.cut();
    await siege.expectNothingLeft();
  }, 60_000);

  it("gives no client what was sent to a room before it joined", async () => {
    const siege = await Siege.lay("recovery");
    const { victim } = siege;
    const speaker = await enter(victim);
    speaker.socket.send('42/open-lobby,1["join",["cellar"]]');
    await speaker.socket.nextText("43/open-lobby,1");
    const spy = await enter(victim);
    speaker.socket.send('42/open-lobby,["in","cellar","a secret"]');
    await speaker.socket.nextText('42/open-lobby,["in"');
    spy.socket.send('42/open-lobby,1["join",["cellar"]]');
    await spy.socket.nextText("43/open-lobby,1");
    spy.socket.cut();
    const back = await enter(victim, { pid: spy.pid, offset: "000000000000" });
    back.socket.send('42/open-lobby,["echo",2]');
    await back.socket.nextText('42/open-lobby,["echo",2');
    expect(back.socket.frames.seen.map(String).join()).not.toContain("a secret");
    for (const it of [speaker, back]) it.socket.cut();
    await siege.expectNothingLeft();
  }, 60_000);

  it("recovers no client with the secret of another client's other namespace", async () => {
    const siege = await Siege.lay("recovery");
    const { victim } = siege;
    const { socket, sid, pid } = await enter(victim);
    for (const nsp of ["", "/open-lobb,", "/open-lobby:x,"]) {
      const thief = await joinByWebSocket(victim, {}, `${nsp}${JSON.stringify({ pid })}`);
      expect(thief.id).not.toBe(sid);
      thief.socket.cut();
    }
    socket.cut();
    await siege.expectNothingLeft();
  }, 60_000);

  it("discards the names of namespaces without clients", async () => {
    const siege = await Siege.lay("small, recovery, tidy");
    const { victim } = siege;
    const enterMany = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const session = await RawSession.start(victim);
        const names = Array.from({ length: 99 }, (_, j) => `/open-${i}-${j}-${"n".repeat(200)},`);
        await session.post(names.map((name) => `40${name}`).join(RS), { ms: 10_000 });
        await session.post(names.map((name) => `42${name}["echo",1]`).join(RS), { ms: 10_000 });
        await session.post("1");
      }
    };
    await enterMany(0, 10);
    await victim.settle();
    const before = await victim.heap();
    await enterMany(10, 60);
    await victim.settle();
    expect((await victim.heap()) - before).toBeLessThan(700_000);
  }, 60_000);

  it("bounds what is stored for clients that connect, leave and do not come back", async () => {
    const siege = await Siege.lay("small, recovery");
    const auth = `40${JSON.stringify({ text: "x".repeat(40_000) })}`;
    await siege.during(async () => {
      for (let i = 0; i < 12; i++) {
        await siege.raid.open(40, { says: auth, isCompressed: true });
        siege.raid.leave();
      }
    });
    await siege.expectLaterInstances();
    expect((await siege.victim.facts()).bytes).toBeLessThan(80_000_000);
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("bounds what is stored of broadcasts that no client has missed yet, and reads it in parts", async () => {
    const siege = await Siege.lay("small, recovery");
    const { victim } = siege;
    const { socket, pid } = await enter(victim);
    socket.send('42/open-lobby,["echo","before"]');
    const offset = JSON.parse((await socket.nextText("42/open-lobby,")).slice("42/open-lobby,".length))[2];
    socket.cut();
    const { socket: speaker } = await enter(victim);
    await siege.during(async () => {
      for (let i = 0; i < 50; i++) {
        speaker.send('42/open-lobby,["all here of",400000]');
        await speaker.nextText('42/open-lobby,["all here"', 10_000);
      }
    });
    speaker.cut();
    await siege.expectLaterInstances();
    const back = await enter(victim, { pid, offset });
    back.socket.send('42/open-lobby,["echo",2]');
    await back.socket.nextText('42/open-lobby,["echo",2', 10_000);
    back.socket.cut();
    expect((await victim.facts()).bytes).toBeLessThan(60_000_000);
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);
});
