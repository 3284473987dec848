import { afterEach, describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { TestObject, until } from "./support.ts";
import { type Talker, TalkObject } from "./talk.ts";

const STATES = ["awake", "asleep"];

afterEach(() => {
  vi.useRealTimers();
});

const text = (length: number) => "x".repeat(length);

describe("maxHttpBufferSize", () => {
  it.each(STATES)("refuses longer bodies with 413, and closes their session (object %s)", async (state) => {
    const object = new TestObject(`bodies ${state}`, "SMALL");
    const client = await object.openPolling();
    const other = await object.openPolling();
    expect(await client.post(`4${text(99)}`)).toBe("200 ok");
    expect(await client.poll()).toBe(`4${text(99)}`);
    const waiting = await client.park();
    if (state === "asleep") await object.sleep();
    expect(await client.post(`4${text(100)}`)).toBe("413");
    expect(await waiting.payload).toBe("1");
    expect(object.journal.at(-1)).toBe("close transport error");
    expect(await client.poll()).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(await other.post("4still here")).toBe("200 ok");
  });

  it("counts bytes, not letters", async () => {
    const client = await new TestObject("bytes", "SMALL").openPolling();
    expect(await client.post(`4${"é".repeat(49)}`)).toBe("200 ok");
    expect(await client.post(`4${"é".repeat(50)}`)).toBe("413");
  });

  it("counts bodies of unknown length too", async () => {
    const client = await new TestObject("chunks", "SMALL").openPolling();
    const stream = (chunks: string[]) => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const write = async () => {
        for (const chunk of chunks) await writer.write(new TextEncoder().encode(chunk));
        await writer.close();
      };
      // A refused body is not read to its end.
      write().catch(() => {});
      return readable;
    };
    const post = async (...chunks: string[]) =>
      (await client.request({ method: "POST", body: stream(chunks) })).status;
    expect(await post("4", text(50), text(49))).toBe(200);
    expect(await client.poll()).toBe(`4${text(99)}`);
    expect(await post("4", text(50), text(50))).toBe(413);
  });

  it("closes a WebSocket with 1009 and `transport error`", async () => {
    for (const [kind, frame] of [
      ["text", `4${text(100)}`],
      ["letters", `4${"€".repeat(34)}`],
      ["bytes", new Uint8Array(101)],
    ] as const) {
      const object = new TestObject(`frames ${kind}`, "SMALL");
      const client = await object.openSocket();
      expect(await client.echo(text(99))).toBe(`4${text(99)}`);
      client.socket.send(frame);
      expect(await client.closed).toBe(1009);
      expect(object.journal.at(-1)).toBe("close transport error");
    }
  });

  it("closes a candidate with a larger frame, and its session continues polling", async () => {
    const object = new TestObject("candidate too large", "SMALL");
    const client = await object.openPolling();
    const candidate = await client.candidate();
    candidate.socket.send(text(101));
    expect(await candidate.closed).toBe(1009);
    expect(await client.post("4hello")).toBe("200 ok");
    const again = await client.upgrade();
    expect(await again.next()).toBe("4hello");
  });
});

