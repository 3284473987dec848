import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { watch } from "./clock.ts";
import { type PollingClient, type SocketClient, type TestObject, until } from "./support.ts";
import { type Talker, TalkObject } from "./talk.ts";

const watched = watch();

const alarmAt = (object: TestObject) =>
  object.run(async (_, ctx) => {
    const alarm = await ctx.storage.getAlarm();
    return alarm === null ? null : alarm - watched.clock.start;
  });

/** One idle client on each transport, which must not be affected. */
class Witnesses {
  readonly #object: TalkObject;
  readonly #socket: Talker;
  readonly #polling: Talker;

  constructor(object: TalkObject, socket: Talker, polling: Talker) {
    this.#object = object;
    this.#socket = socket;
    this.#polling = polling;
  }

  static async gather(object: TalkObject): Promise<Witnesses> {
    return new Witnesses(object, await object.join("websocket"), await object.join("polling"));
  }

  /** Proves that they are connected. */
  async live(): Promise<void> {
    await this.#socket.live();
    await this.#polling.live();
  }

  /** Waits until each has received so many packets. */
  async hear(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await Promise.all([this.#socket.hear(), this.#polling.hear()]);
  }

  /** They have received nothing and are still served, and no other client is left. */
  async expectAlone(): Promise<void> {
    expect(await this.#socket.ask("sync")).toEqual(["43[]"]);
    expect(await this.#polling.ask("sync")).toEqual(["43[]"]);
    const ids = [this.#socket.id, this.#polling.id];
    expect(await this.#object.act((io) => [...io.sockets.sockets.keys()])).toEqual(ids);
    expect(await this.#object.act((io) => io.engine.clientsCount)).toBe(2);
    expect(await this.#object.sessionRows()).toEqual([`sio_s:${this.#polling.sid}`]);
  }
}

function create(name: string): { object: TalkObject; notes: unknown[] } {
  const notes: unknown[] = [];
  const object = new TalkObject(`faults ${name}`, (io) => {
    io.use(async (socket, next) => {
      if (socket.handshake.auth.slow) await new Promise((resolve) => (release = resolve as () => void));
      next();
    });
    io.on("connection", async (socket) => {
      socket.on("sync", (ack) => ack());
      socket.on("kick", () => socket.disconnect(true));
      socket.on("owe", (_ack) => socket.emit("owing"));
      socket.on("ask", () => socket.emit("question", () => notes.push("answered")));
      socket.on("disconnect", (reason) => notes.push(reason));
      if (socket.recovered && socket.handshake.auth.slowly) {
        await new Promise((resolve) => (release = resolve as () => void));
      }
    });
  });
  return { object, notes };
}
let release = () => {};

/** A client in a state in which clients vanish, and how that is noticed. */
interface Vanishing {
  /** Resolves when the client is in that state, with a function that makes it vanish. */
  begin(object: TalkObject): Promise<() => void | Promise<void>>;
  /** The reason that its `disconnect` handlers receive; null when it was in no namespace. */
  reason: string | null;
  /** How long it may take until the object can notice, in ms. */
  after?: number;
}

async function posted(object: TalkObject, ...bodies: string[]): Promise<PollingClient> {
  const client = await object.openPolling();
  for (const body of bodies) expect(await client.post(body)).toBe("200 ok");
  return client;
}

async function joined(object: TalkObject): Promise<PollingClient> {
  const client = await posted(object, "40");
  expect(await client.poll()).toMatch(/^40/);
  return client;
}

async function joinedSocket(object: TalkObject, auth = ""): Promise<SocketClient> {
  const client = await object.openSocket();
  client.socket.send(`40${auth}`);
  return client;
}

const silently = () => {};
const LONG = 160_000;

const states: Record<string, Vanishing> = {
  "after the handshake of polling": {
    begin: async (object) => {
      await object.openPolling();
      return silently;
    },
    reason: null,
    after: LONG,
  },
  "while its poll waits, and the Worker says so": {
    begin: async (object) => {
      const client = await joined(object);
      const poll = await client.park();
      return poll.abort;
    },
    reason: "transport error",
  },
  "while its poll waits, and the Worker with it": {
    begin: async (object) => {
      const client = await joined(object);
      const channel = await object.fetch({ op: "poll", sid: client.sid });
      channel.webSocket!.accept();
      // A dropped socket closes with 1006 on the other side; an unknown code has the same effect there.
      return () => channel.webSocket!.close(4999);
    },
    reason: "ping timeout",
    after: LONG,
  },
  "between two polls": {
    begin: async (object) => {
      await joined(object);
      return silently;
    },
    reason: "ping timeout",
    after: LONG,
  },
  "with packets in its queue": {
    begin: async (object) => {
      const client = await joined(object);
      await client.post('421["sync"]');
      return silently;
    },
    reason: "ping timeout",
    after: LONG,
  },
  "before it has fetched the close": {
    begin: async (object) => {
      const client = await joined(object);
      await client.post('42["kick"]');
      return silently;
    },
    reason: "server namespace disconnect",
    after: LONG,
  },
  "with half of a binary packet posted": {
    begin: async (object) => {
      const client = await joined(object);
      await client.post('451-["x",{"_placeholder":true,"num":0}]');
      return silently;
    },
    reason: "ping timeout",
    after: LONG,
  },
  "with a candidate that has said nothing": {
    begin: async (object) => {
      const client = await joined(object);
      const poll = await client.park();
      const candidate = await client.candidate();
      return () => {
        candidate.socket.close();
        poll.abort();
      };
    },
    reason: "transport error",
  },
  "with a candidate that has probed": {
    begin: async (object) => {
      const client = await joined(object);
      const candidate = await client.candidate();
      candidate.socket.send("2probe");
      await candidate.expect("3probe");
      return () => candidate.socket.close();
    },
    reason: "ping timeout",
    after: LONG,
  },
  "after its upgrade": {
    begin: async (object) => {
      const client = await joined(object);
      const socket = await client.upgrade();
      return () => socket.socket.close();
    },
    reason: "transport close",
  },
  "over WebSocket, without a word": {
    begin: async (object) => {
      const client = await joinedSocket(object);
      await client.next();
      return silently;
    },
    reason: "ping timeout",
    after: LONG,
  },
  "over WebSocket, before it has joined anything": {
    begin: async (object) => {
      const client = await object.openSocket();
      return () => client.socket.close();
    },
    reason: null,
  },
  "over WebSocket, with half of a binary packet": {
    begin: async (object) => {
      const client = await joinedSocket(object);
      await client.next();
      client.socket.send('451-["x",{"_placeholder":true,"num":0}]');
      return () => client.socket.close(1001);
    },
    reason: "transport close",
  },
  "while middlewares are at work": {
    begin: async (object) => {
      release = silently;
      const client = await joinedSocket(object, '{"slow":true}');
      await until(() => release !== silently);
      return async () => {
        client.socket.close();
        await client.closed;
        await object.run(() => release());
      };
    },
    reason: null,
  },
  "while it owes an acknowledgement": {
    begin: async (object) => {
      const client = await joinedSocket(object);
      await client.next();
      client.socket.send('42["ask"]');
      expect(await client.text()).toMatch(/^42\d+\["question"\]$/);
      return () => client.socket.close();
    },
    reason: "transport close",
  },
  "while a handler owes it one": {
    begin: async (object) => {
      const client = await joinedSocket(object);
      await client.next();
      client.socket.send('421["owe"]');
      await client.expect('42["owing"]');
      return () => client.socket.close();
    },
    reason: "transport close",
  },
  "while its listeners are being registered again": {
    begin: async (object) => {
      const client = await joinedSocket(object, '{"slowly":true}');
      await client.next();
      await object.sleep();
      release = silently;
      client.socket.send('421["sync"]');
      await until(() => release !== silently);
      return async () => {
        client.socket.close();
        await client.closed;
        await object.run(() => release());
      };
    },
    reason: "transport close",
  },
};

describe.each(["awake", "asleep"])("a client that vanishes (object %s)", (state) => {
  it.each(Object.entries(states))(
    "%s ends in time, and no other session is affected",
    async (name, { begin, reason, after = 0 }) => {
      const { object, notes } = create(`${name} ${state}`);
      const witnesses = await Witnesses.gather(object);
      const vanish = await begin(object);
      // That which keeps the object awake is part of the state.
      const asleep = state === "asleep" ? object.sleep() : undefined;
      await vanish();
      await asleep;
      for (let ms = 22_500; ms <= after; ms += 22_500) {
        watched.clock.set(ms);
        await runDurableObjectAlarm(object.stub);
        if (state === "asleep") await object.sleep();
        await witnesses.live();
      }
      if (reason !== null) await vi.waitFor(() => expect(notes).toContain(reason));
      await until(() => object.act((io) => io.engine.clientsCount === 2));
      await witnesses.expectAlone();
      expect(notes).toEqual(reason === null ? [] : [reason]);
      await object.sleep();
      await witnesses.expectAlone();
      expect(watched.logged).toEqual([]);
    },
  );
});

describe.each(["awake", "asleep"])("clients that vanish in one moment (object %s)", (state) => {
  it("each leave exactly once, although their `disconnect` listeners broadcast to the others that are vanishing", async () => {
    const left: string[] = [];
    const object = new TalkObject(`together ${state}`, (io) => {
      io.on("connection", (socket) => {
        socket.on("sync", (ack) => ack());
        socket.on("disconnect", (reason) => {
          io.emit("left", socket.id, io.engine.clientsCount);
          left.push(`${socket.id} ${reason}`);
        });
      });
    });
    const witnesses = await Witnesses.gather(object);
    const ids: string[] = [];
    const clients: SocketClient[] = [];
    for (let i = 0; i < 20; i++) {
      const client = await joinedSocket(object);
      ids.push(JSON.parse((await client.text()).slice(2)).sid);
      clients.push(client);
    }
    if (state === "asleep") await object.sleep();
    for (const { socket } of clients) socket.close();
    await vi.waitFor(() => expect(left).toHaveLength(20));
    expect(left.toSorted()).toEqual(ids.map((id) => `${id} transport close`).toSorted());
    await witnesses.hear(20);
    await witnesses.expectAlone();
    expect(left).toHaveLength(20);
    expect(watched.logged).toEqual([]);
  });
});

describe("an alarm in which something throws", () => {
  it("pings all the others, and is set again for soon but not for at once", async () => {
    const { object } = create("alarm");
    const first = await joinedSocket(object);
    const second = await object.join();
    const third = await joinedSocket(object);
    for (const client of [first, third]) expect(await client.text()).toMatch(/^40/);
    // Most of its state is in a row, and the attachment contains what a ping changes.
    await object.act((io) => {
      io.sockets.sockets.get(second.id)!.data.text = "x".repeat(20_000);
    });
    await object.sleep();
    const full = new Error("nothing can be written");
    const { serializeAttachment } = WebSocket.prototype;
    WebSocket.prototype.serializeAttachment = function (role: { sid?: string } | null) {
      if (role?.sid === second.sid) throw full;
      serializeAttachment.call(this, role);
    };
    watched.clock.set(22_500);
    await runDurableObjectAlarm(object.stub);
    expect([await first.text(), await third.text()]).toEqual(["2", "2"]);
    expect(watched.logged).toEqual([`socket.io-edge: a tick of the heartbeat failed: ${full}`]);
    expect(await alarmAt(object)).toBe(27_500);
    WebSocket.prototype.serializeAttachment = serializeAttachment;
    await second.live();
    watched.clock.set(27_500);
    await runDurableObjectAlarm(object.stub);
    await second.live();
    expect(await second.ask("sync")).toEqual(["43[]"]);
    expect(await alarmAt(object)).toBeGreaterThan(40_000);
  });
});

describe.each(["awake", "asleep"])("a clock that jumps (object %s)", (state) => {
  const between = (object: TestObject) => (state === "asleep" ? object.sleep() : Promise.resolve());
  const DAY = 86_400_000;

  it("by a day ahead closes no connection", async () => {
    const { object, notes } = create(`ahead ${state}`);
    const witnesses = await Witnesses.gather(object);
    await between(object);
    for (const ms of [DAY, DAY + 22_500, DAY + 45_000, DAY + 67_500]) {
      const due = await alarmAt(object);
      watched.clock.set(ms);
      // The alarm is late from the point of view of the runtime as well.
      const info = { isRetry: false, retryCount: 0, scheduledTime: watched.clock.start + due! };
      await object.run((instance) => instance.alarm(info as AlarmInvocationInfo));
      await between(object);
      await witnesses.live();
    }
    expect(notes).toEqual([]);
    await witnesses.expectAlone();
  });

  it("by an hour back closes no connection, and pings continue", async () => {
    const { object, notes } = create(`back ${state}`);
    watched.clock.set(3_600_000);
    const witnesses = await Witnesses.gather(object);
    const client = await joinedSocket(object);
    expect(await client.text()).toMatch(/^40/);
    await between(object);
    watched.clock.set(0);
    await witnesses.live();
    client.socket.send('42["nothing"]');
    await object.run(() => {});
    // The next event notices that the alarm is far away, and sets it again.
    await expect.poll(() => alarmAt(object)).toBeLessThan(30_000);
    for (const ms of [22_500, 45_000, 67_500]) {
      watched.clock.set(ms);
      await runDurableObjectAlarm(object.stub);
      await between(object);
      expect(await client.text()).toBe("2");
      client.socket.send("3");
      await client.expect("6");
      await witnesses.live();
    }
    client.socket.close();
    await vi.waitFor(() => expect(notes).toEqual(["transport close"]));
    await witnesses.expectAlone();
  });
});
