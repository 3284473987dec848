import { runDurableObjectAlarm } from "cloudflare:test";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Clock } from "./clock.ts";
import { type PollingClient, TestObject } from "./support.ts";
import { TalkObject } from "./talk.ts";

/**
 * Every row that the library writes, one entry each: `put sio_s`, `delete sio_s`, `put sio_rows`, `alarm`. Objects of
 * one isolate share prototypes.
 */
const written: string[] = [];
/** The number of characters that were written to rows of the library's table. */
let lettersWritten = 0;
let restore = () => {};

beforeAll(async () => {
  await new TestObject("rows").run((_, ctx) => {
    const kv = Object.getPrototypeOf(ctx.storage.kv) as SyncKvStorage;
    const storage = Object.getPrototypeOf(ctx.storage) as DurableObjectStorage;
    const { put, delete: remove } = kv;
    const { setAlarm } = storage;
    kv.put = function (key, value) {
      written.push(`put ${key.split(":")[0]}`);
      return put.call(this, key, value);
    };
    kv.delete = function (key) {
      const existed = remove.call(this, key);
      if (existed) written.push(`delete ${key.split(":")[0]}`);
      return existed;
    };
    const sql = Object.getPrototypeOf(ctx.storage.sql) as SqlStorage;
    const { exec } = sql;
    sql.exec = function <T extends Record<string, SqlStorageValue>>(
      query: string,
      ...values: SqlStorageValue[]
    ) {
      const cursor = exec.call(this, query, ...values);
      if (/^(INSERT|DELETE)/.test(query)) {
        const kind = query.startsWith("INSERT") ? "put" : "delete";
        for (let i = 0; i < cursor.rowsWritten; i++) written.push(`${kind} sio_rows`);
        for (const value of values) if (typeof value === "string") lettersWritten += value.length;
      }
      return cursor as SqlStorageCursor<T>;
    };
    storage.setAlarm = function (time, options) {
      written.push("alarm");
      return setAlarm.call(this, time, options);
    };
    restore = () => {
      kv.put = put;
      kv.delete = remove;
      sql.exec = exec;
      storage.setAlarm = setAlarm;
    };
  });
});
afterAll(() => restore());
beforeEach(() => {
  written.length = 0;
});

/** Returns what was written since the last call, when everything has settled. */
async function rows(object: TestObject): Promise<string[]> {
  await object.run(async (_, ctx) => {
    await ctx.storage.getAlarm();
    await ctx.storage.sync();
  });
  return written.splice(0);
}

/** An object that has run before, so that its meta row and its alarm exist. */
async function used(name: string): Promise<TestObject> {
  const object = new TestObject(name);
  await object.openSocket();
  expect((await rows(object)).sort()).toEqual(["alarm", "put sio_meta"]);
  return object;
}

describe.each(["awake", "asleep"])("rows written, in an object that is %s between events:", (state) => {
  const between = (object: TestObject) => (state === "asleep" ? object.sleep() : Promise.resolve());

  it("none for a WebSocket that connects, talks and leaves", async () => {
    const object = await used(`rows socket ${state}`);
    await between(object);
    const client = await object.openSocket();
    for (let i = 0; i < 10; i++) {
      await between(object);
      await client.echo(`${i}`);
    }
    await between(object);
    client.socket.close(1000);
    await client.closed;
    expect(await rows(object)).toEqual([]);
  });

  it("at most 3 for a client that connects by polling and upgrades", async () => {
    const object = await used(`rows upgrade ${state}`);
    await between(object);
    const client = await object.openPolling();
    await between(object);
    const socket = await client.upgrade();
    await socket.echo("hello");
    expect(await rows(object)).toEqual(["put sio_s", "delete sio_s"]);
  });

  it("none for a message to a waiting poll", async () => {
    const object = await used(`rows poll ${state}`);
    const client = await object.openPolling();
    if (state === "asleep") {
      await object.sleep();
      await client.poll();
    }
    await rows(object);
    for (let i = 0; i < 5; i++) {
      const { payload } = await client.park();
      await between(object);
      await client.post(`4${i}`);
      expect(await payload).toBe(`4${i}`);
    }
    expect(await rows(object)).toEqual([]);
  });

  it("2 for everything of one turn that is queued between two polls", async () => {
    const object = await used(`rows queue ${state}`);
    const client = await object.openPolling();
    await rows(object);
    await between(object);
    await client.post("4one\x1e4two\x1e4three");
    await between(object);
    await client.poll();
    expect(await rows(object)).toEqual(["put sio_rows", "delete sio_rows"]);
  });

  it("one per client that does not poll for what a turn sends, of the size of what is new, however much waits", async () => {
    const object = await used(`rows unread ${state}`);
    const clients: PollingClient[] = [];
    for (let i = 0; i < 20; i++) clients.push(await object.openPolling());
    const sendAll = (text: string) =>
      object.run((instance) => {
        for (const session of Object.values(instance.engine.clients)) session.send(text);
      });
    for (let i = 0; i < 5; i++) await sendAll("x".repeat(100_000));
    for (let i = 0; i < 3; i++) {
      await rows(object);
      await between(object);
      lettersWritten = 0;
      await sendAll("y".repeat(20_000));
      expect(await rows(object)).toEqual(clients.map(() => "put sio_rows"));
      expect(lettersWritten).toBeLessThan(clients.length * 20_100);
    }
  });

  it("one per tick for the alarm, and one for counts that changed, however many sessions sleep or wait", async () => {
    const clock = new Clock();
    const object = await used(`rows tick ${state}`);
    await clock.attach(object);
    const client = await object.openPolling();
    const { payload } = await client.park();
    for (let i = 0; i < 4; i++) await object.openSocket();
    await rows(object);
    clock.set(22_500);
    await between(object);
    await runDurableObjectAlarm(object.stub);
    // The counts of an instance that has done something since the last tick are stored.
    expect(await rows(object)).toEqual(state === "awake" ? ["put sio_tally", "alarm"] : ["alarm"]);
    clock.stop();
    await client.post("1");
    expect(await payload).toBe("6");
  });

  it("none for a poll that is handed back to be pinged, and none for the pong", async () => {
    const object = await used(`rows ping ${state}`);
    const client = await object.openPolling();
    await rows(object);
    for (let i = 0; i < 3; i++) {
      const response = await object.fetch({ op: "poll", sid: client.sid });
      const channel = response.webSocket!;
      channel.accept();
      const closed = new Promise((resolve) => channel.addEventListener("close", resolve));
      await between(object);
      channel.close(4001);
      await closed;
      expect(await client.post("3")).toBe("200 ok");
    }
    expect(await rows(object)).toEqual([]);
  });

  it("one for a session that leaves while it polls", async () => {
    const object = await used(`rows leave ${state}`);
    const client = await object.openPolling();
    await rows(object);
    await between(object);
    await client.post("1");
    expect(await rows(object)).toEqual(["delete sio_s"]);
  });
});