describe("maxSessions", () => {
  it("refuses a client beyond the limit, and accepts one again when another has left", async () => {
    const object = new TestObject("full", "SMALL");
    const first = await object.openSocket();
    await object.openPolling();
    const refused = await object.fetch({ op: "open" });
    expect(refused.status).toBe(403);
    expect(await refused.text()).toBe('{"code":4,"message":"Too many sessions"}');
    expect(object.journal.at(-1)).toBe('refused 4 {"message":"maxSessions is reached"}');
    first.socket.close(1000);
    await first.closed;
    await until(() => object.journal.includes("close transport close"));
    expect((await object.fetch({ op: "open" })).status).toBe(200);
  });

  it("does not list all sockets for each new client", async () => {
    const object = new TestObject("listed");
    await object.openSocket();
    await object.sleep();
    const list = await object.run((_, ctx) => vi.spyOn(ctx, "getWebSockets"));
    for (let i = 0; i < 10; i++) await object.openSocket();
    expect(list.mock.calls.filter((tags) => tags.length === 0)).toHaveLength(1);
  });

  it("counts polling clients that have no poll waiting", async () => {
    const object = new TestObject("full of pollers", "SMALL");
    const open = async () => (await object.fetch({ op: "open" })).text();
    const refusal = '{"code":4,"message":"Too many sessions"}';
    await object.openPolling();
    const client = await object.openPolling();
    await object.sleep();
    expect(await open()).toBe(refusal);
    await object.sleep();
    // A client with a waiting poll counts once.
    await client.post("1");
    const { payload, abort } = await (await object.openPolling()).park();
    await object.sleep();
    expect(await open()).toBe(refusal);
    abort();
    await payload;
    await until(() => object.journal.includes("close transport error"));
    expect(await open()).toMatch(/^0{/);
  });

  it("counts sleeping sessions", async () => {
    const object = new TestObject("full asleep", "SMALL");
    await object.openSocket();
    const { payload, abort } = await (await object.openPolling()).park();
    await object.sleep();
    const refused = await object.fetch({ op: "open" });
    expect(await refused.text()).toBe('{"code":4,"message":"Too many sessions"}');
    abort();
    await payload;
  });
});

describe("maxQueuedBytes", () => {
  it("ends a session that does not read what it is sent, and no other", async () => {
    const object = new TestObject("unread", "SMALL");
    const reader = await object.openSocket();
    const client = await object.openPolling();
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    await object.run((instance) => {
      for (let i = 0; i < 11; i++) instance.engine.clients[client.sid]?.send(text(99));
    });
    vi.setSystemTime(start + 5_000);
    expect(object.journal.at(-1)).toBe("connection");
    await object.run((instance) => void instance.engine.clients[client.sid]?.send("one more"));
    expect(object.journal.at(-1)).toBe("close transport error");
    expect(await object.sessionRows()).toEqual([]);
    expect(await reader.echo("hello")).toBe("4hello");
  });

  it("counts what was queued before the object fell asleep", async () => {
    const object = new TestObject("unread asleep", "SMALL");
    const client = await object.openPolling();
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    for (let i = 0; i < 12; i++) {
      await client.post(`4${text(99)}`);
      await object.sleep();
    }
    expect(object.journal).not.toContain("close transport error");
    vi.setSystemTime(start + 5_000);
    await client.post("4hello");
    expect(object.journal.at(-1)).toBe("close transport error");
  });
});

describe("upgradeTimeout", () => {
  it("closes a candidate that does not complete the upgrade, and its session continues polling", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const object = new TestObject("slow", "SMALL");
    const client = await object.openPolling();
    const candidate = await client.candidate();
    candidate.socket.send("2probe");
    expect(await candidate.next()).toBe("3probe");
    await object.run(() => vi.advanceTimersByTime(1_000));
    expect(await candidate.closed).toBe(1005);
    vi.useRealTimers();
    expect(await client.post("4hello")).toBe("200 ok");
    const again = await client.upgrade();
    expect(await again.next()).toBe("4hello");
  });
});

describe("what one turn adds to queues", () => {
  it("is counted, with a broadcast counted once, so that only a session with too much of its own ends", async () => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => {});
    const ends: string[] = [];
    const object = new TalkObject(
      "queues",
      (io) => {
        io.on("connection", (socket) => {
          socket.on("disconnect", (reason) => ends.push(`${socket.id} ${reason}`));
        });
      },
      "TIGHT",
    );
    const clients: Talker[] = [];
    for (let i = 0; i < 8; i++) clients.push(await object.join("polling"));
    // None of them polls meanwhile.
    await object.act((io) => {
      for (let i = 0; i < 3; i++) io.emit("all", text(300_000));
    });
    expect(ends).toEqual([]);
    for (const client of clients)
      for (let i = 0; i < 3; i++) expect((await client.hear()).length).toBe(300_012);
    await object.act((io) => {
      for (let i = 0; i < 8; i++) io.to(clients[0]!.id).emit("own", text(300_000));
    });
    await until(() => ends.length > 0);
    expect(ends).toEqual([`${clients[0]!.id} transport error`]);
    await object.act((io) => void io.emit("still here"));
    for (const client of clients.slice(1)) expect(await client.hear()).toBe('42["still here"]');
    warnings.mockRestore();
  });
});

describe("what is written to WebSockets that do not prove that they read", () => {
  it("is bounded for all together: the more is unread, the sooner each has to prove that it reads", async () => {
    const object = new TalkObject("unread by many", () => {});
    let bytes = 0;
    const closed: Promise<unknown>[] = [];
    for (let i = 0; i < 80; i++) {
      const { socket, closed: end } = await object.openSocket();
      socket.addEventListener("message", ({ data }) => {
        bytes += (data as string).length;
      });
      socket.send("40");
      closed.push(end);
    }
    await object.act(async (io) => {
      await vi.waitFor(() => expect(io.sockets.sockets.size).toBe(80));
      for (let i = 0; i < 20; i++) io.emit("all", text(50_000));
      // Drops the queue. What was already written arrives before the end.
      io.engine.close();
    });
    await Promise.all(closed);
    expect(bytes).toBeGreaterThan(32_000_000);
    expect(bytes).toBeLessThan(45_000_000);
  });
});

