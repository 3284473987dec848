import { describe, expect, it } from "vitest";
import { snapshot } from "../../src/server/index.ts";
import { withoutProxies } from "../../src/server/state/without-proxies.ts";
import { FakeObject, type FakeOptions, type Setup } from "./fakes.ts";

interface Game {
  moves: string[];
  players?: Record<string, { score: number }>;
}

/** An object whose client can read and change `io.data` by events. */
class DataObject extends FakeObject {
  constructor(setup: Setup = () => {}, fake: FakeOptions = {}) {
    super((io) => {
      io.on("connection", (socket) => {
        socket.on("do", (source: string, ack?: (answer: unknown) => void) => {
          const answer = Function("data", "io", "socket", source)(io.data, io, socket);
          if (answer instanceof Promise) return answer.then(ack);
          ack?.(answer);
        });
      });
      return setup(io);
    }, fake);
  }

  /** Runs code in a handler, and returns its answer as the client receives it. */
  async run(source: string): Promise<unknown> {
    const client = await this.connect();
    await client.join();
    const answers = await client.ask(`21${JSON.stringify(["do", source])}`);
    await client.leave();
    const answer = answers.find((frame) => String(frame).startsWith("431"));
    if (answer === undefined) throw new Error(`no answer to ${source}: ${this.logs.join()}`);
    return JSON.parse(String(answer).slice(3))[0];
  }

  /** The keys of the rows that code in a handler wrote, without their common prefix. */
  async written(source: string): Promise<string[]> {
    this.dataRows.take();
    await this.run(source);
    return this.dataRows.take().map((key) => key.replace(/sio_([de]):1:\/:/, "$1 "));
  }
}

describe.each([
  ["after a nap", (object: FakeObject) => object.sleep()],
  ["after a restart", (object: FakeObject) => object.restart()],
])("io.data %s", (_, pass) => {
  it("has the same plain values at any depth, in the order in which they were added", async () => {
    const object = new DataObject();
    await object.run(
      "data.count = 1; data.list = [{ n: 1 }]; data.games = { b: { moves: [] }, a: { moves: [] } }",
    );
    await object.run("data.count++; data.list[0].n++; data.games.a.moves.push('e4')");
    await pass(object);
    expect(await object.run("return [data.count, data.list, data.games, Object.keys(data.games)]")).toEqual([
      2,
      [{ n: 2 }],
      { b: { moves: [] }, a: { moves: ["e4"] } },
      ["b", "a"],
    ]);
    await object.run("data.games.c = {}; delete data.games.b; delete data.count");
    await pass(object);
    expect(await object.run("return [Object.keys(data.games), data.count ?? null, 'count' in data]")).toEqual(
      [["a", "c"], null, false],
    );
    expect(await object.run("return [Object.keys(data).sort(), { ...data }.list]")).toEqual([
      ["games", "list"],
      [{ n: 2 }],
    ]);
  });

  it("has its Maps, with keys of any storable kind and all methods of a Map", async () => {
    const object = new DataObject();
    await object.run(
      "data.games = new Map([['b', { moves: [] }], [1, { moves: [] }]]); data.games.set('1', 'text')",
    );
    await pass(object);
    await object.run(
      "data.games.get(1).moves.push('e4'); data.games.get('b').at = 5; data.games.set(null, 7)",
    );
    await pass(object);
    const entries = [
      ["b", { moves: [], at: 5 }],
      [1, { moves: ["e4"] }],
      ["1", "text"],
      [null, 7],
    ];
    for (const source of [
      "return [...data.games]",
      "return [...data.games.entries()]",
      "return [...data.games.keys()].map((key) => [key, data.games.get(key)])",
      "const all = []; data.games.forEach((value, key) => all.push([key, value])); return all",
      "const values = [...data.games.values()]; return [...data.games.keys()].map((key, i) => [key, values[i]])",
      "return [...structuredClone(data.games)]",
      "return [...new Map(data.games)]",
    ]) {
      expect(await object.run(source), source).toEqual(entries);
    }
    expect(
      await object.run(
        "return [data.games.delete('b'), data.games.delete('b'), data.games.has(1), data.games.size]",
      ),
    ).toEqual([true, false, true, 3]);
    await pass(object);
    expect(await object.run("return [data.games instanceof Map, data.games.size]")).toEqual([true, 3]);
    await object.run("data.games.clear()");
    await pass(object);
    expect(await object.run("return [data.games instanceof Map, data.games.size]")).toEqual([true, 0]);
  });

  it("has Sets, Dates, bytes and Maps at any depth, with the changes that were made before the handler settled", async () => {
    const object = new DataObject();
    await object.run(
      "data.seen = new Set(['a']); data.at = new Date(0); data.games = { a: { by: new Map([[1, 1]]), b: new Uint8Array(2) } }",
    );
    await pass(object);
    await object.run(
      "data.seen.add('b'); data.at.setTime(5); data.games.a.by.set(2, 2); return Promise.resolve().then(() => { data.games.a.b[1] = 9; })",
    );
    await pass(object);
    expect(
      await object.run("const { by, b } = data.games.a; return [[...data.seen], +data.at, [...by], [...b]]"),
    ).toEqual([
      ["a", "b"],
      5,
      [
        [1, 1],
        [2, 2],
      ],
      [0, 9],
    ]);
  });

  it("has a part of its own for each namespace", async () => {
    const object = new DataObject((io) => {
      io.of("/chat");
    });
    await object.run(
      "io.of('/chat').data.topic = 'a'; data.topic = 'b'; io.of('/chat').data.users = { ann: 1 }",
    );
    await pass(object);
    expect(await object.run("return [io.of('/chat').data, io.data.topic, io.of('/').data.topic]")).toEqual([
      { topic: "a", users: { ann: 1 } },
      "b",
      "b",
    ]);
  });

  it("is replaced when a new value is assigned to all of it", async () => {
    const object = new DataObject();
    await object.run("data.a = 1; data.b = { x: 1 }; io.data = { b: { y: 2 }, c: 3 }");
    await pass(object);
    expect(await object.run("return io.data")).toEqual({ b: { y: 2 }, c: 3 });
  });

  it("may have properties with the names of inherited ones", async () => {
    const object = new DataObject();
    await object.run(
      "data.constructor = 1; data.users = {}; data.users.constructor = { n: 1 }; data.users['__proto__'] = { n: 2 }; data['__proto__'] = 3",
    );
    await pass(object);
    expect(
      await object.run(
        "return [data.constructor, data.users.constructor.n, data.users['__proto__'].n, Object.keys(data).sort(), data.users.toString === Object.prototype.toString]",
      ),
    ).toEqual([1, 1, 2, ["__proto__", "constructor", "users"], true]);
  });
});

