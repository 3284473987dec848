import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { Clock } from "./clock.ts";
import { RS } from "./support.ts";
import { type Talker, TalkObject } from "./talk.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** An application that tells in which instance of the object it runs. */
function create(name: string): { object: TalkObject; notes: unknown[] } {
  let instances = 0;
  const notes: unknown[] = [];
  const object = new TalkObject(`acks ${name}`, (io) => {
    const instance = ++instances;
    let goOn = () => {};
    io.on("connection", (socket) => {
      socket.on("instance", (ack) => ack(instance));
      socket.on("ask me", () => socket.emit("question", (answer: unknown) => notes.push([instance, answer])));
      socket.on("ask in time", async (ack) => {
        ack();
        await socket
          .timeout(10)
          .emitWithAck("question")
          .catch((error: Error) => notes.push(error.message));
      });
      socket.on("ask in vain", async () => {
        await socket.emitWithAck("question").catch((error: Error) => notes.push([instance, error.message]));
      });
      let owed: (answer: string) => void = () => {};
      socket.on("owe", (ack) => {
        owed = ack;
        socket.emit("owing");
      });
      socket.on("pay", () => owed(`paid by ${instance}`));
      socket.on("work", async (ms) => {
        socket.emit("working");
        await pause(ms);
        socket.emit("worked", instance);
      });
      socket.on("wait", async () => {
        socket.emit("waiting");
        await new Promise<void>((resolve) => (goOn = resolve));
        socket.emit("went on", instance);
      });
      socket.on("go on", () => goOn());
      socket.on("bytes", (bytes, ack) => ack(instance, [...bytes]));
      socket.on("disconnect", (reason, why) => {
        notes.push([instance, reason, ...(why instanceof Error ? [why.message] : [])]);
      });
    });
    io.of("/slow").use(async (_, next) => {
      notes.push("asked to join");
      await new Promise<void>((resolve) => (goOn = resolve));
      next();
    });
  });
  return { object, notes };
}

/** Puts the object to sleep as soon as possible, and proves that it is not possible yet. */
async function fallAsleep(object: TalkObject): Promise<{ asleep: Promise<void> }> {
  const asleep = object.sleep();
  expect(await Promise.race([asleep.then(() => "asleep"), pause(25).then(() => "awake")])).toBe("awake");
  return { asleep };
}

/** Ends the instance, whatever it is waiting for. */
async function kill(object: TalkObject): Promise<void> {
  await object.run((_, ctx) => ctx.abort("killed")).catch(() => {});
}

const instanceOf = async (client: Talker) => Number((await client.ask("instance")).at(-1)?.slice(3, -1));

