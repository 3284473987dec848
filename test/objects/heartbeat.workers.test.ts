import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Clock } from "./clock.ts";
import { RS, type SocketClient, TestObject } from "./support.ts";

let clock: Clock;
const at = (ms: number) => clock.set(ms);
const time = (ms: number) => clock.start + ms;

/** Runs the object's alarm as if its time had come. */
const alarm = async (object: TestObject) => expect(await runDurableObjectAlarm(object.stub)).toBe(true);
/** The time for which the object's alarm is set, in ms after the start. */
const alarmAt = (object: TestObject) =>
  object.run(async (_, ctx) => {
    const alarm = await ctx.storage.getAlarm();
    return alarm === null ? null : alarm - clock.start;
  });

beforeEach(async () => {
  clock = new Clock();
  await clock.attach(new TestObject("clock"));
});
afterEach(() => {
  clock.stop();
  vi.restoreAllMocks();
});

describe.each(["awake", "asleep"])("the alarm of an object that is %s between its events", (state) => {
  const between = (object: TestObject) => (state === "asleep" ? object.sleep() : Promise.resolve());
  const name = (text: string) => `alarm ${text} ${state}`;

  it("is set once, to 0.9 intervals after the first session was opened, and shared by all", async () => {
    const object = new TestObject(name("once"));
    await object.openSocket();
    await expect.poll(() => alarmAt(object)).toBe(22_500);
    at(5_000);
    await between(object);
    await object.openSocket();
    await object.openPolling();
    expect(await alarmAt(object)).toBe(22_500);
    at(22_500);
    await alarm(object);
    expect(await alarmAt(object)).toBe(45_000);
  });

  it("pings all sessions in one tick", async () => {
    const object = new TestObject(name("ping"));
    const first = await object.openSocket();
    at(3_000);
    const second = await object.openSocket();
    await between(object);
    at(22_500);
    await alarm(object);
    expect(await first.next()).toBe("2");
    expect(await second.next()).toBe("2");
  });

  it("does not run the user's code", async () => {
    const object = new TestObject(name("quiet"));
    const client = await object.openSocket();
    await object.sleep();
    at(22_500);
    await alarm(object);
    expect(await client.next()).toBe("2");
    expect(object.journal).toEqual(["setup", "connection"]);
  });

  it("closes the clients that did not answer, with `ping timeout`, and no others", async () => {
    const object = new TestObject(name("dead"));
    const dead = await object.openSocket();
    const alive = await object.openSocket();
    at(22_500);
    await alarm(object);
    expect(await dead.next()).toBe("2");
    expect(await alive.next()).toBe("2");
    await between(object);
    alive.socket.send("3");
    expect(await alive.next()).toBe("6");
    await between(object);
    at(45_000);
    await alarm(object);
    expect(await dead.closed).toBe(1005);
    expect(await alive.next()).toBe("2");
    expect(object.journal.filter((line) => line.startsWith("close"))).toEqual(["close ping timeout"]);
    expect(await object.run((instance) => instance.engine.clientsCount)).toBe(1);
  });

  it("closes nobody because it runs late itself", async () => {
    const object = new TestObject(name("late"));
    const client = await object.openPolling();
    await between(object);
    at(40_000);
    await client.poll();
    at(105_000);
    // The runtime passes the time at which the alarm should have run; at that time the client had just polled.
    const info = { isRetry: false, retryCount: 0, scheduledTime: time(45_000) };
    await object.run((instance) => instance.alarm(info as AlarmInvocationInfo));
    expect(await alarmAt(object)).toBe(127_500);
    expect(object.journal.join()).not.toContain("close");
    for (const moment of [127_500, 150_000]) {
      expect(object.journal.join()).not.toContain("close");
      at(moment);
      await alarm(object);
    }
    expect(object.journal.at(-1)).toBe("close ping timeout");
  });

  it("removes a polling session that vanished after two ticks, and emits its `close`", async () => {
    const object = new TestObject(name("sweep"));
    const client = await object.openPolling();
    await between(object);
    for (const moment of [22_500, 45_000, 67_500]) {
      at(moment);
      if (await runDurableObjectAlarm(object.stub)) await between(object);
    }
    expect(object.journal.filter((line) => line.startsWith("close"))).toEqual(["close ping timeout"]);
    expect(await object.sessionRows()).toEqual([]);
    expect(await client.poll()).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(await alarmAt(object)).toBe(null);
  });

  it("ends a polling session whose poll was never handed back because its Worker is gone", async () => {
    const object = new TestObject(name("vanished"));
    const client = await object.openPolling();
    const poll = await client.park();
    await between(object);
    for (const moment of [22_500, 45_000, 67_500]) {
      expect(object.journal.join()).not.toContain("close");
      at(moment);
      await alarm(object);
      await between(object);
    }
    expect(object.journal.at(-1)).toBe("close ping timeout");
    expect(await poll.payload).toBe("1");
  });

  it("gives a polling session its time from when its poll was answered, not from when it was asked", async () => {
    const object = new TestObject(name("answered"));
    const client = await object.openPolling();
    const poll = await client.park();
    await between(object);
    at(22_500);
    await alarm(object);
    await between(object);
    at(40_000);
    await client.post("4late");
    expect(await poll.payload).toBe(`2${RS}4late`);
    await between(object);
    at(45_000);
    await alarm(object);
    expect(object.journal.join()).not.toContain("close");
    await between(object);
    at(60_000);
    expect(await client.post("4hello")).toBe("200 ok");
    // An instance that has just woken does not know when it last sent a ping, and sends one at once.
    expect(await client.poll()).toBe(state === "asleep" ? `2${RS}4hello` : "4hello");
  });

  it("neither closes a polling session whose poll waits nor writes anything for it", async () => {
    const object = new TestObject(name("parked"));
    const client = await object.openPolling();
    const poll = await client.park();
    const before = await object.rows();
    for (const moment of [22_500, 45_000]) {
      at(moment);
      await between(object);
      await alarm(object);
    }
    const rows = await object.rows();
    // The counts for `stats` are the object's, and no row of a session.
    rows.delete("sio_tally");
    expect(rows).toEqual(before);
    await client.post("4still here");
    expect(await poll.payload).toBe(`2${RS}4still here`);
  });

  it("does not close a polling session that was absent at only one tick", async () => {
    const object = new TestObject(name("away"));
    const client = await object.openPolling();
    await object.sleep();
    at(22_500);
    await alarm(object);
    await between(object);
    at(30_000);
    expect(await client.poll()).toBe("2");
    await between(object);
    at(45_000);
    await alarm(object);
    await between(object);
    at(60_000);
    expect(await client.post("4hello")).toBe("200 ok");
    expect(object.journal.join()).not.toContain("close");
  });

  it("runs pingTimeout after the server has closed a polling session whose client does not poll", async () => {
    const object = new TestObject(name("closed"));
    const client = await object.openPolling();
    await between(object);
    at(1_000);
    await object.run((instance) => void instance.engine.clients[client.sid]?.close());
    await expect.poll(() => alarmAt(object)).toBe(21_000);
    await between(object);
    at(21_000);
    await alarm(object);
    expect(object.journal.at(-1)).toBe("close forced close");
    expect(await object.sessionRows()).toEqual([]);
  });

  it("is set again by the next event when it was lost", async () => {
    const object = new TestObject(name("lost"));
    const client = await object.openPolling();
    await object.run((_, ctx) => ctx.storage.deleteAlarm());
    await object.sleep();
    at(10_000);
    await client.post("4hello");
    await expect.poll(() => alarmAt(object)).toBe(32_500);
  });

  it("is set again when it should have run long ago", async () => {
    const object = new TestObject(name("stuck"));
    const client = await object.openPolling();
    await expect.poll(() => alarmAt(object)).toBe(22_500);
    await object.sleep();
    const past = time(22_500);
    at(60_000);
    // A stuck alarm cannot be produced here, because a time in the past runs at once, so `getAlarm` is replaced.
    await object.run((_, ctx) => {
      ctx.storage.getAlarm = async () => past;
    });
    await client.poll();
    await client.post("4hello");
    await object.run((_, ctx) => {
      Reflect.deleteProperty(ctx.storage, "getAlarm");
    });
    expect(await alarmAt(object)).toBeGreaterThan(60_000);
  });

  const events: Record<string, (object: TestObject, client: SocketClient) => unknown> = {
    "a message": (_, client) => client.socket.send("4hello"),
    "a close": (_, client) => client.socket.close(),
    "an error": (object, client) =>
      object.run((instance, ctx) => {
        const [socket] = ctx.getWebSockets(`s:${client.sid}`);
        instance.webSocketError(socket!, new Error("gone"));
      }),
    "a handshake": (object) => object.openPolling(),
    "a request of an unknown session": (object) => object.fetch({ op: "poll", sid: "unknown" }),
    "ready(), as in an emitter call": (object) => object.run((instance) => instance.ready()),
    "a method that uses nothing of ours": (object) =>
      (object.stub as unknown as { add(a: number, b: number): Promise<number> }).add(1, 2),
    "a method that uses this.engine": (object) => object.run((instance) => instance.engine.clientsCount),
  };

  it.each(Object.entries(events))(
    "is set again by %s after the platform has given it up",
    async (event, act) => {
      const object = new TestObject(name(`given up ${event}`));
      await object.openSocket();
      const client = await object.openSocket();
      await expect.poll(() => alarmAt(object)).toBe(22_500);
      await object.run((_, ctx) => ctx.storage.deleteAlarm());
      at(30_000);
      await between(object);
      await act(object, client);
      await expect.poll(() => alarmAt(object)).not.toBe(null);
    },
  );

  it("does not throw when the storage fails, and runs again", async () => {
    const object = new TestObject(name("storage"));
    const client = await object.openSocket();
    await between(object);
    at(22_500);
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    await object.run(async (instance, { storage }) => {
      const prototype = Object.getPrototypeOf(storage.kv) as SyncKvStorage;
      const spy = vi.spyOn(prototype, "get").mockImplementation(() => {
        throw new Error("no storage");
      });
      await instance.alarm();
      spy.mockRestore();
    });
    expect(log).toHaveBeenCalled();
    await expect.poll(() => alarmAt(object)).toBe(27_500);
    at(27_500);
    await alarm(object);
    expect(await client.next()).toBe("2");
  });

  it("is not set when there is no session", async () => {
    const object = new TestObject(name("nobody"));
    const answer = await object.fetch({ op: "poll", sid: "nobody" });
    expect(await answer.text()).toBe('{"code":1,"message":"Session ID unknown"}');
    await between(object);
    expect(await alarmAt(object)).toBe(null);
  });
});