describe("the rows of io.data", () => {
  it("are written for each property that a turn changed, and for no other", async () => {
    const object = new DataObject();
    expect(await object.written("data.a = 1; data.b = [1]; data.a = 2")).toEqual(["d a", "d b"]);
    expect(await object.written("data.b.push(2); data.b.push(3)")).toEqual(["d b"]);
    expect(await object.written("data.a = 2; data.b[0] = 1; return data.b.length")).toEqual([]);
    expect(await object.written("delete data.a; delete data.missing")).toEqual(["-d a"]);
    expect(await object.written("data.b = [3]; delete data.b; data.b = [4]")).toEqual(["d b"]);
    expect(await object.written("data.c = 1; delete data.c")).toEqual([]);
  });

  it("are not written again when a handler settles that has changed them after an await", async () => {
    const object = new DataObject((io) => {
      io.data.list = [];
      io.data.at = new Date(0);
    });
    const pause = "await new Promise((resolve) => setImmediate(resolve));";
    expect(
      await object.written(
        `return (async () => { data.list.push(1); data.at.setTime(1); ${pause} data.list.push(2); ${pause} })()`,
      ),
    ).toEqual(["d list", "d list", "d at"]);
    expect(await object.written("data.list.push(3); data.at.setTime(2)")).toEqual(["d list", "d at"]);
    expect(await object.written("return [data.list, data.at]")).toEqual([]);
  });

  it("are written for each changed entry of a Map or of a plain object", async () => {
    const object = new DataObject();
    await object.run("data.games = new Map(); data.users = {}");
    expect(await object.written("data.games.set('a', { moves: [] }); data.games.set('b', {})")).toEqual([
      "e 5:games:string:a",
      "e 5:games:string:b",
    ]);
    expect(await object.written("data.games.get('a').moves.push(1); data.games.get('b')")).toEqual([
      "e 5:games:string:a",
    ]);
    expect(await object.written("data.users.ann = { n: 1 }; data.users.bob = { n: 1 }")).toEqual([
      "e 5:users:string:ann",
      "e 5:users:string:bob",
    ]);
    expect(await object.written("data.users.ann.n++")).toEqual(["e 5:users:string:ann"]);
    expect(await object.written("delete data.users.ann; data.games.delete('a')")).toEqual([
      "-e 5:users:string:ann",
      "-e 5:games:string:a",
    ]);
    expect(await object.written("data.games.delete('b'); data.games.set('b', 1)")).toEqual([
      "e 5:games:string:b",
    ]);
    expect(await object.written("data.games = 5")).toEqual(["-e 5:games:string:b", "d games"]);
    expect(await object.written("delete data.users")).toEqual(["-e 5:users:string:bob", "-d users"]);
    expect([...object.dataRows.list()].map(([key]) => key)).toEqual(["sio_d:1:/:games"]);
  });

  it("are read when their property is read, and no others", async () => {
    const object = new DataObject();
    await object.run("data.games = { a: 1, b: 2 }; data.users = { c: 3 }; data.motd = 'hi'");
    await object.sleep();
    object.dataRows.reads = 0;
    await object.run("return null");
    expect(object.dataRows.reads).toBe(0);
    await object.run("return data.motd");
    expect(object.dataRows.reads).toBe(1);
    await object.run("return data.games.a + data.games.b");
    expect(object.dataRows.reads).toBe(4);
  });

  it("belong to one namespace, whatever its name", async () => {
    const object = new DataObject((io) => {
      io.of("/a");
      io.of("/a:1:b");
    });
    await object.run(
      "io.of('/a').data['1:b:x'] = 1; io.of('/a:1:b').data.x = 2; io.of('/a').data.m = { '1:n': 3 }",
    );
    await object.restart();
    expect(await object.run("return [io.of('/a').data, io.of('/a:1:b').data]")).toEqual([
      { "1:b:x": 1, m: { "1:n": 3 } },
      { x: 2 },
    ]);
  });
});

