import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DiskRows } from "../../src/objects/storage/disk-rows.ts";
import { TestObject } from "./support.ts";
import { TalkObject } from "./talk.ts";

/** Without hibernation a timer is renewed while a client is connected; here it runs when a test says so. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("hibernation: false", () => {
  it("stores nothing, whatever happens", async () => {
    const object = new TestObject("awake rows", "AWAKE");
    const polling = await object.openPolling();
    await polling.post("4queued");
    const socket = await object.openSocket();
    await socket.echo("hello");
    expect(await object.rows()).toEqual(new Map());
    expect(await object.roles()).toEqual([]);
    expect(await polling.poll()).toBe("4queued");
  });

  it("keeps a timer pending while a client is connected, and none after that", async () => {
    const object = new TestObject("awake timer", "AWAKE");
    const socket = await object.openSocket();
    expect(vi.getTimerCount()).toBe(1);
    await object.run(() => vi.advanceTimersByTime(20_000));
    expect(vi.getTimerCount()).toBe(1);
    socket.socket.close(1000);
    await socket.closed;
    await object.run(() => vi.advanceTimersByTime(5_000));
    expect(vi.getTimerCount()).toBe(0);
  });

  it("starts that timer again for the next client that connects", async () => {
    const object = new TestObject("awake again", "AWAKE");
    const first = await object.openSocket();
    first.socket.close(1000);
    await first.closed;
    await object.run(() => vi.advanceTimersByTime(5_000));
    await object.openSocket();
    expect(vi.getTimerCount()).toBe(1);
  });

  it("ends sessions with the instance, as on Node, and replays no listeners in the next one", async () => {
    const object = new TestObject("awake ends", "AWAKE");
    const polling = await object.openPolling();
    await object.run((_, ctx) => ctx.abort("restarted")).catch(() => {});
    expect(await polling.poll()).toBe('400 {"code":1,"message":"Session ID unknown"}');
    await object.openPolling();
    expect(object.journal.filter((line) => !line.startsWith("refused"))).toEqual([
      "setup",
      "connection",
      "setup",
      "connection",
    ]);
  });

  it("recovers from memory a client that reconnects to the same instance", async () => {
    let instances = 0;
    const object = new TalkObject(
      "awake recovery",
      (io) => {
        const instance = ++instances;
        let count = 0;
        io.on("connection", (socket) => {
          socket.data.list ??= [];
          socket.on("add", (ack) => {
            socket.data.list.push(++count);
            ack(instance, socket.recovered, socket.data.list);
          });
        });
      },
      "CLOSURE",
    );
    const first = await object.connect();
    const [connected] = await first.join();
    const { sid, pid } = JSON.parse(connected!.slice(2)) as { sid: string; pid: string };
    await object.act((io) => void io.emit("hello"));
    const { 1: offset } = JSON.parse((await first.hear()).slice(2)) as string[];
    await first.ask("add");
    await object.act((io) => void io.emit("missed"));
    await first.say("1");
    const back = await object.connect();
    const heard = await back.join("/", { pid, offset });
    expect(heard[0]).toMatch(/^42\["missed","[0-9a-z]{12}"\]$/);
    expect(back.id).toBe(sid);
    expect(await back.ask("add")).toEqual(["43[1,true,[1,2]]"]);
    expect(await object.rows()).toEqual(new Map());
    await object.run((_, ctx) => ctx.abort("restarted")).catch(() => {});
    const late = await object.connect();
    await late.join("/", { pid, offset });
    expect(late.id).not.toBe(sid);
    expect(await late.ask("add")).toEqual(["43[2,false,[1]]"]);
  });

  it("removes at the first tick what a deploy with hibernation has stored", async () => {
    const before = new TalkObject("awake before", () => {}, "RECOVER");
    const polling = await before.join("polling");
    const socket = await before.join();
    await before.act((io) => {
      io.sockets.sockets.get(socket.id)!.data.text = "x".repeat(20_000);
      io.emit("logged");
    });
    await vi.waitFor(async () => expect(await before.sessionRows()).toHaveLength(3));
    const rows = await before.rows();
    const kinds = new Set([...rows.keys()].map((key) => key.split(":")[0]));
    expect(kinds).toEqual(new Set(["sio_l", "sio_meta", "sio_o", "sio_r", "sio_rows", "sio_s"]));
    const object = new TalkObject("awake after", () => {}, "CLOSURE");
    await object.run((_, { storage }) => {
      for (const [key, value] of rows) if (!key.startsWith("sio_rows:")) storage.kv.put(key, value);
      new DiskRows(storage.sql).append(polling.sid, "queue", ["4unread"]);
      return storage.setAlarm(Date.now() + 22_500);
    });
    expect(await object.fetch({ op: "poll", sid: polling.sid }).then((it) => it.status)).toBe(400);
    expect(await runDurableObjectAlarm(object.stub)).toBe(true);
    expect(await object.rows()).toEqual(new Map());
    expect(await object.run((_, { storage }) => storage.getAlarm())).toBe(null);
  });

  it("counts pongs at the next tick, since the runtime answers them", async () => {
    const object = new TestObject("awake pong", "AWAKE");
    const socket = await object.openSocket();
    socket.socket.send("3");
    await socket.expect("6");
    expect(object.journal).not.toContain("heartbeat");
    expect(await runDurableObjectAlarm(object.stub)).toBe(true);
    expect(object.journal).toContain("heartbeat");
  });
});
