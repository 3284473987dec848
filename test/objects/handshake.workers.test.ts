import { afterEach, describe, expect, it, vi } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import { TestObject } from "./support.ts";
import { TalkObject } from "./talk.ts";

/** Makes `engine` generate its ids only when `count` clients have asked for one, and then all at once. */
function makeIdsTogether(engine: Engine, count: number, makeId: () => string): void {
  let asked = 0;
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  engine.generateId = async () => {
    asked++;
    if (asked === count) release();
    await gate;
    return makeId();
  };
}

const statuses = (responses: Response[]) => responses.map(({ status }) => status).sort();

it("one id is given to one session only, even when two handshakes ask for it at the same moment", async () => {
  const object = new TalkObject("one id", (io) => makeIdsTogether(io.engine, 3, () => "same"));
  const opened = await Promise.all([1, 2, 3].map(() => object.fetch({ op: "open" })));
  expect(statuses(opened)).toEqual([200, 400, 400]);
  expect(await object.act((io) => io.engine.clientsCount)).toBe(1);
});

it("no more than maxSessions are accepted, even when all handshakes arrive at the same moment", async () => {
  const object = new TestObject("full", "SMALL");
  await object.run(({ engine }) => makeIdsTogether(engine, 4, () => crypto.randomUUID()));
  const opened = await Promise.all([1, 2, 3, 4].map(() => object.fetch({ op: "open" })));
  expect(statuses(opened)).toEqual([200, 200, 403, 403]);
  expect(await object.run(({ engine }) => engine.clientsCount)).toBe(2);
});

afterEach(() => vi.restoreAllMocks());

describe.each(["polling", "websocket"] as const)("a session that storage cannot keep (%s)", (transport) => {
  it("ends at once and leaves nothing behind, and the next client is served", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    const ends: string[] = [];
    const object = new TalkObject(`not kept ${transport}`, (io) => {
      io.engine.on("connection", (session) => session.on("close", (reason) => ends.push(reason)));
    });
    await object.run((_, { storage: { kv } }) => {
      const { put } = kv;
      const spy = vi.spyOn(kv, "put").mockImplementation((key, value) => {
        if (key !== "sio_meta") return put.call(kv, key, value);
        spy.mockRestore();
        throw new Error("the disk is full");
      });
    });
    if (transport === "polling") expect(await (await object.openPolling()).poll()).toMatch(/^400 /);
    else expect(await (await object.openSocket()).closed).toBe(1005);
    expect(logged).toHaveBeenCalledWith(
      "socket.io-edge: a session could not be saved and is closed",
      new Error("the disk is full"),
    );
    expect(ends).toEqual(["transport error"]);
    expect(await object.act((io) => io.engine.clientsCount)).toBe(0);
    expect(await object.rows()).toEqual(new Map());
    expect(await object.roles()).toEqual([]);
    const client = await object.join(transport);
    await object.sleep();
    await client.live();
    expect(await object.act((io) => io.engine.clientsCount)).toBe(1);
    expect(await object.run((_, { storage }) => storage.getAlarm())).not.toBeNull();
  });
});