describe("io.data and the code that changes it", () => {
  it("notices changes at any time, also after an await and in a timer", async () => {
    const object = new DataObject();
    await object.run("data.game = { n: 0 }; data.games = new Map([['a', { n: 0 }]])");
    await object.act((io) => {
      const { game, games } = io.data;
      setImmediate(() => {
        game.n = 1;
        games.get("a").n = 2;
      });
    });
    await object.settle();
    await object.restart();
    expect(await object.run("return [data.game.n, data.games.get('a').n]")).toEqual([1, 2]);
  });

  it("notices changes by way of an object that was just assigned, until its handler has settled", async () => {
    const object = new DataObject();
    await object.run(`
      const game = { n: 0 }, user = { n: 0 }, tags = [];
      data.game = game; data.users = { ann: user }; data.tags = tags;
      game.n++; user.n++; tags.push(1);
      return new Promise((resolve) => setImmediate(() => { game.n++; user.n++; tags.push(2); resolve(); }));
    `);
    await object.restart();
    expect(await object.run("return data")).toEqual({
      game: { n: 2 },
      users: { ann: { n: 2 } },
      tags: [1, 2],
    });
  });

  it("sends the values to a client unchanged", async () => {
    const object = new DataObject();
    await object.run("data.users = { ann: { tags: ['a'] } }; data.list = [{ n: 1 }]");
    expect(
      await object.run("return [data.users, data.users.ann, Object.values(data.users), data.list]"),
    ).toEqual([{ ann: { tags: ["a"] } }, { tags: ["a"] }, [{ tags: ["a"] }], [{ n: 1 }]]);
  });

  it("can be copied with snapshot(), as a whole and in part", async () => {
    const object = new DataObject();
    await object.run(
      "data.users = { ann: { n: 1 } }; data.games = new Map([['a', { moves: [] }]]); data.list = [{}]",
    );
    await object.act((io) => {
      const all = { users: { ann: { n: 1 } }, games: new Map([["a", { moves: [] }]]), list: [{}] };
      expect(structuredClone(snapshot(io.data))).toEqual(all);
      expect(structuredClone(snapshot(io.data.users))).toEqual(all.users);
      expect(structuredClone(snapshot(io.data.games))).toEqual(all.games);
      expect(structuredClone(withoutProxies([io.data, io.data.games, io.data.users.ann]))).toEqual([
        all,
        all.games,
        all.users.ann,
      ]);
    });
  });

  it("ignores changes of values that it does not hold any more", async () => {
    const object = new DataObject();
    await object.run(`
      data.games = new Map([["a", { n: 1 }]]); data.users = { ann: { n: 1 } };
      const { games, users } = data, { ann } = users, game = games.get("a");
      data.games = new Map([["a", { n: 10 }]]); data.users = { ann: { n: 10 } };
      games.set("a", { n: 2 }); games.set("b", 2); game.n = 3; users.ann = 2; users.bob = 2; ann.n = 3;
      delete users.ann; games.delete("a");
    `);
    await object.restart();
    expect(await object.run("return [[...data.games], data.users]")).toEqual([
      [["a", { n: 10 }]],
      { ann: { n: 10 } },
    ]);
    await object.run(`
      const { games, users } = data;
      data.games = new Map([["a", { n: 10 }]]); data.users = { ann: { n: 10 } };
      games.set("a", 5); games.delete("a"); users.ann = 5; delete users.ann;
    `);
    await object.restart();
    expect(await object.run("return [[...data.games], data.users]")).toEqual([
      [["a", { n: 10 }]],
      { ann: { n: 10 } },
    ]);
    await object.run(
      "const { ann } = data.users; delete data.users.ann; ann.n = 4; data.games.set('a', NaN)",
    );
    await object.restart();
    expect(await object.run("return [data.users, Number.isNaN(data.games.get('a'))]")).toEqual([{}, true]);
  });

  it("keeps values that are moved from one place to another", async () => {
    const object = new DataObject();
    await object.run("data.waiting = { a: { n: 1 } }; data.running = {}; data.last = null");
    await object.run(
      "data.running.a = data.waiting.a; delete data.waiting.a; data.last = { was: data.running.a }",
    );
    await object.run("data.running.a.n++");
    await object.restart();
    expect(await object.run("return data")).toEqual({
      last: { was: { n: 1 } },
      running: { a: { n: 2 } },
      waiting: {},
    });
  });

  it("keeps values that cannot be stored for as long as the object is awake, and warns of them once", async () => {
    const object = new DataObject();
    await object.run(
      "data.games = { a: { timer: () => 1, n: 1 } }; data.run = () => 2; data.date = new (class Clock {})()",
    );
    expect(await object.run("data.games.a.n++; return [data.games.a.timer(), data.run()]")).toEqual([1, 2]);
    expect(object.logs).toEqual([
      "warn: io.data.games.a.timer cannot be stored (a function) and is gone once the object has slept; keep plain data there",
      "warn: io.data.run cannot be stored (a function) and is gone once the object has slept; keep plain data there",
      "warn: io.data.date cannot be stored (an instance of Clock) and is gone once the object has slept; keep plain data there",
    ]);
    await object.sleep();
    expect(await object.run("return data")).toEqual({ games: { a: { n: 2 } } });
  });

  it("logs that storage fails, and saves as soon as it works again", async () => {
    const object = new DataObject();
    object.dataRows.isBroken = true;
    await object.run("data.a = 1; data.games = { x: 1 }");
    await object.run("data.a = 2");
    expect(object.logs.filter((log) => log.includes("io.data.a could not be saved"))).toHaveLength(1);
    object.dataRows.isBroken = false;
    await object.run("data.b = 1");
    await object.restart();
    expect(await object.run("return data")).toEqual({ a: 2, b: 1, games: { x: 1 } });
  });
});

