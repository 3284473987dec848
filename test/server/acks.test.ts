import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Server } from "../../src/server/index.ts";
import { FakeObject } from "./fakes.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

/** Moves the clock of the object and the timers of the runtime. */
async function pass(object: FakeObject, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    object.clock.now += Math.min(left, 1_000);
    await vi.advanceTimersByTimeAsync(Math.min(left, 1_000));
  }
  await object.settle();
}

async function withSocket(setup: (io: Server) => void) {
  const object = new FakeObject(setup);
  const client = await object.connect({ transport: "polling" });
  const id = await client.join();
  client.take();
  const socket = object.io.sockets.sockets.get(id)!;
  return { object, client, socket };
}

describe("an acknowledgement that a client asks for", () => {
  it("is not waited for once its handler has disconnected the socket", async () => {
    const { object, client } = await withSocket((io) => {
      io.on("connection", (socket) => void socket.on("bye", () => socket.disconnect()));
    });
    expect(await client.ask('20["bye"]')).toEqual(["41"]);
    expect([object.isAwake, object.isBusy(client)]).toEqual([false, false]);
  });

  it("is not waited for when the event has no listener, neither awake nor in memory", async () => {
    const { object, client } = await withSocket((io) => {
      io.on("connection", (socket) => void socket.once("once", (ack) => ack()));
    });
    const before = object.budget.total;
    expect(await client.ask('20["unheard"]', '21["once"]', '22["once"]')).toEqual(["431[]"]);
    expect([object.isAwake, object.isBusy(client), object.budget.total]).toEqual([false, false, before]);
  });

  it("may be given by a catch-all listener or a middleware", async () => {
    const { client } = await withSocket((io) => {
      io.on("connection", (socket) => {
        socket.onAny((event, ack) => void (event === "any" && ack("by onAny")));
        socket.use(([event, ack], next) => {
          if (event === "use") ack("by use");
          next();
        });
      });
    });
    expect(await client.ask('20["any"]', '21["use"]')).toEqual(['430["by onAny"]', '431["by use"]']);
  });

  it("is owed up to a bound for each socket, and a client that asks for more is closed", async () => {
    const ends: unknown[] = [];
    const object = new FakeObject(
      (io) => {
        io.on("connection", (socket) => {
          socket.on("never", () => {});
          socket.on("soon", (ack) => void setTimeout(ack, 10));
          socket.on("disconnect", (reason, description) => ends.push(reason, description));
        });
      },
      { options: { maxOwedAcks: 3 } },
    );
    const [client, other] = [await object.connect(), await object.connect()];
    await client.join();
    await other.join();
    for (let i = 0; i < 4; i++) {
      await other.send('21["soon"]', '22["soon"]', '23["soon"]');
      await pass(object, 10);
    }
    await client.send('20["never"]', '21["never"]', '22["never"]');
    expect(ends).toEqual([]);
    await client.send('23["never"]');
    expect(ends).toEqual([
      "transport error",
      expect.objectContaining({ message: "more than 3 acknowledgements are owed (maxOwedAcks)" }),
    ]);
    expect([client.isOpen, other.isOpen, object.isAwake]).toEqual([false, true, false]);
  });

  it("counts towards the budget together with its event, and a client that exceeds the budget is closed", async () => {
    const object = new FakeObject(
      (io) => {
        io.on("connection", (socket) => {
          socket.on("never", () => {});
          socket.on("await", () => new Promise(() => {}));
        });
      },
      { maxHeldBytes: 1_000_000 },
    );
    for (const event of [
      '20["never","x"]',
      `20["never","${"x".repeat(100_000)}"]`,
      `2["await","${"x".repeat(100_000)}"]`,
    ]) {
      const [client, other] = [await object.connect(), await object.connect()];
      await client.join();
      await other.join();
      await other.send('20["never"]');
      await client.send(...Array.from({ length: 4 }, () => event));
      expect([client.isOpen, other.isOpen]).toEqual([true, true]);
      await client.send(...Array.from({ length: 2_000 }, () => event));
      expect([client.isOpen, other.isOpen]).toEqual([false, true]);
      await other.leave();
      expect(object.budget.total).toBeLessThan(1_000);
    }
  });

  it("is sent once, with any number of arguments, also binary ones", async () => {
    const { client } = await withSocket((io) => {
      io.on("connection", (socket) => {
        socket.on("none", (ack) => ack());
        socket.on("many", (ack) => {
          ack(1, undefined, Number.NaN, [null]);
          ack("again");
        });
        socket.on("bytes", (ack) => ack(new Uint8Array([1])));
      });
    });
    expect(await client.ask('20["none"]', '21["many"]', '22["bytes"]')).toEqual([
      "430[]",
      "431[1,null,null,[null]]",
      '461-2[{"_placeholder":true,"num":0}]',
      new Uint8Array([1]),
    ]);
  });

  it("keeps the object awake and the session busy while a handler owes it, for at most a minute", async () => {
    let reply = (_value: unknown) => {};
    const { object, client } = await withSocket((io) => {
      io.on("connection", (socket) => {
        socket.on("later", (ack) => {
          reply = ack;
        });
      });
    });
    await client.send('20["later"]');
    expect([object.isAwake, object.isBusy(client)]).toEqual([true, true]);
    reply(1);
    await object.settle();
    expect(client.take()).toEqual(["430[1]"]);
    expect([object.isAwake, object.isBusy(client)]).toEqual([false, false]);
    await client.send('21["later"]');
    await pass(object, 59_000);
    expect(object.isAwake).toBe(true);
    await pass(object, 2_000);
    expect([object.isAwake, object.isBusy(client)]).toEqual([false, false]);
    reply(2);
    expect(client.take()).toEqual(["431[2]"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is dropped when the client is gone", async () => {
    let reply = (_value: unknown) => {};
    const { object, client } = await withSocket((io) => {
      io.on("connection", (socket) => {
        socket.on("later", (ack) => {
          reply = ack;
        });
      });
    });
    await client.send('20["later"]');
    await client.leave();
    reply(1);
    expect(client.take()).toEqual([]);
    expect(object.isAwake).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("an acknowledgement that the server asks for", () => {
  it("reaches the callback with the client's arguments, and ids count from 0 over the namespace", async () => {
    const answers: unknown[] = [];
    const { object, client, socket } = await withSocket(() => {});
    socket.emit("a", 1, (...args: unknown[]) => answers.push(args));
    socket.emit("b", (...args: unknown[]) => answers.push(args));
    expect(client.take()).toEqual(['420["a",1]', '421["b"]']);
    expect(object.isAwake).toBe(true);
    await client.send("31[1,2]", "30[]", "30[3]", "37[4]");
    expect(answers).toEqual([[1, 2], []]);
    expect(object.isAwake).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("times out, and a late answer is ignored", async () => {
    const answers: unknown[] = [];
    const { object, client, socket } = await withSocket(() => {});
    socket.timeout(500).emit("a", (...args: unknown[]) => answers.push(args));
    const promise = socket.timeout(500).emitWithAck("b");
    const expectation = expect(promise).rejects.toThrow("operation has timed out");
    await pass(object, 500);
    await expectation;
    await client.send("30[1]", "31[1]");
    expect(answers).toEqual([[new Error("operation has timed out")]]);
    expect(object.isAwake).toBe(false);
  });

  it("that arrives in time passes null as the error, and only once", async () => {
    const answers: unknown[] = [];
    const { client, socket } = await withSocket(() => {});
    socket.timeout(500).emit("a", (...args: unknown[]) => answers.push(args));
    const promise = socket.timeout(500).emitWithAck("b");
    await client.send('30["x","y"]', '31["z"]');
    expect(answers).toEqual([[null, "x", "y"]]);
    expect(await promise).toBe("z");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects its promise without a timeout when the client leaves", async () => {
    const { client, socket } = await withSocket(() => {});
    const promise = socket.emitWithAck("a");
    const expectation = expect(promise).rejects.toThrow("socket has been disconnected");
    await client.leave();
    await expectation;
    await expect(socket.emitWithAck("b")).rejects.toThrow("socket has been disconnected");
  });

  it("never matches another emit after sleep, since ids continue in a new block", async () => {
    const { object, client } = await withSocket((io) => {
      io.on("connection", (socket) => {
        socket.on("ask", () => socket.emit("question", () => {}));
      });
    });
    await client.send('2["ask"]');
    await client.send("30[]");
    await object.sleep();
    client.take();
    expect(await client.ask('2["ask"]', '2["ask"]')).toEqual(['421000["question"]', '421001["question"]']);
  });

  it("has its id from a block that all children of a dynamic namespace share", async () => {
    const object = new FakeObject((io) => {
      io.of(/^\/dynamic/).on("connection", (socket) => socket.on("ask me", () => socket.emit("q", () => {})));
    });
    const client = await object.connect();
    await object.sleep();
    const names = Array.from({ length: 20 }, (_, i) => `/dynamic-${i}`);
    for (const name of names) await client.join(name);
    client.take();
    const asked = await client.ask(...names.map((name) => `2${name},["ask me"]`));
    expect(new Set(asked).size).toBe(names.length);
    expect(new Set(object.ackBlocks)).toEqual(new Set(["/_0"]));
  });

  it("has its id from a new block when the first thousand are used", async () => {
    const { client, socket } = await withSocket(() => {});
    for (let i = 0; i < 1_002; i++) socket.emit("x", () => {});
    expect(client.take().slice(-3)).toEqual(['42999["x"]', '421000["x"]', '421001["x"]']);
  });

  it("whose callback throws is logged, and affects no other", async () => {
    const { object, client, socket } = await withSocket(() => {});
    socket.emit("a", () => {
      throw new Error("oops");
    });
    await client.send("30[]");
    expect(object.logs).toEqual(['error: a listener of "acknowledgement" failed: Error: oops']);
    expect(client.isOpen).toBe(true);
  });
});

describe("a broadcast that asks for acknowledgements", () => {
  async function withThree() {
    const object = new FakeObject(() => {});
    const clients = [await object.connect(), await object.connect(), await object.connect()] as const;
    for (const client of clients) await client.join();
    for (const client of clients) client.take();
    return { object, clients };
  }

  it("receives the first argument of every client's answer, in the order of arrival", async () => {
    const { object, clients } = await withThree();
    const promise = object.io.timeout(1_000).emitWithAck("q", 1);
    expect(clients.map((client) => client.take())).toEqual([['420["q",1]'], ['420["q",1]'], ['420["q",1]']]);
    await clients[2].send('30["c","ignored"]');
    await clients[0].send('30["a"]', '30["twice"]');
    await clients[1].send("30[]");
    expect(await promise).toEqual(["c", "a", undefined]);
    expect(object.isAwake).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("receives the answers that came in time, and the error", async () => {
    const { object, clients } = await withThree();
    const answers: unknown[] = [];
    object.io
      .timeout(1_000)
      .emit("q", (error: Error | null, responses: unknown[]) => answers.push([error, responses]));
    const promise = object.io.timeout(1_000).emitWithAck("r");
    const expectation = expect(promise).rejects.toMatchObject({ responses: ["b"] });
    await clients[0].send('30["a"]', '31["b"]');
    await pass(object, 1_000);
    await expectation;
    await clients[1].send('30["late"]');
    expect(answers).toEqual([[new Error("operation has timed out"), ["a"]]]);
  });

  it("does not wait for a client that has left", async () => {
    const { object, clients } = await withThree();
    const promise = object.io.timeout(1_000).emitWithAck("q");
    await clients[0].send('30["a"]');
    await clients[1].send('30["b"]');
    await clients[2].leave();
    expect(await promise).toEqual(["a", "b"]);
  });

  it("waits for the others when a client leaves while the packet is being sent", async () => {
    const { object, clients } = await withThree();
    const [first] = [...object.io.sockets.sockets.values()];
    first?.onAnyOutgoing(() => first.disconnect());
    const promise = object.io.timeout(1_000).emitWithAck("q");
    await clients[1].send('30["b"]');
    await clients[2].send('30["c"]');
    expect(await promise).toEqual(["b", "c"]);
    expect(object.isAwake).toBe(false);
  });

  it("waits for answers on behalf of another object until its timeout, and uses no memory afterwards", async () => {
    const { object, clients } = await withThree();
    const before = object.budget.total;
    const seen: unknown[] = [];
    const packet = { type: 2 as const, nsp: "/", data: ["q"] };
    const opts = { rooms: new Set<string>(), flags: { timeout: 1_000 } };
    object.io.sockets.adapter.broadcastWithAck(
      packet,
      opts,
      (count) => seen.push(["count", count]),
      (answer) => seen.push(["answer", answer]),
      () => seen.push(["gone"]),
    );
    expect(object.budget.total).toBeGreaterThan(before);
    const { total } = object.budget;
    await clients[0].send('30["a"]');
    expect(object.budget.total).toBeLessThan(total);
    const left = object.io.sockets.sockets.size;
    await clients[1].leave();
    expect(object.io.sockets.sockets.size).toBe(left - 1);
    await pass(object, 1_000);
    expect(vi.getTimerCount()).toBe(0);
    await clients[2].send('30["late"]');
    expect(seen).toEqual([["count", 3], ["answer", "a"], ["gone"]]);
    await clients[0].leave();
    await clients[2].leave();
    expect(object.budget.total).toBe(0);
  });

  it("reaches sleeping sockets, whose answers run no listeners", async () => {
    let connections = 0;
    const object = new FakeObject((io) => {
      io.on("connection", () => void connections++);
    });
    const client = await object.connect();
    await client.join();
    await object.sleep();
    client.take();
    connections = 0;
    let promise: Promise<unknown> | undefined;
    await object.act((io) => {
      promise = io.timeout(1_000).emitWithAck("q");
    });
    await client.send('31000["yes"]');
    expect(await promise).toEqual(["yes"]);
    expect(connections).toBe(0);
  });

  it("resolves at once to an empty list when it has no receivers, and fails soon without a timeout", async () => {
    const { object } = await withThree();
    expect(await object.io.to("nowhere").timeout(1_000).emitWithAck("q")).toEqual([]);
    const promise = object.io.to([...object.io.sockets.sockets.keys()]).emitWithAck("q");
    const expectation = expect(promise).rejects.toThrow("operation has timed out");
    await pass(object, 1);
    await expectation;
  });
});

describe("a handler that awaits", () => {
  it.each<[string, (io: Server) => void]>([
    ["a connection listener", (io) => io.on("connection", () => new Promise<void>(() => {}) as never)],
    ["a middleware", (io) => io.use(() => {})],
    ["who decides about a namespace", (io) => void io.of(() => {})],
  ])("keeps the object awake for at most a minute when it never settles: %s", async (_who, setup) => {
    const object = new FakeObject(setup);
    const client = await object.connect({ transport: "polling" });
    await client.send("0", "0/x,");
    await pass(object, 59_000);
    expect([object.isAwake, object.isBusy(client)]).toEqual([true, true]);
    await pass(object, 2_000);
    expect([object.isAwake, object.isBusy(client)]).toEqual([false, false]);
  });

  it("keeps the object awake, and the session is busy after a second", async () => {
    let finish = () => {};
    const { object, client } = await withSocket((io) => {
      io.on("connection", (socket) => {
        socket.on(
          "work",
          () =>
            new Promise<void>((resolve) => {
              finish = resolve;
            }),
        );
      });
    });
    await client.send('2["work"]');
    expect([object.isAwake, object.isBusy(client)]).toEqual([true, false]);
    await pass(object, 1_000);
    expect([object.isAwake, object.isBusy(client)]).toEqual([true, true]);
    finish();
    await object.settle();
    expect([object.isAwake, object.isBusy(client)]).toEqual([false, false]);
  });
});

describe("acknowledgements that the server waits for", () => {
  it("use one timer of the runtime, however many there are", async () => {
    const answers: unknown[] = [];
    const { client } = await withSocket((io) => {
      io.on("connection", (socket) => {
        socket.on("ask", () =>
          socket.timeout(5_000).emit("question", (error: unknown) => answers.push(error)),
        );
      });
    });
    await client.send(...Array.from({ length: 10_050 }, () => '2["ask"]'));
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(answers).toHaveLength(10_050);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("count towards the budget even after their session has ended, and time out at once beyond it", async () => {
    const errors: unknown[] = [];
    const object = new FakeObject(
      (io) => {
        io.on("connection", (socket) => {
          socket.on("ask", () =>
            socket.timeout(60_000).emit("question", (error: unknown) => errors.push(error)),
          );
        });
      },
      { maxHeldBytes: 1_000_000 },
    );
    const bystander = await object.connect();
    await bystander.join();
    for (let i = 0; i < 5; i++) {
      const client = await object.connect();
      await client.join();
      await client.send(...Array.from({ length: 1_000 }, () => '2["ask"]'));
      await client.leave();
      expect(object.budget.total).toBeLessThan(1_000_000);
    }
    await vi.advanceTimersByTimeAsync(0);
    expect(errors).toHaveLength(4_000);
    expect(String(errors[0])).toBe("Error: operation has timed out");
    expect(bystander.isOpen).toBe(true);
    await pass(object, 60_000);
    expect(errors).toHaveLength(5_000);
    expect([object.budget.total, object.isAwake]).toEqual([0, false]);
  });

  it.each(["socket", "io"])(
    "may be requested again by the callback that receives the timeout (%s)",
    async (who) => {
      let asked = 0;
      const object = new FakeObject(
        (io) => {
          io.on("connection", (socket) => {
            const ask = () => {
              if (++asked > 100_000) return;
              const from = who === "io" ? io : socket;
              from.timeout(60_000).emit("question", (error: unknown) => error && ask());
            };
            socket.on("ask", ask);
          });
        },
        { maxHeldBytes: 1_000_000 },
      );
      const bystander = await object.connect();
      await bystander.join();
      const client = await object.connect();
      await client.join();
      let sent = 0;
      for (; object.logs.length === 0; sent++) await client.send('2["ask"]');
      expect(asked).toBe(sent);
      // As often as the runtime takes a breath, and with all others in peace.
      await vi.advanceTimersByTimeAsync(0);
      expect(asked).toBeGreaterThan(sent);
      expect(asked).toBeLessThan(3 * sent);
      expect([bystander.isOpen, client.isOpen]).toEqual([true, who === "io"]);
    },
  );

  it("of broadcasts count towards the budget as well, and time out at once beyond it without closing a client", async () => {
    const outcomes: unknown[] = [];
    const object = new FakeObject(
      (io) => {
        io.on("connection", (socket) => {
          socket.on("ask all", () => {
            io.timeout(60_000).emit("question", (error: unknown, answers: unknown) =>
              outcomes.push([error, answers]),
            );
          });
        });
      },
      { maxHeldBytes: 1_000_000 },
    );
    const clients = [];
    for (let i = 0; i < 10; i++) clients.push(await object.connect());
    for (const client of clients) await client.join();
    await clients[0]!.send(...Array.from({ length: 1_000 }, () => '2["ask all"]'));
    await vi.advanceTimersByTimeAsync(0);
    expect(outcomes.length).toBeGreaterThan(500);
    expect(outcomes[0]).toEqual([new Error("operation has timed out"), []]);
    expect(object.budget.total).toBeLessThan(1_000_000);
    expect(clients.every(({ isOpen }) => isOpen)).toBe(true);
    await pass(object, 60_000);
    expect([outcomes.length, object.budget.total, object.isAwake]).toEqual([1_000, 0, false]);
  });
});