describe("an object that pings too often to sleep", () => {
  it("counts pongs at the next tick, and pings each session 0.9 intervals after its last ping", async () => {
    const object = new TestObject("quick", "QUICK");
    const client = await object.openSocket();
    await expect.poll(() => alarmAt(object)).toBe(8_100);
    at(8_100);
    await alarm(object);
    expect(await client.next()).toBe("2");
    client.socket.send("3");
    expect(await client.next()).toBe("6");
    expect(await alarmAt(object)).toBe(16_200);
    at(16_200);
    await alarm(object);
    expect(await client.next()).toBe("2");
    expect(object.journal).toContain("heartbeat");
  });

  it("does not tick in a loop for a session that has just been loaded", async () => {
    const object = new TestObject("quick loop", "QUICK");
    const client = await object.openPolling();
    const poll = await client.park();
    await object.sleep();
    at(8_000);
    await alarm(object);
    expect(await alarmAt(object)).toBeGreaterThan(9_000);
    poll.abort();
    await poll.payload;
  });
});

describe.each(["awake", "asleep"])("a session that upgrades after a tick (object %s)", (state) => {
  it("is pinged 0.9 intervals after its handshake nevertheless", async () => {
    const object = new TestObject(`late upgrade ${state}`);
    await object.openSocket();
    at(17_500);
    const polling = await object.openPolling();
    at(22_500);
    await alarm(object);
    if (state === "asleep") await object.sleep();
    expect(await alarmAt(object)).toBe(45_000);
    at(23_500);
    const client = await polling.upgrade();
    await expect.poll(() => alarmAt(object)).toBe(40_000);
    at(40_000);
    await alarm(object);
    expect(await client.next()).toBe("2");
  });
});