describe("what setup assigns to io.data", () => {
  const withDefaults: Setup = (io) => {
    io.data.games = new Map();
    io.data.users = {};
    io.data.count = 0;
    io.data.list = [];
  };

  it("is a default that is not stored, and that stored values override", async () => {
    const object = new DataObject(withDefaults);
    expect(await object.run("return [data.games.size, data.users, data.count, data.list]")).toEqual([
      0,
      {},
      0,
      [],
    ]);
    expect([...object.dataRows.list()]).toEqual([]);
    expect(await object.written("data.users.ann = 1; data.count++")).toEqual([
      "d users",
      "e 5:users:string:ann",
      "d count",
    ]);
    await object.run("data.games.set('a', 1); data.list.push(1)");
    for (const pass of [() => object.sleep(), () => object.restart()]) {
      await pass();
      expect(await object.run("return [[...data.games], data.users, data.count, data.list]")).toEqual([
        [["a", 1]],
        { ann: 1 },
        1,
        [1],
      ]);
    }
    expect(await object.written("data.users.bob = 1; data.count++")).toEqual([
      "e 5:users:string:bob",
      "d count",
    ]);
  });

  it("may be kept in a variable of the setup function, and changed through it", async () => {
    const object = new FakeObject((io) => {
      // biome-ignore-start lint/suspicious/noAssignInExpressions: this is how it is written
      const games: Map<string, Game> = (io.data.games ??= new Map());
      const users: Record<string, { n: number }> = (io.data.users ??= {});
      const log: string[] = (io.data.log ??= []);
      // biome-ignore-end lint/suspicious/noAssignInExpressions: from here on as usual
      io.on("connection", (socket) => {
        socket.on("add", (id: string) => {
          games.set(id, { moves: [] });
          users[id] = { n: 0 };
          log.push(id);
        });
        socket.on("change", (id: string) => {
          games.get(id)?.moves.push("e4");
          users[id]!.n++;
        });
        socket.on("show", (ack) => ack([...games], users, log));
      });
    });
    const client = await object.connect();
    await client.join();
    client.take();
    await client.send('2["add","a"]');
    await client.send('2["change","a"]');
    const expected = '431[[["a",{"moves":["e4"]}]],{"a":{"n":1}},["a"]]';
    expect(await client.ask('21["show"]')).toEqual([expected]);
    await object.sleep();
    expect(await client.ask('21["show"]')).toEqual([expected]);
    await client.send('2["add","b"]');
    await client.send('2["change","b"]');
    await object.sleep();
    expect(await client.ask('21["show"]')).toEqual([
      '431[[["a",{"moves":["e4"]}],["b",{"moves":["e4"]}]],{"a":{"n":1},"b":{"n":1}},["a","b"]]',
    ]);
  });

  it("is compared with what setup may have changed by a reference of its own, as long as it is small", async () => {
    const object = new FakeObject((io) => {
      const [list, users]: [string[], Record<string, number>] = [[], {}];
      io.data.list = list;
      io.data.users = users;
      io.data.log = [];
      io.on("connection", (socket) => {
        socket.on("add", (count: number) => {
          for (let i = 0; i < count; i++) {
            list.push("0123456789");
            users[`user ${list.length}`] = i;
            io.data.log.push("0123456789");
          }
        });
        socket.on("show", (ack) =>
          ack(io.data.list.length, Object.keys(io.data.users).length, io.data.log.length),
        );
      });
    });
    const client = await object.connect();
    await client.join();
    client.take();
    await client.send('2["add",500]');
    await client.send('2["add",600]');
    await client.send('2["add",0]');
    expect(object.logs).toEqual([
      "error: io.data.users is too large by now to notice changes of the object that was assigned to it; change io.data.users itself",
      "error: io.data.list is too large by now to notice changes of the object that was assigned to it; change io.data.list itself",
    ]);
    await object.sleep();
    expect(await client.ask('21["show"]')).toEqual(["431[1100,1100,1100]"]);
  });

  it("may be built up and taken apart before it is stored", async () => {
    const object = new DataObject((io) => {
      io.data.users = { ann: { n: 1 }, bob: { n: 1 } };
      const { users } = io.data;
      delete users.bob;
      users.cat = { n: 2 };
      io.data.games = new Map([["a", 1]]);
      const { games } = io.data;
      games.delete("a");
      io.data.games = games;
      games.set("b", 2);
    });
    const expected = [{ ann: { n: 2 }, cat: { n: 2 } }, [["b", 2]]];
    expect(await object.run("data.users.ann.n++; return [data.users, [...data.games]]")).toEqual(expected);
    await object.restart();
    expect(await object.run("return [data.users, [...data.games]]")).toEqual(expected);
  });

  it("may add properties to stored objects that lack them", async () => {
    let version = 1;
    const object = new DataObject((io) => {
      io.data.settings = { volume: 1 };
      if (version === 2) io.data.settings.theme ??= "dark";
      if (version === 2) io.data.settings.volume = 9;
    });
    await object.run("data.settings.volume = 5");
    version = 2;
    await object.restart();
    expect(await object.run("return data.settings")).toEqual({ volume: 5, theme: "dark" });
  });

  it("adds no items to stored arrays, to which each instance would add them again", async () => {
    const object = new DataObject((io) => {
      io.data.rooms ??= [];
      io.data.rooms.push("lobby", "quiet");
      io.data.config ??= { tags: [] };
      io.data.config.tags.push("new");
    });
    await object.run("data.rooms.push('late'); data.config.tags.push('late')");
    for (const pass of [() => object.sleep(), () => object.restart()]) {
      await pass();
      expect(await object.run("return [data.rooms, data.config.tags]")).toEqual([
        ["lobby", "quiet", "late"],
        ["new", "late"],
      ]);
    }
  });

  it("changes with a new version of the code unless a value was stored", async () => {
    let motd = "first";
    const object = new DataObject((io) => {
      io.data.motd = motd;
    });
    expect(await object.run("return data.motd")).toBe("first");
    motd = "second";
    await object.restart();
    expect(await object.run("return data.motd")).toBe("second");
  });

  it("may be deleted, and is a default again afterwards", async () => {
    const object = new DataObject(withDefaults);
    expect(await object.run("delete data.users; return [data.users ?? null, 'users' in data]")).toEqual([
      null,
      false,
    ]);
    await object.run("data.count = 5; delete data.count");
    await object.restart();
    expect(await object.run("return [data.users, data.count]")).toEqual([{}, 0]);
  });
});