describe.each(["polling", "websocket"] as const)("an object is kept awake (%s)", (transport) => {
  it("by an acknowledgement that a client owes, until it is answered", async () => {
    const { object, notes } = create(`answered ${transport}`);
    const client = await object.join(transport);
    await client.say('42["ask me"]');
    expect(await client.hear()).toBe('420["question"]');
    const { asleep } = await fallAsleep(object);
    await client.say('430["yes"]');
    await asleep;
    expect(notes).toEqual([[1, "yes"]]);
    expect(await instanceOf(client)).toBe(2);
  });

  it("by an acknowledgement with a timeout, until that has passed, and a late answer is ignored", async () => {
    const { object, notes } = create(`timeout ${transport}`);
    const client = await object.join(transport);
    await client.ask("ask in time");
    expect(await client.hear()).toBe('420["question"]');
    await object.sleep();
    expect(notes).toEqual(["operation has timed out"]);
    await client.say('42["ask me"]');
    expect(await client.hear()).toBe('421000["question"]');
    await client.say('430["late"]', '431000["in time"]');
    await vi.waitFor(() => expect(notes).toEqual(["operation has timed out", [2, "in time"]]));
  });

  it("by an acknowledgement that is never given, until the client is gone", async () => {
    const { object, notes } = create(`vain ${transport}`);
    const client = await object.join(transport);
    await client.say('42["ask in vain"]');
    expect(await client.hear()).toBe('420["question"]');
    const { asleep } = await fallAsleep(object);
    await client.say("1");
    await asleep;
    expect(notes).toEqual([
      [1, "transport close"],
      [1, "socket has been disconnected"],
    ]);
  });

  it("by an acknowledgement that a handler owes, until it is called", async () => {
    const { object } = create(`owed ${transport}`);
    const client = await object.join(transport);
    await client.say('427["owe"]');
    expect(await client.hear()).toBe('42["owing"]');
    const { asleep } = await fallAsleep(object);
    await client.say('42["pay"]');
    await asleep;
    expect(await client.hear()).toBe('437["paid by 1"]');
    expect(await instanceOf(client)).toBe(2);
  });

  it("by a handler or middleware that awaits", async () => {
    const { object, notes } = create(`handler ${transport}`);
    const client = await object.join(transport);
    await client.say('42["wait"]');
    expect(await client.hear()).toBe('42["waiting"]');
    const handling = await fallAsleep(object);
    await client.say('42["go on"]');
    await handling.asleep;
    expect(await client.hear()).toBe('42["went on",1]');
    expect(await instanceOf(client)).toBe(2);
    await client.say("40/slow,");
    await vi.waitFor(() => expect(notes).toEqual(["asked to join"]));
    const joining = await fallAsleep(object);
    await client.say('42["go on"]');
    await joining.asleep;
    expect(await client.hear()).toMatch(/^40\/slow,\{/);
    expect(await instanceOf(client)).toBe(3);
  });
});

describe("an object is kept awake", () => {
  it("by half of a binary packet, until the rest has arrived", async () => {
    const { object } = create("half");
    const client = await object.openSocket();
    client.socket.send("40");
    await client.next();
    client.socket.send('451-7["bytes",{"_placeholder":true,"num":0}]');
    // The runtime delivers messages in order, so this answer shows that the half has arrived.
    await object.run(() => {});
    const { asleep } = await fallAsleep(object as TalkObject);
    client.socket.send(Uint8Array.of(1, 2));
    await asleep;
    expect(await client.text()).toBe("437[1,[1,2]]");
  });

  it("by half of a binary packet whose rest does not arrive, until the connection ends after 45 seconds", async () => {
    const { object, notes } = create("half only");
    const { socket } = await object.openSocket();
    socket.send("40");
    await object.run(() => {});
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      socket.send('452-7["bytes",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
      for (let i = 0; i < 1_000 && vi.getTimerCount() === 0; i++) await object.run(() => {});
      await object.run(() => vi.advanceTimersByTime(44_999));
      // A packet that makes progress has as long again.
      socket.send(Uint8Array.of(1));
      await object.run(() => {});
      await object.run(() => vi.advanceTimersByTime(44_999));
      expect(notes).toEqual([]);
      expect(vi.getTimerCount()).toBe(1);
      await object.run(() => vi.advanceTimersByTime(1));
      expect(notes).toEqual([[1, "forced close", "the rest of a binary packet did not come"]]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("by more acknowledgements with a timeout than the runtime has timers, which one POST may cause", async () => {
    let timeouts = 0;
    const object = new TalkObject("10,050 timers", (io) => {
      io.on("connection", (socket) => {
        socket.on("ask", () => {
          socket.timeout(300).emit("question", (error: unknown) => {
            if (error) timeouts++;
          });
        });
      });
    });
    const client = await object.join("polling");
    await client.say(...Array.from({ length: 10_050 }, () => '42["ask"]'));
    await vi.waitFor(() => expect(timeouts).toBe(10_050), { timeout: 20_000 });
    expect(await object.run(() => "still there")).toBe("still there");
  }, 30_000);

  it("by an upgrade that has begun", async () => {
    const { object } = create("upgrade");
    const client = await object.openPolling();
    await client.post("40");
    await client.poll();
    const candidate = await client.candidate();
    candidate.socket.send("2probe");
    await candidate.expect("3probe");
    const { asleep } = await fallAsleep(object);
    candidate.socket.send("5");
    await asleep;
    candidate.socket.send('427["instance"]');
    expect(await candidate.text()).toBe("437[2]");
  });
});

describe("half of a binary packet that came in a POST", () => {
  it.each(["sleep", "restart"] as const)(
    "does not keep the object awake: the rest may arrive after a %s, and leaves nothing in the row",
    async (how) => {
      const { object } = create(`half posted ${how}`);
      const client = await object.openPolling();
      await client.post("40");
      await client.poll();
      const header = (id: number) => `451-${id}["bytes",{"_placeholder":true,"num":0}]`;
      expect(await client.post(header(7))).toBe("200 ok");
      await object[how]();
      expect(await client.post("bAQI=")).toBe("200 ok");
      expect((await client.poll()).split(RS).at(-1)).toBe("437[2,[1,2]]");
      await object[how]();
      expect(await client.post(`${header(8)}${RS}bAw==`)).toBe("200 ok");
      expect((await client.poll()).split(RS).at(-1)).toBe("438[3,[3]]");
    },
  );
});

describe("a polling session with something under way ends when the object restarts, so that its client reconnects:", () => {
  const ways: [string, (client: Talker) => Promise<unknown>][] = [
    ["an acknowledgement its client owes", (client) => client.say('42["ask me"]')],
    ["an acknowledgement a handler owes", (client) => client.say('427["owe"]')],
    ["a CONNECT in its middlewares", (client) => client.say("40/slow,")],
    [
      "a handler that has awaited for more than a second",
      async (client) => {
        await client.say('42["work",3000]');
        await pause(1_200);
      },
    ],
  ];
  it.each(ways)("%s", async (what, begin) => {
    const { object, notes } = create(`restart ${what}`);
    const other = await object.join("polling");
    const client = await object.join("polling");
    await begin(client);
    await kill(object);
    await expect(client.hear()).rejects.toThrow("GET: 400");
    await vi.waitFor(() =>
      expect(notes).toContainEqual([
        2,
        "transport error",
        "the object was restarted while something was under way that cannot be stored",
      ]),
    );
    expect(await instanceOf(other)).toBe(2);
    expect(await object.sessionRows()).toEqual([`sio_s:${other.sid}`]);
  });
});

describe("ids of acknowledgements", () => {
  it("count from 0 in each namespace, continue with a new block after sleep, and stay below 2^31", async () => {
    const { object } = create("ids");
    const client = await object.join();
    await client.say('42["ask me"]', '42["ask me"]');
    expect([await client.hear(), await client.hear()]).toEqual(['420["question"]', '421["question"]']);
    await client.say("430[]", "431[]");
    for (const id of [1000, 2000]) {
      await object.sleep();
      await client.say('42["ask me"]');
      expect(await client.hear()).toBe(`42${id}["question"]`);
      await client.say(`43${id}[]`);
    }
    await object.sleep();
    await object.run((_, { storage }) => storage.kv.put("sio_a:/", 2 ** 31 - 2_000));
    for (const id of [2 ** 31 - 2_000, 0]) {
      await object.sleep();
      await client.say('42["ask me"]');
      const question = await client.hear();
      expect(question).toBe(`42${id}["question"]`);
      await client.say(`43${id}[]`);
    }
  });
});

describe("what never settles keeps an object awake for at most a minute:", () => {
  const ways: [string, (io: Server, never: Promise<void>) => unknown, string][] = [
    ["a middleware", (io, never) => io.of("/never").use(() => never), "40/never,"],
    ["a connection listener", (io, never) => io.of("/never").on("connection", () => never), "40/never,"],
    ["the question whether a namespace exists", (io) => io.of(() => {}), "40/other,"],
    [
      "a handler",
      (io, never) => io.on("connection", (socket) => void socket.on("hang", () => never)),
      '42["hang"]',
    ],
  ];
  let clock: Clock;
  beforeEach(() => {
    clock = new Clock();
  });
  afterEach(() => clock.stop());

  it.each(ways)("%s", async (what, begin, packet) => {
    let instances = 0;
    const object = new TalkObject(`never ${what}`, (io) => {
      const instance = ++instances;
      begin(io, new Promise(() => {}));
      io.on("connection", (socket) => void socket.on("instance", (ack) => ack(instance)));
    });
    const client = await object.join();
    await client.say(packet);
    expect((await client.ask("instance")).at(-1)).toBe("43[1]");
    const { asleep } = await fallAsleep(object);
    clock.set(60_000);
    await asleep;
    expect(await client.ask("instance")).toEqual(["43[2]"]);
  });
});
