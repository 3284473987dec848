import { describe, expect, it } from "vitest";
import { TalkObject } from "./talk.ts";

/** Methods of the class, called as by another object or the Worker. */
interface Stub {
  user(): Promise<unknown>;
  everything(): Promise<unknown>;
  rename(name: string): Promise<void>;
  store(): Promise<[string, unknown][]>;
}

const create = async (name: string) => {
  const object = new TalkObject(name, (io) => {
    io.on("connection", (socket) => {
      socket.data.user = { name: "ann", tags: ["a"] };
      socket.on("show", (ack) => ack(socket.data.user));
      socket.on("use", () => {});
    });
  });
  const client = await object.join("websocket", { token: 1 });
  return { object, client, stub: object.stub as unknown as Stub };
};

describe.each(["awake", "asleep"])("methods of the user's class, with the object %s", (state) => {
  it("return values that they read from sockets to other objects as plain copies", async () => {
    const { object, stub } = await create(`own methods ${state}`);
    if (state === "asleep") await object.sleep();
    const user = { name: "ann", tags: ["a"] };
    expect(await stub.user()).toEqual(user);
    expect(await stub.everything()).toEqual({
      data: { user },
      auth: { token: 1 },
      users: new Map([["ann", [user]]]),
    });
  });

  it("may change values that another method of the class returned", async () => {
    const { object, client, stub } = await create(`own changes ${state}`);
    if (state === "asleep") await object.sleep();
    await stub.rename("bob");
    await object.sleep();
    expect(await client.ask("show")).toEqual(['43[{"name":"bob","tags":["a"],"renamed":true}]']);
  });

  it("may put values that they read from sockets into storage", async () => {
    const { object, stub } = await create(`own storage ${state}`);
    if (state === "asleep") await object.sleep();
    const user = { name: "ann", tags: ["a"] };
    const entries = new Map(await stub.store());
    expect(entries.get("user")).toEqual(user);
    expect(entries.get("users")).toEqual([user]);
    expect(entries.get("in transaction")).toEqual(user);
    expect(await object.run((_instance, { storage }) => storage.kv.get("kept"))).toEqual({ user });
  });
});

it.each(["awake", "asleep"])(
  "methods return what is in io.data, and may change what they give each other, %s",
  async (state) => {
    const object = new TalkObject(`own shared ${state}`, (io) => {
      io.on("connection", (socket) => {
        socket.on("set", (ack) => {
          io.data.games = new Map([["a", { moves: [] as string[] }]]);
          io.data.users = { ann: { n: 1 } };
          ack();
        });
      });
    });
    await (await object.join()).ask("set");
    const stub = object.stub as unknown as { shared(): Promise<unknown>; share(): Promise<void> };
    if (state === "asleep") await object.sleep();
    const games = new Map([["a", { moves: [] as string[] }]]);
    const users = { ann: { n: 1 } };
    expect(await stub.shared()).toEqual({ data: { games, users }, games, users, moves: [] });
    await stub.share();
    await object.restart();
    games.get("a")?.moves.push("e4");
    games.set("b", { moves: [] });
    const changed = { ann: { n: 3 }, bob: { n: 7 } };
    const again = object.stub as unknown as typeof stub;
    expect(await again.shared()).toEqual({
      data: { games, users: changed },
      games,
      users: changed,
      moves: ["e4"],
    });
    expect(await object.run((_instance, { storage }) => storage.kv.get("games"))).toEqual(games);
  },
);

it("the context in a method refuses to set the alarm, and says what to use instead", async () => {
  const { object } = await create("own context");
  await object.run(async (instance) => {
    const { ctx } = instance as unknown as { ctx: DurableObjectState };
    expect(() => ctx.storage.setAlarm(1)).toThrow("use this.schedule(time)");
  });
});
