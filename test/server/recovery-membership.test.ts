import { describe, expect, it } from "vitest";
import type { Server, Socket } from "../../src/server/index.ts";
import { FakeObject, type TestClient } from "./fakes.ts";

const options = { connectionStateRecovery: {} };

/** Joins, and returns what the client has to remember, and the events that arrived before the answer. */
async function join(client: TestClient, auth: object = {}) {
  const frames = (await client.ask(`0${JSON.stringify(auth)}`)).map(String);
  const answer = frames.find((frame) => frame.startsWith("40"))!;
  const { sid, pid } = JSON.parse(answer.slice(2)) as { sid: string; pid: string };
  return { sid, pid, events: names(frames) };
}

function names(frames: unknown[]): string[] {
  return frames
    .filter((frame) => String(frame).startsWith("42"))
    .map((frame) => (JSON.parse(String(frame).slice(2)) as string[])[0]!);
}

/** An object, and how it continues between two steps. */
function createObject(how: string, setup: (io: Server) => void = () => {}) {
  const object = new FakeObject(setup, { options });
  const act = async (action: (io: Server) => unknown) => {
    object.clock.now += 10;
    await object.act(action);
    if (how === "asleep") await object.sleep();
  };
  return { object, act };
}

describe.each(["awake", "asleep"])(
  "a recovered client receives what it would have received by staying (object %s)",
  (how) => {
    it("and nothing from before it connected or joined a room, whatever offset it invents", async () => {
      const { object, act } = createObject(how);
      const witness = await object.connect();
      await join(witness);
      await act((io) => io.emit("before it came"));
      await act((io) => io.socketsJoin("room"));
      await act((io) => io.to("room").emit("in the room before it came"));
      const client = await object.connect();
      const { sid, pid } = await join(client);
      await act((io) => io.to("room").emit("before it joined"));
      await act((io) => io.in(sid).socketsJoin("room"));
      await act((io) => io.to("room").emit("heard"));
      expect(names(client.take())).toEqual(["heard"]);
      await client.leave();
      await act((io) => io.to("room").emit("missed"));
      for (const offset of ["000000000000", undefined]) {
        const back = await object.connect();
        const again = await join(back, { pid, offset });
        expect([again.sid, again.events]).toEqual([sid, ["heard", "missed"]]);
        await back.leave();
      }
    });

    it("also in its own room, which it has left and joined again", async () => {
      const { object, act } = createObject(how);
      const client = await object.connect();
      const { sid, pid } = await join(client);
      await act((io) => io.in(sid).socketsJoin("room"));
      await act((io) => io.emit("heard"));
      const offset = JSON.parse(String(client.take()[0]).slice(2)).at(-1) as string;
      await act((io) => io.in(sid).socketsLeave(sid));
      await act((io) => io.to(sid).emit("while it was out"));
      await act((io) => io.in("room").socketsJoin(sid));
      await client.leave();
      await act((io) => io.to(sid).emit("since"));
      expect((await join(await object.connect(), { pid, offset })).events).toEqual(["since"]);
    });

    it("according to its rooms at the time of each event, with those left, joined or excepted since", async () => {
      const { object, act } = createObject(how);
      const client = await object.connect();
      const { sid, pid } = await join(client);
      await act((io) => io.emit("hello"));
      const offset = JSON.parse(String(client.take()[0]).slice(2)).at(-1) as string;
      await act((io) => io.in(sid).socketsJoin(["left", "muted"]));
      await act((io) => io.to("left").emit("before leaving"));
      await act((io) => io.except("muted").emit("while muted"));
      await act((io) => io.except("later").emit("not muted yet"));
      await act((io) => io.in(sid).socketsLeave("left"));
      await act((io) => io.in(sid).socketsLeave("muted"));
      await act((io) => io.to("left").emit("after leaving"));
      await act((io) => io.except("muted").emit("not muted any more"));
      await act((io) => io.in(sid).socketsJoin("later"));
      await act((io) => io.except("later").emit("muted now"));
      const staying = names(client.take());
      await client.leave();
      const again = await join(await object.connect(), { pid, offset });
      expect(again).toMatchObject({ sid, events: staying });
      expect(staying).toEqual(["before leaving", "not muted yet", "not muted any more"]);
    });

    it("also when it disconnects again before it has received everything", async () => {
      const { object, act } = createObject(how);
      const client = await object.connect();
      const { sid, pid } = await join(client);
      await act((io) => io.in(sid).socketsJoin("room"));
      await act((io) => io.to("room").emit("one"));
      await client.leave();
      await act((io) => io.to("room").emit("two"));
      for (const events of [
        ["one", "two"],
        ["one", "two", "three"],
      ]) {
        const back = await object.connect();
        expect(await join(back, { pid })).toMatchObject({ sid, events });
        await act((io) => io.to("room").emit("three"));
        await back.leave();
        if (events.length === 3) break;
      }
    });

    it("also in more rooms than are remembered, or it starts a new session", async () => {
      const { object, act } = createObject(how);
      const client = await object.connect();
      const { sid, pid } = await join(client);
      await act((io) => io.emit("hello"));
      const offset = JSON.parse(String(client.take()[0]).slice(2)).at(-1) as string;
      for (let i = 0; i < 110; i++) {
        await act((io) => io.in(sid).socketsJoin(`room ${i}`));
        await act((io) => io.in(sid).socketsLeave(`room ${i}`));
      }
      await act((io) => io.emit("last"));
      const last = JSON.parse(String(client.take()[0]).slice(2)).at(-1) as string;
      await client.leave();
      const recent = await object.connect();
      expect(await join(recent, { pid, offset: last })).toMatchObject({ sid, events: [] });
      await recent.leave();
      expect((await join(await object.connect(), { pid, offset })).sid).not.toBe(sid);
    });

    it("with what a handler that is still running sends to its socket meanwhile", async () => {
      const sockets: Socket[] = [];
      const { object, act } = createObject(
        "awake",
        (io) => void io.on("connection", (socket) => sockets.push(socket)),
      );
      const client = await object.connect();
      const { sid, pid } = await join(client);
      const old = sockets[0]!;
      old.emit("hello");
      const offset = JSON.parse(String(client.take()[0]).slice(2)).at(-1) as string;
      await client.leave();
      await act(() => {
        old.emit("late");
        old.volatile.emit("lost");
      });
      const back = await object.connect();
      expect(await join(back, { pid, offset })).toMatchObject({ sid, events: ["late"] });
      await act(() => old.emit("to whom it is now"));
      expect(names(back.take())).toEqual(["to whom it is now"]);
      await back.send("1");
      object.recovery.entries = [];
      await act(() => old.emit("to nobody"));
      expect(object.recovery.entries).toEqual([]);
    });
  },
);