describe("io.data in a replay of connection listeners", () => {
  const setup: Setup = (io) => {
    io.data.users = {};
    io.data.seats = new Map();
    io.on("connection", (socket) => {
      io.data.visits = (io.data.visits ?? 0) + 1;
      io.data.users[socket.id] ??= { score: 0 };
      io.data.users[socket.id].score += 10;
      io.data.seats.set(socket.id, { taken: 1 });
      io.data.seats.get(socket.id).taken += 1;
      io.data.fresh ??= { of: socket.id };
      delete io.data.doomed;
      socket.on("show", (ack) => {
        const { visits, fresh } = io.data;
        ack(
          visits,
          Object.values(io.data.users),
          [...io.data.seats.values()],
          fresh !== undefined,
          io.data.doomed,
        );
      });
      socket.on("clear", () => {
        for (const id of Object.keys(io.data.users)) delete io.data.users[id];
        io.data.seats.clear();
        delete io.data.fresh;
        io.data.doomed = "stays";
      });
    });
  };

  it.each([true, false])(
    "does not change, since the listener changed it the first time (async context %s)",
    async (hasAsyncContext) => {
      const object = new FakeObject(setup, { hasAsyncContext });
      const client = await object.connect();
      await client.join();
      client.take();
      const first = '431[1,[{"score":10}],[{"taken":2}],true,null]';
      expect(await client.ask('21["show"]')).toEqual([first]);
      object.dataRows.take();
      await object.sleep();
      expect(await client.ask('21["show"]')).toEqual([first]);
      expect(object.dataRows.take()).toEqual([]);
      await client.send('2["clear"]');
      await object.sleep();
      expect(await client.ask('21["show"]')).toEqual(['431[1,[],[],false,"stays"]']);
      expect(object.logs).toEqual([]);
    },
  );
});