describe("two objects of one isolate", () => {
  it("are bounded together: the one that holds more than its share ends sessions, and the other does not", async () => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => {});
    const create = async (name: string) => {
      let release = () => {};
      let isSlow = false;
      const ends: unknown[] = [];
      const object = new TalkObject(
        name,
        async (io) => {
          if (isSlow) await new Promise<void>((resolve) => (release = resolve));
          io.on("connection", (socket) => {
            socket.on("x", (text, ack) => ack(text.length));
            socket.on("disconnect", (_, description) => ends.push(String(description)));
          });
        },
        "TIGHT",
      );
      const clients = [];
      for (let i = 0; i < 2; i++) clients.push(await object.join());
      isSlow = true;
      await object.sleep();
      return { object, clients, ends, release: () => object.run(() => release()) };
    };
    const [first, second] = [await create("isolate one"), await create("isolate two")];
    const large = `421["x","${text(900_000)}"]`;
    await first.clients[0]!.say(large);
    await second.clients[0]!.say(large);
    await second.clients[1]!.say(`421["x","${text(800_000)}"]`);
    await vi.waitFor(() => expect(warnings).toHaveBeenCalled());
    await first.release();
    await second.release();
    expect(await first.clients[0]!.hear()).toBe("431[900000]");
    expect(await second.clients[1]!.hear()).toBe("431[800000]");
    await vi.waitFor(() => expect(second.ends).toEqual([expect.stringContaining("maxHeldBytes")]));
    expect(first.ends).toEqual([]);
    warnings.mockRestore();
  });
});

describe("what waits for the setup function", () => {
  it("is bounded: a client that makes the object exceed its budget is closed, and no other", async () => {
    const seen: unknown[] = [];
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => {});
    let isSlow = false;
    let release = () => {};
    const slow = async (io: Server) => {
      if (isSlow) await new Promise<void>((resolve) => (release = resolve));
      io.on("connection", (socket) => {
        socket.on("sync", (ack) => ack());
        socket.on("x", (text) => seen.push(text.length));
        socket.on("disconnect", (reason, why) => seen.push(reason, (why as unknown as Error).message));
      });
    };
    const object = new TalkObject("slow setup", slow, "TIGHT");
    const loud = await object.openSocket();
    loud.socket.send("40");
    await loud.next();
    const quiet = await object.join();
    isSlow = true;
    await object.sleep();
    await quiet.say('427["sync"]');
    const told = new Promise((resolve) =>
      loud.socket.addEventListener("close", ({ reason }) => resolve(reason)),
    );
    for (let i = 0; i < 3; i++) loud.socket.send(`42["x","${text(950_000)}"]`);
    expect(await loud.closed).toBe(1008);
    expect(seen).toEqual([]);
    const why = "the object holds more than maxHeldBytes for its clients, and most of it for this one";
    expect(await told).toBe(why);
    expect(warnings.mock.calls).toEqual([[`socket.io-edge: a session is closed: ${why}`]]);
    warnings.mockRestore();
    await object.run(() => release());
    expect(await quiet.hear()).toBe("437[]");
    await until(() => seen.length > 0);
    // The queued packets of the loud client were dropped with it.
    expect(seen).toEqual(["transport error", why]);
  });
});

describe("maxStoredBytes", () => {
  const why = "the object stores more than maxStoredBytes for its clients, and most of it for this one";

  /** Ways to make an object store 300 kB. */
  const ways: Record<string, (client: Talker, turn: number) => Promise<void>> = {
    "what it does not fetch": async (client) => client.say(`42["more","${text(300_000)}"]`),
    "half a packet": async (client, turn) => {
      const placeholder = '{"_placeholder":true,"num":0}';
      if (turn === 0) await client.say(`459-["x"${`,${placeholder}`.repeat(9)}]`);
      await client.say(`b${text(300_000)}`);
    },
    "what is stored of it": async (client) => client.say(`42["keep","${text(300_000)}"]`),
  };

  it.each(Object.keys(ways).flatMap((way) => STATES.map((state) => [way, state] as const)))(
    "ends the session that takes most on disk (%s), and no other (object %s)",
    async (way, state) => {
      const warnings = vi.spyOn(console, "warn").mockImplementation(() => {});
      const left: unknown[] = [];
      const object = new TalkObject(
        `stored ${way} ${state}`,
        (io) => {
          io.on("connection", (socket) => {
            socket.on("more", (it) => socket.emit("more", it));
            socket.on("keep", (it) => {
              socket.data.kept = [...(socket.data.kept ?? []), it];
            });
            socket.on("echo", (it, done) => done(it));
            socket.on("disconnect", (reason, description) => {
              left.push([socket.data.kept?.length ?? 0, reason, (description as Error).message]);
            });
          });
        },
        "SCANT",
      );
      const between = () => (state === "asleep" ? object.sleep() : Promise.resolve());
      const others = [];
      for (let i = 0; i < 4; i++) others.push(await object.join("polling"));
      for (const other of others) await other.say(`42["more","${text(100_000)}"]`);
      const loud = await object.join("polling");
      const act = ways[way] as (typeof ways)[string];
      for (let i = 0; i < 3; i++) {
        await between();
        await act(loud, i).catch(() => {});
      }
      await until(() => left.length > 0);
      const kept = way === "what is stored of it" ? 2 : 0;
      expect(left).toEqual([[kept, "transport error", why]]);
      expect(warnings).toHaveBeenCalledWith(`socket.io-edge: sessions are closed: ${why}`);
      await between();
      expect((await object.sessionRows()).filter((key) => key.includes(loud.sid))).toEqual([]);
      for (const other of others) {
        expect((await other.ask("echo", "hello")).map((it) => it.length)).toEqual([100_013, 11]);
      }
      warnings.mockRestore();
    },
  );
});