it("a recovered client also receives what was sent while middlewares ran", async () => {
  const waiting: (() => void)[] = [];
  const object = new FakeObject(
    (io) => void io.use((socket, next) => void (socket.recovered ? waiting.push(next) : next())),
    { options: { connectionStateRecovery: { skipMiddlewares: false } } },
  );
  const client = await object.connect();
  const { sid, pid } = await join(client);
  await client.leave();
  await object.act((io) => io.emit("away"));
  const back = await object.connect();
  await back.send(`0{"pid":"${pid}"}`);
  await object.act((io) => io.emit("in middlewares"));
  waiting[0]!();
  await object.settle();
  await object.act((io) => io.emit("there"));
  const frames = back.take();
  expect(names(frames)).toEqual(["away", "in middlewares", "there"]);
  expect(String(frames[2])).toContain(sid);
});

describe("middlewares that run for a recovered client", () => {
  const middlewares: { socket: Socket; next: () => void }[] = [];
  const createSlowObject = (onConnection: (socket: Socket) => void = () => {}) =>
    new FakeObject(
      (io) => {
        io.use((socket, next) => void (socket.recovered ? middlewares.push({ socket, next }) : next()));
        io.on("connection", onConnection);
      },
      { options: { connectionStateRecovery: { skipMiddlewares: false } } },
    );

  /** Reconnects, and waits in its middlewares. */
  async function comeBack(object: FakeObject, pid: string) {
    const client = await object.connect();
    await client.send(`0{"pid":"${pid}"}`);
    const { socket, next } = middlewares.pop()!;
    const goOn = async () => {
      next();
      await object.settle();
    };
    return { client, socket, goOn };
  }

  it("do not lose what is sent to it alone meanwhile, also when it disconnects before it has received that", async () => {
    const object = createSlowObject();
    const client = await object.connect();
    const { sid, pid } = await join(client);
    await client.leave();
    for (let i = 0; i < 2; i++) {
      const back = await comeBack(object, pid);
      if (i === 0) await object.act((io) => io.to(sid).emit("meanwhile"));
      if (i === 0) await object.act((io) => io.except(sid).emit("to the others"));
      await back.goOn();
      expect(names(back.client.take())).toEqual(["meanwhile"]);
      await back.client.leave();
    }
  });

  it.each([
    ["a handler that is still at work disconnects it", (_: FakeObject, old: Socket) => void old.disconnect()],
    [
      "what it missed is too large to be kept",
      ({ recovery }: FakeObject) => {
        for (const { entry } of recovery.entries) entry.packet = undefined;
      },
    ],
  ])("do not admit it when meanwhile %s, so that it starts a new session", async (_what, happens) => {
    const sockets: Socket[] = [];
    const object = createSlowObject((socket) => sockets.push(socket));
    const client = await object.connect();
    const { sid, pid } = await join(client);
    await client.leave();
    const back = await comeBack(object, pid);
    await object.act((io) => io.emit("meanwhile"));
    await object.act(() => happens(object, sockets[0]!));
    await back.goOn();
    expect([back.client.take(), back.client.isOpen]).toEqual([[], false]);
    expect(object.io.sockets.adapter.rooms.size).toBe(0);
    expect((await join(await object.connect(), { pid })).sid).not.toBe(sid);
  });

  it("may remove it from a room, from which it receives nothing from then on", async () => {
    const object = createSlowObject();
    const client = await object.connect();
    const { sid, pid } = await join(client);
    await object.act((io) => io.in(sid).socketsJoin("secret"));
    await client.leave();
    const back = await comeBack(object, pid);
    await object.act((io) => io.to("secret").emit("before"));
    await object.act(() => back.socket.leave("secret"));
    await object.act((io) => io.to("secret").emit("after"));
    await back.goOn();
    expect(names(back.client.take())).toEqual(["before"]);
  });
});