describe("without hibernation", () => {
  it("io.data survives a restart as well, with its changes", async () => {
    const object = new DataObject(
      (io) => {
        io.data.users ??= {};
        io.data.count = 0;
      },
      { hibernation: false },
    );
    await object.run("data.users.ann = { n: 1 }; data.count = 3");
    await object.run("data.users.ann.n++");
    await object.restart();
    expect(await object.run("return [data.users, data.count]")).toEqual([{ ann: { n: 2 } }, 3]);
  });
});

describe("dynamic namespaces and their data", () => {
  const setup: Setup = (io) => {
    io.of(/^\/game-\d+$/).on("connection", (socket) => {
      socket.nsp.data.moves ??= [];
      socket.on("move", (move: string) => socket.nsp.data.moves.push(move));
      socket.on("show", (ack) => ack(socket.nsp.data.moves));
    });
  };
  const rows = (object: FakeObject) => [...object.dataRows.list()].map(([key]) => key);

  it("survive together, so that a child that is created again finds its data", async () => {
    const object = new FakeObject(setup);
    const client = await object.connect({ transport: "polling" });
    await client.join("/game-1");
    client.take();
    await client.send('2/game-1,["move","e4"]');
    await object.restart();
    expect(await client.ask('2/game-1,1["show"]')).toEqual(['43/game-1,1[["e4"]]']);
    await client.leave();
    const other = await object.connect();
    await other.join("/game-1");
    expect(await other.ask('2/game-1,1["show"]')).toContain('43/game-1,1[["e4"]]');
  });

  it("are removed together when the last socket leaves, with cleanupEmptyChildNamespaces", async () => {
    const object = new FakeObject(setup, { options: { cleanupEmptyChildNamespaces: true } });
    const [one, two] = [await object.connect(), await object.connect()];
    await one.join("/game-1");
    await one.send('2/game-1,["move","e4"]');
    await two.join("/game-2");
    await two.send('2/game-2,["move","d4"]');
    expect(rows(object)).toEqual(["sio_d:7:/game-1:moves", "sio_d:7:/game-2:moves", "sio_x"]);
    await one.leave();
    expect(rows(object)).toEqual(["sio_d:7:/game-2:moves", "sio_x"]);
    await one.leave();
  });

  it("are removed some minutes after a restart after which no client has reconnected", async () => {
    const object = new FakeObject(setup, { options: { cleanupEmptyChildNamespaces: true } });
    const [one, two] = [await object.connect(), await object.connect({ transport: "polling" })];
    await one.join("/game-1");
    await one.send('2/game-1,["move","e4"]');
    await two.join("/game-2");
    await two.send('2/game-2,["move","d4"]');
    two.take();
    const asked = object.tickAt;
    expect(asked).toBe(object.clock.now + 300_000);
    await object.restart();
    await object.act(() => {});
    object.clock.now = asked - 1;
    object.tickData();
    expect(rows(object)).toHaveLength(3);
    object.clock.now = asked;
    object.tickData();
    await object.settle();
    expect(rows(object)).toEqual(["sio_d:7:/game-2:moves", "sio_x"]);
    expect(await two.ask('2/game-2,1["show"]')).toEqual(['43/game-2,1[["d4"]]']);
  });

  it("do not include data of the parent, whose error says where it is", async () => {
    const object = new FakeObject((io) => {
      expect(() => io.of(/x/).data).toThrow("socket.nsp.data");
    });
    await object.ready();
  });
});