describe("schedule() and onSchedule()", () => {
  it("share the alarm with the heartbeat", async () => {
    const object = new TestObject("schedule");
    const client = await object.openSocket();
    await object.run((instance) => instance.schedule(time(10_000)));
    await expect.poll(() => alarmAt(object)).toBe(10_000);
    await object.sleep();
    at(10_000);
    await alarm(object);
    expect(object.journal.at(-1)).toBe("onSchedule");
    expect(await alarmAt(object)).toBe(22_500);
    at(22_500);
    await alarm(object);
    expect(await client.next()).toBe("2");
    expect(object.journal.filter((line) => line === "onSchedule")).toHaveLength(1);
  });

  it("work without any session", async () => {
    const object = new TestObject("schedule alone");
    await object.run((instance) => instance.schedule(new Date(time(5_000))));
    await object.sleep();
    at(5_000);
    await alarm(object);
    expect(object.journal.at(-1)).toBe("onSchedule");
    expect(await alarmAt(object)).toBe(null);
  });

  it("keep the last time that was set, and none after undefined", async () => {
    const object = new TestObject("schedule twice");
    await object.run((instance) => instance.schedule(time(5_000)));
    await object.run((instance) => instance.schedule(time(50_000)));
    at(5_000);
    await alarm(object);
    expect(object.journal).not.toContain("onSchedule");
    expect(await alarmAt(object)).toBe(50_000);
    await object.run((instance) => instance.schedule(undefined));
    at(50_000);
    await alarm(object);
    expect(object.journal).not.toContain("onSchedule");
  });

  it.each([Number.MAX_SAFE_INTEGER, Infinity, -Infinity])(
    "set no alarm at a time for which the runtime has none (%s)",
    async (never) => {
      const logged = vi.spyOn(console, "error");
      const object = new TestObject(`schedule never ${never}`);
      await object.run((instance) => instance.schedule(never));
      expect(await alarmAt(object)).toBe(null);
      // An alarm that comes earlier is set nevertheless.
      await object.run((instance) => instance.schedule(time(5_000)));
      await expect.poll(() => alarmAt(object)).toBe(5_000);
      expect(logged).not.toHaveBeenCalled();
      logged.mockRestore();
    },
  );

  it("refuse an invalid time, and do not affect the heartbeat", async () => {
    const object = new TestObject("schedule garbage");
    const client = await object.openSocket();
    const refusal = await object.run((instance) => {
      try {
        return instance.schedule(new Date("garbage"));
      } catch (error) {
        return String(error);
      }
    });
    expect(refusal).toBe("RangeError: schedule() needs a time");
    at(22_500);
    await alarm(object);
    expect(await client.next()).toBe("2");
    expect(await alarmAt(object)).toBe(45_000);
  });

  it("do not delay the heartbeat while onSchedule runs, however long", async () => {
    const object = new TestObject("schedule long");
    const client = await object.openSocket();
    let release = () => {};
    await object.run(async (instance) => {
      instance.onSchedule = () => new Promise<void>((resolve) => (release = resolve));
      instance.schedule(time(10_000));
      at(10_000);
      // An alarm that does not settle delays the next one.
      await instance.alarm();
    });
    await expect.poll(() => alarmAt(object)).toBe(22_500);
    at(22_500);
    await alarm(object);
    expect(await client.next()).toBe("2");
    await object.run(() => release());
  });

  it("do not affect the heartbeat when onSchedule throws", async () => {
    const object = new TestObject("schedule fails");
    const client = await object.openSocket();
    object.journal.push("onSchedule shall fail");
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    await object.run((instance) => instance.schedule(time(22_500)));
    at(22_500);
    await alarm(object);
    expect(await client.next()).toBe("2");
    expect(await alarmAt(object)).toBe(45_000);
    expect(log.mock.calls).toEqual([["socket.io-edge: onSchedule failed", new Error("onSchedule failed")]]);
  });
});