it("a client that connects or joins a room while the clock is behind the log receives nothing from before", async () => {
  const { object, act } = createObject("asleep");
  const early = await object.connect();
  const { sid, pid } = await join(early);
  await act((io) => io.emit("before"));
  await act((io) => io.to("room").emit("in the room before"));
  const [frame] = early.take();
  object.clock.now -= 60_000;
  await act((io) => io.in(sid).socketsJoin("room"));
  await early.leave();
  const offset = JSON.parse(String(frame).slice(2)).at(-1) as string;
  const late = await object.connect();
  const { pid: latePid } = await join(late);
  await late.leave();
  expect((await join(await object.connect(), { pid, offset })).events).toEqual([]);
  expect((await join(await object.connect(), { pid: latePid, offset: "000000000000" })).events).toEqual([]);
});

describe("the order of joins and events", () => {
  it("lists members of a room in the order of joining, asleep as well as awake", async () => {
    const { object, act } = createObject("asleep");
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await join(await object.connect())).sid);
    const [ann, bob, cid] = ids as [string, string, string];
    await act((io) => {
      for (const id of [cid, ann, bob]) io.in(id).socketsJoin(["room", "other"]);
    });
    await act((io) => io.in(ann).socketsLeave("other"));
    await act((io) => io.in(ann).socketsJoin("other"));
    const found: Record<string, string[]> = {};
    await act(async (io) => {
      for (const room of ["room", "other"]) {
        found[room] = (await io.in(room).fetchSockets()).map(({ id }) => id);
      }
      found.all = (await io.fetchSockets()).map(({ id }) => id);
    });
    expect(found).toEqual({ room: [cid, ann, bob], other: [cid, bob, ann], all: ids });
  });

  it("treats members that older code has stored as if they had joined when they connected", async () => {
    const { object, act } = createObject("asleep");
    const ids: string[] = [];
    for (let i = 0; i < 2; i++) {
      const client = await object.connect();
      ids.push((await join(client)).sid);
      await act((io) => io.in(ids[i]!).socketsJoin("room"));
      const stored = object.storedOf(client) as { sockets: { joins?: number[] }[] };
      for (const socket of stored.sockets) socket.joins = undefined;
    }
    await act(async (io) => expect((await io.in("room").fetchSockets()).map(({ id }) => id)).toEqual(ids));
  });

  it.each([0, 1, 5_000])(
    "gives no offset twice when the clock of a new instance is %i ms behind",
    async (behind) => {
      const object = new FakeObject((io) => void io.of("/other"), { options });
      const client = await object.connect();
      await join(client);
      await client.ask("0/other,");
      const offsets: string[] = [];
      for (let instance = 0; instance < 3; instance++) {
        await object.act((io) => {
          for (let i = 0; i < 1_500; i++) (i % 3 === 0 ? io.of("/other") : io).emit("x");
        });
        offsets.push(...client.take().map((frame) => /"([0-9a-z]{12})"\]$/.exec(String(frame))![1]!));
        await object.sleep();
        object.clock.now -= behind;
      }
      const [main, other] = [0, 1].map((at) => offsets.filter((_, i) => (i % 3 === 0) === (at === 1)));
      for (const of of [main!, other!]) {
        expect(new Set(of).size).toBe(of.length);
        expect(of.toSorted()).toEqual(of);
      }
    },
  );
});