describe("data that expires", () => {
  const options = { dataTtl: { games: 3_600_000, code: 60_000, users: Infinity } };

  it("is removed entry by entry when it has not changed for that time, asleep or awake", async () => {
    const object = new DataObject(() => {}, { options });
    const start = object.clock.now;
    await object.run("data.games = { a: { n: 0 }, b: { n: 0 } }; data.code = 1234; data.users = { ann: 1 }");
    expect(object.tickAt).toBe(start + 60_000);
    object.clock.now = start + 60_001;
    object.tickData();
    await object.settle();
    expect(await object.run("return [data.code ?? null, data.games]")).toEqual([
      null,
      { a: { n: 0 }, b: { n: 0 } },
    ]);
    object.clock.now = start + 3_000_000;
    await object.run("data.games.a.n++");
    await object.sleep();
    await object.act(() => {});
    object.clock.now = start + 3_600_001;
    expect(object.nextDataTick()).toBe(start + 3_600_000);
    object.tickData();
    await object.settle();
    await object.sleep();
    expect(await object.run("return data")).toEqual({ games: { a: { n: 1 } }, users: { ann: 1 } });
    object.clock.now = start + 7_000_000;
    object.tickData();
    await object.settle();
    expect(await object.run("return data")).toEqual({ games: {}, users: { ann: 1 } });
    object.clock.now = start + 9_000_000;
    object.tickData();
    expect(object.nextDataTick()).toBe(Number.POSITIVE_INFINITY);
  });

  it("is not returned when it is read after that time, and stays when it is assigned again", async () => {
    const object = new DataObject(() => {}, { options });
    await object.run("data.code = 1; data.games = new Map([['a', 1], ['b', 2]])");
    object.clock.now += 3_000_000;
    await object.run("data.games.set('a', 1)");
    await object.sleep();
    object.clock.now += 3_000_000;
    expect(await object.run("return [data.code ?? null, [...data.games]]")).toEqual([null, [["a", 1]]]);
    expect(await object.run("return Object.keys(data)")).toEqual(["games"]);
    await object.settle();
    expect([...object.dataRows.list()].map(([key]) => key)).toEqual([
      "sio_d:1:/:games",
      "sio_e:1:/:5:games:string:a",
      "sio_x",
    ]);
  });

  it("includes what was stored before there was a time to live, once that is read", async () => {
    const fake: FakeOptions = { options: {} };
    const object = new DataObject(() => {}, fake);
    await object.run("data.games = { a: 1 }; data.code = 1");
    object.clock.now += 50_000;
    fake.options = { dataTtl: 3_600_000 };
    await object.restart();
    await object.run("return [data.games, data.code]");
    expect(object.nextDataTick()).toBeLessThanOrEqual(object.clock.now + 3_600_000);
    object.clock.now += 3_600_000;
    object.tickData();
    await object.settle();
    expect([...object.dataRows.list()].map(([key]) => key)).toEqual(["sio_d:1:/:games"]);
  });

  it("is what setup had assigned when it has expired, without what was changed in it since", async () => {
    const object = new DataObject(
      (io) => {
        io.data.code = ["default"];
        io.data.count = 0;
      },
      { options: { dataTtl: 60_000 } },
    );
    for (const _ of [1, 2]) {
      expect(await object.run("data.code.push('added'); data.count++; return data")).toEqual({
        code: ["default", "added"],
        count: 1,
      });
      object.clock.now += 120_001;
      object.tickData();
      await object.settle();
    }
    expect(await object.run("return data")).toEqual({ code: ["default"], count: 0 });
  });

  it("may be all data, by one number for the option", async () => {
    const object = new DataObject(() => {}, { options: { dataTtl: 1_000 } });
    await object.run("data.a = 1; data.b = { c: 1 }");
    await object.sleep();
    object.clock.now += 1_001;
    expect(await object.run("return [data.a ?? null, data.b]")).toEqual([null, {}]);
  });
});

