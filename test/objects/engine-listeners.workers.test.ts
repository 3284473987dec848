import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Session } from "../../src/engine/session.ts";
import type { Server, Socket } from "../../src/server/index.ts";
import { RS, TestObject, until } from "./support.ts";
import { TalkObject } from "./talk.ts";

let logged: string[];

beforeEach(() => {
  logged = [];
  vi.spyOn(console, "error").mockImplementation((...args) => void logged.push(args.join(": ")));
});
afterEach(() => vi.restoreAllMocks());

function fail(): never {
  throw new Error("mistake");
}

const log = (event: string) => `socket.io-edge: a listener of "${event}" failed: Error: mistake`;

/** Records what arrives, and lets `prepare` add a listener that fails. */
function create(prepare: (io: Server) => void): { object: TalkObject; arrived: unknown[] } {
  const arrived: unknown[] = [];
  const object = new TalkObject(crypto.randomUUID(), (io) => {
    prepare(io);
    io.on("connection", (socket) => {
      socket.on("note", (text) => arrived.push(text));
      socket.on("disconnect", (reason) => arrived.push(reason));
    });
  });
  return { object, arrived };
}

/** Adds a listener that fails to the connection of the first client that joins. */
const toFirst = (add: (conn: Socket["conn"]) => void) => (io: Server) => {
  io.once("connection", (socket) => add(socket.conn));
};

describe.each(["polling", "websocket"] as const)("a listener that throws, over %s", (transport) => {
  it.each(["packetCreate", "flush", "drain"] as const)(
    "of %s does not keep a broadcast from the others",
    async (event) => {
      const { object } = create(toFirst((conn) => conn.on(event, fail)));
      const [first, second] = [await object.join(transport), await object.join(transport)];
      const heard = [first.hear(), second.hear()];
      if (transport === "polling") {
        await until(() => object.run((_, ctx) => ctx.getWebSockets().length === 2));
      }
      logged.length = 0;
      await object.act((io) => void io.emit("news"));
      expect(await Promise.all(heard)).toEqual(['42["news"]', '42["news"]']);
      expect(logged).toEqual([log(event)]);
    },
  );

  it("of packet does not keep packets from their handlers", async () => {
    const { object, arrived } = create(toFirst((conn) => conn.on("packet", fail)));
    const client = await object.join(transport);
    await client.say('42["note",1]', '42["note",2]');
    await until(() => arrived.length === 2);
    expect(arrived).toEqual([1, 2]);
    expect(logged).toEqual([log("packet"), log("packet")]);
  });

  it("of close does not keep other sessions from being closed", async () => {
    const { object, arrived } = create((io) => io.engine.on("connection", (conn) => conn.on("close", fail)));
    await object.join(transport);
    await object.join(transport);
    await object.act((io) => void io.engine.close());
    expect(arrived).toEqual(["forced close", "forced close"]);
    expect(await object.act((io) => io.engine.clientsCount)).toBe(0);
    expect(logged).toEqual([log("close"), log("close")]);
  });

  it("of the engine's connection, or a headers hook, does not keep the client out", async () => {
    const { object, arrived } = create((io) => {
      io.engine.on("connection", fail);
      io.engine.on("initial_headers", fail);
      io.engine.on("headers", fail);
    });
    const client = await object.join(transport);
    await client.say('42["note","here"]');
    await until(() => arrived.length === 1);
    expect(logged).toEqual(
      expect.arrayContaining([log("connection"), log("initial_headers"), log("headers")]),
    );
    expect(await object.run((_, ctx) => ctx.storage.getAlarm())).not.toBeNull();
  });
});

it("a listener of connection_error that throws does not change the refusal", async () => {
  const { object } = create((io) => io.engine.on("connection_error", fail));
  const response = await object.fetch({ op: "poll", sid: "nobody" });
  expect([response.status, await response.json()]).toEqual([400, { code: 1, message: "Session ID unknown" }]);
  expect(logged).toEqual([log("connection_error")]);
});

it("a listener of connection that rejects is logged as well", async () => {
  const { object } = create((io) => {
    io.engine.on("connection", async () => fail());
  });
  const client = await object.connect("polling");
  await client.say("40");
  await until(() => logged.length > 0);
  expect(logged).toEqual([log("connection")]);
});

it("a callback of send that throws does not keep the next one from being called", async () => {
  const called: string[] = [];
  const { object } = create((io) => {
    io.engine.on("connection", (conn) => {
      conn.send("a", fail);
      conn.send("b", () => called.push("b"));
    });
  });
  const client = await object.openPolling();
  expect(await client.poll()).toBe(`4a${RS}4b`);
  await until(() => called.length > 0 || logged.length > 0);
  expect(called).toEqual(["b"]);
});

it("emit() returns true when a listener added with once() was called, and false afterwards", async () => {
  const object = new TestObject("emit tells", "TOLD");
  await object.openPolling();
  const told = await object.run(({ engine }) => {
    const [session] = Object.values(engine.clients);
    const emit = () => [session?.emit("heartbeat"), engine.emit("drain", session as Session)];
    engine.removeAllListeners("drain").once("drain", () => {});
    session?.removeAllListeners("heartbeat").once("heartbeat", () => {});
    return [emit(), emit()];
  });
  expect(told).toEqual([
    [true, true],
    [false, false],
  ]);
});