describe.each(["awake", "asleep"])("rows of Socket.IO, in an object that is %s between events:", (state) => {
  const between = (object: TestObject) => (state === "asleep" ? object.sleep() : Promise.resolve());

  it("3 for a client that polls, joins and upgrades", async () => {
    const object = new TalkObject(`rows join ${state}`, (io) => {
      io.on("connection", (socket) => {
        socket.on("echo", (text, done) => done(text));
      });
    });
    await object.join();
    expect((await rows(object)).sort()).toEqual(["alarm", "put sio_meta"]);
    const client = await object.openPolling();
    await between(object);
    if (state === "asleep") await client.poll();
    const { payload } = await client.park();
    await between(object);
    expect(await client.post("40")).toBe("200 ok");
    expect(await payload).toMatch(/^40{"sid":/);
    await between(object);
    const socket = await client.upgrade();
    expect(await socket.echo('21["echo","hello"]')).toBe('431["hello"]');
    expect(await rows(object)).toEqual(["put sio_s", "put sio_s", "delete sio_s"]);
  });

  it("one per change of data that does not fit an attachment, and none for pings and messages", async () => {
    const object = new TalkObject(`rows large ${state}`, (io) => {
      io.on("connection", (socket) => {
        socket.on("keep", (size, done) => {
          socket.data.text = "x".repeat(size);
          done();
        });
        socket.on("kept", (done) => done(socket.data.text.length));
      });
    });
    const clock = new Clock();
    await clock.attach(object);
    const client = await object.join();
    await rows(object);
    for (const size of [20_000, 30_000]) {
      await between(object);
      expect(await client.ask("keep", size)).toEqual(["43[]"]);
      expect(await rows(object)).toEqual(["put sio_o"]);
    }
    for (const ms of [22_500, 45_000]) {
      clock.set(ms);
      await between(object);
      await runDurableObjectAlarm(object.stub);
      await client.live();
      expect(await rows(object)).toEqual(state === "awake" ? ["put sio_tally", "alarm"] : ["alarm"]);
      await between(object);
      expect(await client.ask("kept")).toEqual(["43[30000]"]);
      expect(await rows(object)).toEqual([]);
    }
    await between(object);
    expect(await client.ask("keep", 10)).toEqual(["43[]"]);
    expect(await rows(object)).toEqual(["delete sio_o"]);
    await between(object);
    expect(await client.ask("kept")).toEqual(["43[10]"]);
    clock.stop();
  });

  it("one per turn that sends, with recovery on, and one more for the first event to a client", async () => {
    const object = new TalkObject(
      `rows recovery ${state}`,
      (io) => {
        io.on("connection", (socket) => {
          socket.on("ten", () => {
            for (let i = 0; i < 10; i++) socket.emit("number", i);
          });
        });
      },
      "RECOVER",
    );
    const client = await object.join();
    expect((await rows(object)).sort()).toEqual(["alarm", "put sio_meta", "put sio_r"]);
    for (let turn = 0; turn < 2; turn++) {
      await between(object);
      await client.say('42["ten"]');
      for (let i = 0; i < 10; i++) expect(await client.hear()).toContain(`["number",${i},`);
      expect(await rows(object)).toEqual(["put sio_l"]);
    }
  });
});

it("no rows are written for requests of sessions that do not exist", async () => {
  const object = await used("rows nobody");
  for (const op of ["poll", "post", "upgrade", "other"] as const) {
    const answer = await object.fetch({ op, sid: "nobody" }, op === "post" ? "4hello" : undefined);
    expect(await answer.text()).toContain("Session ID unknown");
  }
  expect(await rows(object)).toEqual([]);
});