describe("the bounds of io.data", () => {
  it("are 2 MB for each row: a larger value is not saved, which is logged once with the cure", async () => {
    const object = new DataObject();
    await object.run("data.games = { a: { text: 'small' } }; data.list = ['small']");
    await object.run("data.games.a.text = 'x'.repeat(2_000_000); data.list.push('y'.repeat(2_000_000))");
    await object.run("data.games.a.n = 1; data.other = 1");
    expect(object.logs).toEqual([
      "error: io.data.games.a takes more than 2 MB and is not saved; split it into entries",
      "error: io.data.list takes more than 2 MB and is not saved; split it into entries",
    ]);
    await object.run("data.list = ['fits']");
    await object.restart();
    expect(await object.run("return data")).toEqual({
      games: { a: { text: "small" } },
      list: ["fits"],
      other: 1,
    });
  });

  it("are maxDataBytes in total: beyond it nothing is saved, and adding something throws", async () => {
    const object = new DataObject(() => {}, { options: { maxDataBytes: 10_000 } });
    await object.run("data.games = {}; for (let i = 0; i < 8; i++) data.games[i] = 'x'.repeat(1_000)");
    expect(object.logs).toEqual([]);
    await object.sleep();
    await object.run("data.games.large = 'x'.repeat(2_000)");
    expect(object.logs).toEqual([
      "error: io.data.games.large is not saved, since io.data has reached maxDataBytes (10000); remove what is no longer needed, let it expire (dataTtl), or raise maxDataBytes",
    ]);
    for (const source of ["data.games.more = 1", "data.more = 1"]) {
      expect(await object.run(`try { ${source} } catch (error) { return error.message }`), source).toContain(
        "has reached maxDataBytes (10000)",
      );
    }
    await object.run("delete data.games[0]; delete data.games[1]; delete data.games[2]");
    await object.run("data.after = 1");
    await object.restart();
    expect(
      await object.run("return [Object.keys(data.games).length, data.games.large.length, data.after]"),
    ).toEqual([6, 2_000, 1]);
  });

  it("are free again, as is memory, when what was too large is deleted", async () => {
    const object = new DataObject(() => {}, { options: { maxDataBytes: 10_000 } });
    await object.run("data.games = { a: 'x'.repeat(9_300) }");
    await object.run("data.list = ['x'.repeat(2_000_000)]; data.games.large = 'x'.repeat(2_000)");
    expect(object.logs).toHaveLength(2);
    await object.run("delete data.list; delete data.games.large");
    await object.run("data.games.b = 1; data.more = 1");
    await object.restart();
    expect(await object.run("return [Object.keys(data.games), data.more]")).toEqual([["a", "b"], 1]);
  });

  it("include the keys of entries, and what each row takes by itself", async () => {
    for (const source of [
      "for (let i = 0; i < 200; i++) data.scores[i] = i",
      "for (let i = 0; i < 10; i++) data.scores[i + 'x'.repeat(1_500)] = i",
    ]) {
      const object = new DataObject(() => {}, { options: { maxDataBytes: 10_000 } });
      await object.run("data.scores = {}");
      await object.run(source);
      expect(object.logs.join()).toContain("has reached maxDataBytes (10000)");
      expect(
        await object.run("try { data.scores.more = 1 } catch (error) { return error.message }"),
      ).toContain("has reached maxDataBytes (10000)");
    }
  });

  it("include what earlier instances have stored, whether it was read or not", async () => {
    const object = new DataObject(() => {}, { options: { maxDataBytes: 200_000 } });
    for (let i = 0; i < 6; i++) {
      await object.run(`(data.games ??= {})[${i}] = 'x'.repeat(30_000)`);
      await object.sleep();
    }
    await object.run("data.list = ['x'.repeat(60_000)]");
    expect(object.logs.join()).toContain("io.data.list is not saved, since io.data has reached maxDataBytes");
  });

  it("are 2,000 bytes of valid text for a key", async () => {
    const object = new DataObject();
    for (const source of [
      "data['x'.repeat(3_000)] = 1",
      "data.users = {}; data.users['x'.repeat(3_000)] = 1",
      "data.map = new Map(); data.map.set('\\ud800', 1)",
      "data.users['é'.repeat(1_500)] = 1",
    ]) {
      expect(await object.run(`try { ${source} } catch (error) { return error.message }`), source).toMatch(
        /^io.data cannot store the key "/,
      );
    }
    await object.run("data.users['é'.repeat(900)] = 1; data.map.set({}, 1)");
    await object.restart();
    expect(await object.run("return [Object.values(data.users), data.map.size]")).toEqual([[1], 0]);
  });

  it("do not make each turn try again what is too large", async () => {
    const object = new DataObject(() => {}, { options: { maxDataBytes: 10_000 } });
    let reads = 0;
    await object.act((io) => {
      const count = { get: () => ++reads, enumerable: true };
      io.data.large = { all: Object.defineProperty({ text: "x".repeat(2_000_000) }, "count", count) };
      io.data.small = { all: Object.defineProperty({ text: "x".repeat(20_000) }, "count", count) };
    });
    const before = reads;
    await object.run("data.n = 1");
    await object.run("data.n = 2");
    expect(reads).toBe(before);
    await object.run("data.small.all.text = 'fits'; data.shared = { get now() { return 5; } }");
    await object.restart();
    expect(await object.run("return [data.small.all.text, data.large, data.shared]")).toEqual([
      "fits",
      {},
      { now: 5 },
    ]);
  });

  it("can be asked for any key, whoever has chosen it", async () => {
    const object = new DataObject();
    await object.run("data.users = {}; data.map = new Map()");
    expect(
      await object.run(
        "return ['x'.repeat(5_000), '\\ud800', '__proto__'].map((key) => [key in data, data.users[key] === undefined, data.map.has(key), delete data.users[key]])",
      ),
    ).toEqual([
      [false, true, false, true],
      [false, true, false, true],
      [true, false, false, true],
    ]);
  });

  it("exclude freezing all of it", async () => {
    const object = new DataObject();
    expect(
      await object.run(
        "data.a = 1; try { Object.freeze(data) } catch (error) { return [error.name, Object.keys(data)] }",
      ),
    ).toEqual(["TypeError", ["a"]]);
  });

  it("exclude getters", async () => {
    const object = new DataObject();
    expect(
      await object.run(
        "try { Object.defineProperty(data, 'x', { get: () => 1 }) } catch (error) { return error.message }",
      ),
    ).toContain("assign plain data");
  });
});
