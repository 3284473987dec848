import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { watch } from "./clock.ts";
import type { TalkKind } from "./support.ts";
import { TalkObject } from "./talk.ts";

const watched = watch();

interface Game {
  moves: string[];
  watchers: Set<string>;
}

/** A server of games, written as a user would write it. */
function games(io: Server): void {
  io.data.games ??= new Map();
  io.data.users = {};
  const find = (id: string): Game => io.data.games.get(id);
  io.on("connection", (socket) => {
    io.data.users[socket.id] = { moves: 0 };
    socket.on("start", (id: string, ack) => {
      io.data.games.set(id, { moves: [], watchers: new Set() });
      ack();
    });
    socket.on("move", async (id: string, move: string, ack) => {
      await Promise.resolve();
      find(id).moves.push(move);
      find(id).watchers.add(move);
      io.data.users[socket.id].moves++;
      ack();
    });
    socket.on("code", (code: number, ack) => {
      io.data.code = code;
      ack();
    });
    socket.on("show", (ack) => {
      const all = [...io.data.games].map(([id, { moves, watchers }]) => [id, moves, [...watchers]]);
      const { moves } = io.data.users[socket.id] ?? {};
      ack(all, moves ?? null, io.data.code ?? null);
    });
  });
}

const keysOf = async (object: TalkObject) =>
  [...(await object.rows()).keys()].filter((key) => /^sio_[dex]/.test(key)).sort();

describe.each(["polling", "websocket"] as const)("io.data over %s", (transport) => {
  it.each(["TALK", "CLOSURE"] as TalkKind[])("survives naps and restarts (%s)", async (kind) => {
    const object = new TalkObject(`data ${kind} ${transport}`, games, kind);
    const client = await object.join(transport);
    await client.ask("start", "a");
    await client.ask("start", "b");
    await client.ask("move", "a", "e4");
    const expected = '[["a",["e4"],["e4"]],["b",[],[]]]';
    expect(await client.ask("show")).toEqual([`43[${expected},1,null]`]);
    if (kind === "TALK") {
      await object.sleep();
      expect(await client.ask("show")).toEqual([`43[${expected},1,null]`]);
      await object.sleep();
      await client.ask("move", "b", "d4");
      await object.sleep();
      expect(await client.ask("show")).toEqual(['43[[["a",["e4"],["e4"]],["b",["d4"],["d4"]]],2,null]']);
    }
    // An object that never sleeps cannot be evicted.
    if (kind === "TALK") await object.restart();
    else await object.run((_, ctx) => ctx.abort("restarted")).catch(() => {});
    const other = await object.join(transport);
    const all = kind === "TALK" ? '[["a",["e4"],["e4"]],["b",["d4"],["d4"]]]' : expected;
    expect(await other.ask("show")).toEqual([`43[${all},0,null]`]);
  });
});

describe("io.data", () => {
  it("writes a row for each entry that a turn has changed", async () => {
    const object = new TalkObject("data rows", games);
    const client = await object.join();
    expect(await keysOf(object)).toEqual(["sio_d:1:/:users", `sio_e:1:/:5:users:string:${client.id}`]);
    await client.ask("start", "a");
    await client.ask("start", "b");
    expect(await keysOf(object)).toEqual([
      "sio_d:1:/:games",
      "sio_d:1:/:users",
      "sio_e:1:/:5:games:string:a",
      "sio_e:1:/:5:games:string:b",
      `sio_e:1:/:5:users:string:${client.id}`,
    ]);
  });

  it("can be used by methods of the object's class, which may return copies of it", async () => {
    const object = new TalkObject("data methods", games);
    const client = await object.join();
    await client.ask("start", "a");
    await object.sleep();
    await object.run((instance) => (instance as unknown as { ready(): Promise<void> }).ready());
    await object.act((io) => void io.data.games.get("a").moves.push("from a method"));
    await object.restart();
    const copy = await object.act((io) => structuredClone(io.data.games.get("a").moves.map(String)));
    expect(copy).toEqual(["from a method"]);
  });

  it("expires at the alarm, also when nobody is connected", async () => {
    const object = new TalkObject("data expiry", games);
    const client = await object.join();
    await client.ask("code", 1234);
    expect(await keysOf(object)).toContain("sio_x");
    await object.restart();
    watched.clock.set(61_000);
    await runDurableObjectAlarm(object.stub);
    watched.clock.set(130_000);
    await runDurableObjectAlarm(object.stub);
    expect((await keysOf(object)).filter((key) => !key.includes("users"))).toEqual([]);
  });

  it("throws when it is used outside its instance, with an error that says what to write instead", async () => {
    let kept: Server["data"] | undefined;
    const object = new TalkObject("data outside", (io) => {
      kept ??= io.data;
      io.on("connection", () => {
        io.data.game = { n: 1 };
      });
    });
    await object.join();
    expect(() => Object.hasOwn(kept, "game")).toThrow("used outside the instance");
    expect(() => kept.game).toThrow(
      /^io.data of namespace "\/" was used outside the instance of object "data outside"/,
    );
    expect(() => {
      kept.game = 1;
    }).toThrow("call a method of the object's class");
    await object.restart();
    await object.join();
    expect(() => Object.keys(kept)).toThrow("used outside the instance");
  });

  it("warns once of a namespace or listener that is added late, and of values that cannot be stored", async () => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => {});
    const object = new TalkObject("data late", (io) => {
      io.on("connection", (socket) => {
        socket.on("late", (ack) => {
          io.of("/late").data.n = 1;
          socket.on("later", () => {});
          io.data.timers = { a: () => 1 };
          io.data.timers.b = new Map([["c", class {}]]);
          ack();
        });
      });
    });
    const client = await object.join();
    await client.ask("late");
    await client.ask("late");
    expect(warnings.mock.calls.map(([text]) => text)).toEqual([
      'socket.io-edge: namespace "/late" is gone once the object has slept; create it in the setup function',
      'socket.io-edge: a "later" listener that is added to a socket late is gone once the object has slept; add it in the connection listener',
      "socket.io-edge: io.data.timers.a cannot be stored (a function) and is gone once the object has slept; keep plain data there",
      "socket.io-edge: io.data.timers.b.c cannot be stored (a function) and is gone once the object has slept; keep plain data there",
    ]);
  });
});
