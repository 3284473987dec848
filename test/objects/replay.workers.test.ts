import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Socket } from "../../src/server/api/socket.ts";
import { RS, TestObject } from "./support.ts";
import { type Talker, TalkObject } from "./talk.ts";

let warnings: string[];

beforeEach(() => {
  warnings = [];
  vi.spyOn(console, "warn").mockImplementation((text) => void warnings.push(String(text)));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Lets other events be delivered, as every `await` of user code does. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

describe.each(["polling", "websocket"] as const)(
  "a listener of connection that runs again (%s)",
  (transport) => {
    it("sends the welcome message of the tutorial once", async () => {
      const object = new TalkObject(`tutorial ${transport}`, (io) => {
        io.on("connection", (socket) => {
          socket.emit("welcome");
          socket.join("lobby");
          socket.on("message", (text, ack) => {
            io.to("lobby").emit("message", text);
            ack();
          });
        });
      });
      const client = await object.connect(transport);
      await client.join();
      expect(await client.hear()).toBe('42["welcome"]');
      for (const text of ["a", "b"]) {
        await object.sleep();
        expect(await client.ask("message", text)).toEqual([`42["message","${text}"]`, "43[]"]);
      }
    });

    it("stays muted across awaits, and rooms and listeners that it added after them exist", async () => {
      const object = new TalkObject(`awaits ${transport}`, (io) => {
        io.on("connection", async (socket) => {
          await pause();
          socket.emit("welcome");
          io.emit("joined");
          await socket.join("late");
          await pause();
          socket.broadcast.emit("hello");
          await socket.leave("never");
          socket.on("rooms", (ack) => ack([...socket.rooms].slice(1)));
          socket.on("leave", (ack) => {
            socket.leave("late");
            ack();
          });
          socket.emit("ready");
        });
      });
      const settled = (it: Talker) => it.hearUntil('42["ready"]');
      const witness = await object.join();
      expect(await witness.hearUntil('42["joined"]')).toEqual(['42["welcome"]', '42["joined"]']);
      await settled(witness);
      const client = await object.join(transport);
      expect(await client.hearUntil('42["joined"]')).toEqual(['42["welcome"]', '42["joined"]']);
      expect(await witness.hearUntil('42["hello"]')).toEqual(['42["joined"]', '42["hello"]']);
      await settled(client);
      await object.sleep();
      expect(await client.ask("rooms")).toEqual(['43[["late"]]']);
      await object.sleep();
      expect(await client.ask("leave")).toEqual(["43[]"]);
      await object.sleep();
      expect(await client.ask("rooms")).toEqual(["43[[]]"]);
      expect(await witness.ask("rooms")).toEqual(['43[["late"]]']);
    });

    it("does not overwrite saved values of socket.data and of the socket", async () => {
      const object = new TalkObject(`assigns ${transport}`, (io) => {
        io.on("connection", async (it) => {
          const socket = it as typeof it & { user?: { visits: number } };
          socket.data.count = 0;
          socket.data.list = [];
          await pause();
          socket.user = { visits: 0 };
          socket.data.list.push("first");
          socket.on("visit", (ack) => ack(++socket.data.count, ++socket.user!.visits, socket.data.list));
          socket.emit("ready");
        });
      });
      const client = await object.join(transport);
      expect(await client.hear()).toBe('42["ready"]');
      for (const visits of [1, 2, 3]) {
        expect(await client.ask("visit")).toEqual([`43[${visits},${visits},["first"]]`]);
        await object.sleep();
      }
    });

    it("emits again where it waits for an acknowledgement, and delays the packet that woke it until it has settled", async () => {
      const object = new TalkObject(`asks ${transport}`, (io) => {
        io.on("connection", async (socket) => {
          const name = await socket.emitWithAck("name?");
          socket.on("hello", (ack) => ack(name));
        });
      });
      const client = await object.join(transport);
      expect(await client.hear()).toBe('420["name?"]');
      await client.say('430["ann"]');
      expect(await client.ask("hello")).toEqual(['43["ann"]']);
      await object.sleep();
      await client.say('427["hello"]');
      expect(await client.hear()).toBe('421000["name?"]');
      await client.say('431000["bob"]');
      expect(await client.hear()).toBe('437["bob"]');
    });

    it("may disconnect the socket, and then the packet that woke it is dropped", async () => {
      const seen: unknown[] = [];
      let isBanned = false;
      const object = new TalkObject(`bans ${transport}`, (io) => {
        io.on("connection", (socket) => {
          socket.on("disconnect", (reason) => seen.push(reason));
          if (isBanned) socket.disconnect();
          socket.on("hello", () => seen.push("hello"));
          socket.on("sync", (ack) => ack());
        });
      });
      const client = await object.join(transport);
      await client.ask("sync");
      isBanned = true;
      await object.sleep();
      await client.say('42["hello"]');
      expect(await client.hear()).toBe("41");
      expect(seen).toEqual(["server namespace disconnect"]);
    });

    it("does not add a `once` listener again that has fired", async () => {
      const object = new TalkObject(`once ${transport}`, (io) => {
        io.on("connection", (socket) => {
          socket.once("first", () => socket.emit("fired"));
          socket.once("second", () => socket.emit("fired 2"));
          socket.on("sync", (ack) => ack(socket.listenerCount("first"), socket.listenerCount("second")));
        });
      });
      const client = await object.join(transport);
      await client.say('42["first"]');
      expect(await client.ask("sync")).toEqual(['42["fired"]', "43[0,1]"]);
      await object.sleep();
      await client.say('42["first"]');
      expect(await client.ask("sync")).toEqual(["43[0,1]"]);
      await object.sleep();
      await client.say('42["second"]');
      expect(await client.ask("sync")).toEqual(['42["fired 2"]', "43[0,0]"]);
    });

    it("does not mute the timers and listeners that it registers", async () => {
      const object = new TalkObject(`timers ${transport}`, (io) => {
        io.on("connection", async (socket) => {
          const timer = setTimeout(() => socket.emit("timer"), 20);
          socket.on("stop", (ack) => {
            clearTimeout(timer);
            ack();
          });
          socket.on("listen", () => socket.emit("listener"));
        });
      });
      const client = await object.join(transport);
      await client.ask("stop");
      await object.sleep();
      await client.say('42["listen"]');
      expect([await client.hear(), await client.hear()]).toEqual(['42["listener"]', '42["timer"]']);
    });

    it("runs once for each namespace of a connection, and only when a packet is for that namespace", async () => {
      const seen: string[] = [];
      const object = new TalkObject(`namespaces ${transport}`, (io) => {
        for (const nsp of ["/", "/a", "/b"]) {
          io.of(nsp).on("connection", (socket) => {
            seen.push(`${nsp} ${socket.recovered}`);
            socket.emit("welcome", nsp);
            socket.data.nsp ??= nsp;
            socket.on("who", () => socket.emit("I am", socket.data.nsp));
            socket.on("disconnect", (reason) => seen.push(`${nsp} ${reason}`));
          });
        }
      });
      const client = await object.connect(transport);
      for (const nsp of ["/", "/a", "/b"]) await client.join(nsp);
      expect(await client.hear()).toBe('42/b,["welcome","/b"]');
      await object.sleep();
      seen.length = 0;
      await client.say('42/a,["who"]');
      expect(await client.hear()).toBe('42/a,["I am","/a"]');
      await client.say('42/a,["who"]', '42["who"]');
      expect([await client.hear(), await client.hear()]).toEqual(['42/a,["I am","/a"]', '42["I am","/"]']);
      expect(seen).toEqual(["/a true", "/ true"]);
      await object.sleep();
      seen.length = 0;
      await client.say("41/a,", '42/b,["who"]');
      expect(await client.hear()).toBe('42/b,["I am","/b"]');
      expect(seen).toEqual(["/a true", "/a client namespace disconnect", "/b true"]);
      await object.sleep();
      seen.length = 0;
      await client.say("41", '42/b,["who"]');
      expect(await client.hear()).toBe('42/b,["I am","/b"]');
      expect(seen).toEqual(["/ true", "/ client namespace disconnect", "/b true"]);
    });

    it("does not disconnect authenticated sockets by a timer if it checks `socket.recovered`", async () => {
      let isNaive = false;
      const object = new TalkObject(`auth ${transport}`, (io) => {
        io.on("connection", (socket) => {
          if (isNaive || !socket.recovered) {
            setTimeout(() => {
              if (!socket.data.isAuthenticated) socket.disconnect();
            }, 20);
          }
          socket.on("auth", (ack) => {
            socket.data.isAuthenticated = true;
            ack();
          });
          socket.on("sync", async (ack) => {
            await new Promise((resolve) => setTimeout(resolve, 40));
            ack();
          });
        });
      });
      const known = await object.join(transport);
      await known.ask("auth");
      const stranger = await object.join(transport);
      expect(await stranger.hear()).toBe("41");
      await object.sleep();
      expect(await known.ask("sync")).toEqual(["43[]"]);
      isNaive = true;
      await object.sleep();
      expect(await known.ask("sync")).toEqual(["43[]"]);
    });
  },
);

describe("a sleeping socket", () => {
  it("is loaded when server code reads it, without running any of its listeners", async () => {
    const seen: string[] = [];
    const object = new TalkObject("loaded", (io) => {
      io.use((_, next) => {
        seen.push("middleware");
        next();
      });
      io.on("connection", (socket) => {
        seen.push("connection");
        socket.join("room");
        socket.data.name = socket.handshake.auth.name;
        socket.onAnyOutgoing((event) => seen.push(`outgoing ${event}`));
        socket.on("show", (ack) => ack(socket.data, [...socket.rooms].slice(1)));
      });
    });
    const ann = await object.join("websocket", { name: "ann" });
    const bob = await object.join("polling", { name: "bob" });
    await object.sleep();
    seen.length = 0;
    await object.act(async (io) => {
      expect(io.engine.clientsCount).toBe(2);
      expect(io.sockets.sockets.size).toBe(2);
      expect([...io.sockets.adapter.rooms.get("room")!]).toEqual([ann.id, bob.id]);
      expect(io.sockets.adapter.sids.get(bob.id)).toEqual(new Set([bob.id, "room"]));
      const sockets = [...io.sockets.sockets.values()];
      // It is the class that user code knows, asleep or not.
      for (const socket of sockets) expect(socket).toBeInstanceOf(Socket);
      expect(sockets.map(({ id, recovered, connected, data }) => [id, recovered, connected, data])).toEqual([
        [ann.id, true, true, { name: "ann" }],
        [bob.id, true, true, { name: "bob" }],
      ]);
      expect((await io.in("room").fetchSockets()).map(({ id }) => id)).toEqual([ann.id, bob.id]);
      sockets[0]!.emit("direct");
      sockets[1]!.data.seen = true;
      sockets[1]!.join("later");
      io.to("later").emit("moved");
      io.emit("broadcast");
      io.in("later").socketsJoin("latest");
    });
    expect([await ann.hear(), await ann.hear()]).toEqual(['42["direct"]', '42["broadcast"]']);
    expect([await bob.hear(), await bob.hear()]).toEqual(['42["moved"]', '42["broadcast"]']);
    expect(seen).toEqual([]);
    await object.sleep();
    expect(await bob.ask("show")).toEqual(['43[{"name":"bob","seen":true},["room","later","latest"]]']);
    // It was loaded for its packet: listeners run again, middlewares do not.
    expect(seen).toEqual(["connection"]);
    await object.act((io) => io.emit("heard"));
    expect(seen).toEqual(["connection", "outgoing heard"]);
  });

  it.each(["polling", "websocket"] as const)(
    "runs its disconnect handlers when it leaves (%s)",
    async (transport) => {
      const seen: unknown[] = [];
      const object = new TalkObject(`leaves ${transport}`, (io) => {
        io.on("connection", (socket) => {
          socket.data.name = "ann";
          socket.join("room");
          socket.on("disconnecting", (reason) =>
            seen.push([reason, [...socket.rooms].slice(1), socket.data.name]),
          );
          socket.on("disconnect", (reason) => {
            seen.push([reason, socket.rooms.size, io.sockets.sockets.size]);
            io.emit("left", socket.data.name);
          });
          socket.on("sync", (ack) => ack());
        });
      });
      const witness = await object.join();
      const client = await object.join(transport);
      await client.ask("sync");
      await object.sleep();
      await client.say("1");
      expect(await witness.hear()).toBe('42["left","ann"]');
      expect(seen).toEqual([
        ["transport close", ["room"], "ann"],
        ["transport close", 0, 1],
      ]);
    },
  );

  it("runs its disconnect handlers when server code disconnects it", async () => {
    const seen: unknown[] = [];
    const object = new TalkObject("kicked", (io) => {
      io.on("connection", (socket) => {
        socket.on("disconnect", (reason) => seen.push([reason, socket.handshake.auth.name]));
      });
    });
    const ann = await object.join("websocket", { name: "ann" });
    const bob = await object.join("polling", { name: "bob" });
    await object.sleep();
    await object.act((io) => io.disconnectSockets());
    expect([await ann.hear(), await bob.hear()]).toEqual(["41", "41"]);
    expect(seen).toEqual([
      ["server namespace disconnect", "ann"],
      ["server namespace disconnect", "bob"],
    ]);
  });

  it("ends when the deployed code has no such namespace any more, and its connection's other sockets stay", async () => {
    const echo = (socket: { on(event: string, listener: (ack: () => void) => void): unknown }) =>
      socket.on("sync", (ack) => ack());
    const object = new TalkObject("no namespace", (io) => {
      io.on("connection", echo);
      io.of("/old").on("connection", echo);
    });
    const client = await object.join("websocket");
    await client.join("/old");
    const other = await object.connect("polling");
    await other.join("/old");
    await other.join();
    object.deploy((io) => void io.on("connection", echo));
    await object.sleep();
    await client.say('42/old,["sync"]');
    expect(await client.hear()).toBe("41/old,");
    expect(await client.ask("sync")).toEqual(["43[]"]);
    expect(await other.ask("sync")).toEqual(["43[]"]);
    await object.act((io) => io.disconnectSockets(true));
    expect(warnings).toEqual([
      'socket.io-edge: namespace "/old" has sockets and does not exist; create it in the setup function',
    ]);
    // Its last packets wait for it.
    expect(await object.sessionRows()).toEqual([`sio_s:${other.sid}`, `sio_rows:${other.sid}:queue:1`]);
  });
});

describe("2,000 sleeping sockets", () => {
  it("are each loaded once when a listener that runs again looks at all of them", async () => {
    const object = new TalkObject("2000", (io) => {
      let looks = 0;
      io.on("connection", (socket) => {
        socket.data.name ??= socket.handshake.auth.name;
        if (socket.recovered) for (const [, other] of io.sockets.sockets) if (other.data.name) looks++;
        socket.on("looks", (ack) => ack(looks));
      });
    });
    const clients = [];
    for (let i = 0; i < 2_000; i++) clients.push(await object.join("websocket", { name: `client ${i}` }));
    await object.sleep();
    const reads = await object.run((_, ctx) => countReads(ctx));
    expect(await clients[1_234]!.ask("looks")).toEqual(["43[2000]"]);
    expect(await clients[77]!.ask("looks")).toEqual(["43[4000]"]);
    // At most one read for the sender of each message, and two for every session when all were requested: to find, to
    // load.
    expect(reads.attachments).toBeLessThanOrEqual(4_010);
    expect(reads.lists).toBeLessThanOrEqual(2);
    reads.stop();
  }, 60_000);

  it("are not loaded by a message of one of them", async () => {
    const object = new TalkObject("one of many", (io) => {
      io.on("connection", (socket) => {
        socket.on("sync", (ack) => ack());
      });
    });
    const clients = [];
    for (let i = 0; i < 200; i++) clients.push(await object.join());
    await object.sleep();
    const reads = await object.run((_, ctx) => countReads(ctx));
    expect(await clients[100]!.ask("sync")).toEqual(["43[]"]);
    expect(reads).toMatchObject({ attachments: 1, lists: 0 });
    reads.stop();
  });
});

/** Counts how often attachments and the list of sockets are read. */
function countReads(ctx: DurableObjectState) {
  const sockets = Object.getPrototypeOf(ctx) as DurableObjectState;
  const socket = WebSocket.prototype as WebSocket;
  const { getWebSockets } = sockets;
  const { deserializeAttachment } = socket;
  const reads = {
    attachments: 0,
    lists: 0,
    stop: () => {
      sockets.getWebSockets = getWebSockets;
      socket.deserializeAttachment = deserializeAttachment;
    },
  };
  sockets.getWebSockets = function (tag) {
    if (tag === undefined) reads.lists++;
    return getWebSockets.call(this, tag);
  };
  socket.deserializeAttachment = function () {
    reads.attachments++;
    return deserializeAttachment.call(this);
  };
  return reads;
}

describe("code that runs again", () => {
  it("has its setup function muted in every instance but the first one of the object", async () => {
    const object = new TalkObject("setup", async (io) => {
      io.emit("started");
      await pause();
      io.emit("started late");
      io.socketsJoin("everybody");
      io.on("connection", (socket) => {
        socket.on("rooms", (ack) => ack([...socket.rooms].slice(1)));
      });
    });
    const client = await object.join();
    await object.sleep();
    expect(await client.ask("rooms")).toEqual(["43[[]]"]);
  });

  it("warns once of what a handler adds late, since that is lost by sleep", async () => {
    const object = new TalkObject("late", (io) => {
      io.on("connection", (socket) => {
        socket.on("add", (ack) => {
          socket.on("late", (answer) => answer("late"));
          io.of("/late");
          ack();
        });
        socket.on("count", (ack) => ack(socket.listenerCount("late"), io._nsps.has("/late")));
      });
    });
    const client = await object.join();
    await client.ask("add");
    await client.ask("add");
    expect(await client.ask("late")).toEqual(['43["late"]']);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/is gone once the object has slept; add it in the connection listener$/);
    expect(warnings[1]).toBe(
      'socket.io-edge: namespace "/late" is gone once the object has slept; create it in the setup function',
    );
    await object.sleep();
    expect(await client.ask("count")).toEqual(["43[0,false]"]);
  });

  it("is muted with defineEngine as well", async () => {
    const object = new TestObject("greet", "GREET");
    const socket = await object.openSocket();
    expect(await socket.next()).toBe("4welcome");
    const polling = await object.openPolling();
    expect(await polling.poll()).toBe("4welcome");
    await object.sleep();
    expect(await socket.echo("hello")).toBe("4hello");
    await polling.post("4hello");
    // A ping is due when an instance does not know when the last one was sent.
    expect(await polling.poll()).toBe(`2${RS}4hello`);
  });
});
