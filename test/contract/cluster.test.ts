import { io, type Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Calls } from "../fixtures/apps/cluster.ts";
import { ask, connected } from "../support/clients.ts";
import { type RunningCluster, startCluster } from "../support/clusters.ts";
import { targets } from "../support/targets.ts";

/**
 * What several servers that are one promise, on Node with the official adapter between processes and here over objects:
 * a client on each of them, and what one of them is told to do is seen by all.
 */
describe.each(targets)("a cluster of three servers, on %s", (target) => {
  let cluster: RunningCluster;
  let clients: Client[] = [];
  beforeAll(async () => {
    cluster = await startCluster(target);
  });
  afterEach(() => {
    for (const { socket } of clients) socket.disconnect();
  });
  afterAll(() => cluster?.close());

  interface Client {
    readonly socket: Socket;
    readonly heard: unknown[][];
    io(...calls: Calls): Promise<unknown>;
    itself(...calls: Calls): Promise<unknown>;
    remote(room: string, ...calls: Calls): Promise<unknown>;
  }

  async function join(server: number, nsp = "/"): Promise<Client> {
    const { url, query } = cluster.servers[server]!;
    const name = ["ann", "bob", "cat"][server];
    const socket = io(url + nsp, { transports: ["websocket"], forceNew: true, query, auth: { name } });
    const heard: unknown[][] = [];
    socket.onAny((...event) => heard.push(event.filter((arg) => typeof arg !== "function")));
    await connected(socket);
    return {
      socket,
      heard,
      io: (...calls) => ask(socket, "io", calls),
      itself: (...calls) => ask(socket, "socket", calls),
      remote: (room, ...calls) => ask(socket, "remote", room, calls),
    };
  }

  async function joinAll(): Promise<[Client, Client, Client]> {
    clients = await Promise.all([join(0), join(1), join(2)]);
    return clients as [Client, Client, Client];
  }

  /** What all have heard once everything that ann's server said before has arrived. */
  async function heardByAll(): Promise<unknown[][][]> {
    await clients[0]!.io(["emit", "end"]);
    await expect
      .poll(() => clients.every(({ heard }) => heard.some(([event]) => event === "end")), { timeout: 5_000 })
      .toBe(true);
    return clients.map(({ heard }) => heard.splice(0).filter(([event]) => event !== "end"));
  }

  it("knows its number of servers", async () => {
    const [ann] = await joinAll();
    expect(await ann.io(["of", "/"], ["adapter"], ["serverCount"])).toBe(3);
  });

  it("delivers a broadcast to every client once", async () => {
    const [ann] = await joinAll();
    await ann.io(["emit", "news", 1, { deep: [null] }]);
    expect(await heardByAll()).toEqual(Array(3).fill([["news", 1, { deep: [null] }]]));
  });

  it("delivers a broadcast to rooms, to each socket once, and not to the excepted ones", async () => {
    const [ann, bob, cat] = await joinAll();
    await bob.itself(["join", ["red", "blue"]]);
    await cat.itself(["join", ["blue"]]);
    await ann.io(["to", ["red", "blue"]], ["emit", "rooms"]);
    await ann.io(["to", "blue"], ["except", "red"], ["emit", "blue but red"]);
    await ann.io(["except", ["red"]], ["emit", "all but red"]);
    await ann.io(["to", "nobody"], ["emit", "nobody"]);
    expect(await heardByAll()).toEqual([
      [["all but red"]],
      [["rooms"]],
      [["rooms"], ["blue but red"], ["all but red"]],
    ]);
  });

  it("limits a broadcast to one server with `local`, and to its namespace", async () => {
    const [ann] = await joinAll();
    const other = await join(1, "/other");
    await ann.io(["local"], ["emit", "here"]);
    await ann.io(["of", "/other"], ["emit", "there"]);
    expect(await heardByAll()).toEqual([[["here"]], [], []]);
    await expect.poll(() => other.heard).toEqual([["there"]]);
    other.socket.disconnect();
  });

  it("delivers broadcasts of a socket to all others, and volatile packets to those that are ready", async () => {
    const [ann, bob, cat] = await joinAll();
    await ann.itself(["broadcast"], ["emit", "from ann"]);
    // Node drops a volatile packet while the packet before it is being written.
    for (const { heard } of [bob, cat]) await expect.poll(() => heard).toEqual([["from ann"]]);
    await ann.io(["volatile"], ["emit", "volatile"]);
    expect(await heardByAll()).toEqual([
      [["volatile"]],
      [["from ann"], ["volatile"]],
      [["from ann"], ["volatile"]],
    ]);
  });

  it("reaches one socket by its id, on whichever server it is", async () => {
    const [ann, bob, cat] = await joinAll();
    await ann.io(["to", cat.socket.id], ["emit", "to cat"]);
    await bob.io(["to", ann.socket.id], ["emit", "to ann"]);
    await expect.poll(() => ann.heard).toEqual([["to ann"]]);
    expect(await heardByAll()).toEqual([[["to ann"]], [], [["to cat"]]]);
  });

  it("keeps the order of the messages of one server, across rooms", async () => {
    const [ann, bob, cat] = await joinAll();
    for (const client of [ann, bob, cat]) await client.itself(["join", ["red", "blue"]]);
    const said = Array.from(
      { length: 200 },
      (_, i) => [i % 3 === 0 ? "red" : i % 3 === 1 ? "blue" : undefined, i] as const,
    );
    for (const [room, i] of said) {
      const calls: Calls = room === undefined ? [] : [["to", room]];
      ann.socket.emit("io", [...calls, ["emit", "n", i]]);
    }
    const all = said.map(([, i]) => ["n", i]);
    expect(await heardByAll()).toEqual([all, all, all]);
  });

  it("carries bytes", async () => {
    const [ann] = await joinAll();
    await ann.io(["emit", "bytes", Buffer.from([1, 2, 255])]);
    for (const heard of await heardByAll())
      expect(Buffer.from(heard[0]![1] as Uint8Array)).toEqual(Buffer.from([1, 2, 255]));
  });

  it("finds the sockets of all servers, with data, rooms and handshake", async () => {
    const [ann, bob, cat] = await joinAll();
    await bob.itself(["join", ["red"]]);
    const names = (await ann.io(["fetchSockets"])) as { name: string }[];
    expect(names.map(({ name }) => name).sort()).toEqual(["ann", "bob", "cat"]);
    expect(await cat.io(["in", "red"], ["fetchSockets"])).toEqual([
      { name: "bob", rooms: ["red"], auth: { name: "bob" } },
    ]);
    expect(await ann.io(["local"], ["fetchSockets"])).toEqual([
      { name: "ann", rooms: [], auth: { name: "ann" } },
    ]);
  });

  it("makes sockets of all servers join, leave and disconnect", async () => {
    const [ann, bob, cat] = await joinAll();
    await ann.io(["socketsJoin", ["club", "hall"]]);
    await ann.io(["to", "club"], ["emit", "club"]);
    await ann.io(["in", bob.socket.id], ["socketsLeave", "club"]);
    await ann.io(["to", "club"], ["emit", "club but bob"]);
    await ann.io(["to", "hall"], ["emit", "hall"]);
    const all = [["club"], ["club but bob"], ["hall"]];
    expect(await heardByAll()).toEqual([all, [["club"], ["hall"]], all]);
    const gone = new Promise((resolve) => cat.socket.once("disconnect", resolve));
    await ann.io(["in", cat.socket.id], ["disconnectSockets"]);
    expect(await gone).toBe("io server disconnect");
  });

  it("acts on a socket of another server: emit, join, leave, emitWithAck, disconnect", async () => {
    const [ann, bob] = await joinAll();
    bob.socket.on("question", (text, answer) => answer(`${text}!`));
    const { id } = bob.socket as { id: string };
    await ann.remote(id, ["emit", "to bob"]);
    await ann.remote(id, ["join", "red"]);
    expect(await ann.io(["in", "red"], ["fetchSockets"])).toMatchObject([{ name: "bob" }]);
    await ann.remote(id, ["leave", "red"]);
    expect(await ann.io(["in", "red"], ["fetchSockets"])).toEqual([]);
    expect(await ann.remote(id, ["timeout", 2_000], ["emitWithAck", "question", "who"])).toBe("who!");
    const gone = new Promise((resolve) => bob.socket.once("disconnect", resolve));
    await ann.remote(id, ["disconnect", true]);
    expect(await gone).toBe("io server disconnect");
    expect(bob.heard[0]).toEqual(["to bob"]);
  });

  it("emits from one server to the others, and not to itself", async () => {
    const [ann, bob, cat] = await joinAll();
    const before = (await ask<unknown[]>(ann.socket, "heard")).length;
    await ann.io(["serverSideEmit", "between servers", "hello", { n: 1 }]);
    for (const client of [bob, cat]) {
      await expect
        .poll(async () => (await ask<unknown[]>(client.socket, "heard")).at(-1))
        .toEqual(["hello", { n: 1 }]);
    }
    expect(await ask<unknown[]>(ann.socket, "heard")).toHaveLength(before);
    expect(await ann.io(["serverSideEmitWithAck", "between servers", "you"])).toEqual([
      "heard you",
      "heard you",
    ]);
  });

  it("collects acknowledgements of all clients, or those that arrived before the timeout", async () => {
    const [ann, bob, cat] = await joinAll();
    const questions = [ann, bob].map(({ socket }, i) => socket.on("question", (answer) => answer(i)));
    expect(questions).toHaveLength(2);
    cat.socket.on("question", (answer) => answer(Buffer.from([7])));
    const all = (await ann.io(["timeout", 2_000], ["emitWithAck", "question"])) as unknown[];
    expect(all.map((answer) => (typeof answer === "number" ? answer : "bytes")).sort()).toEqual([
      0,
      1,
      "bytes",
    ]);
    cat.socket.off("question");
    const some = (await ann.io(["timeout", 500], ["emitWithAck", "question"])) as {
      error: string;
      responses: number[];
    };
    expect([some.error, some.responses.sort()]).toEqual(["operation has timed out", [0, 1]]);
    expect(await bob.io(["to", "nobody"], ["timeout", 500], ["emitWithAck", "question"])).toEqual([]);
  });

  // On Node a server has its own sockets join and leave only after it has told the others.
  it.runIf(target === "edge")("ask in order with what they say", async () => {
    const [ann, bob] = await joinAll();
    bob.socket.emit("io", [["socketsJoin", "late"]]);
    expect(await bob.io(["in", "late"], ["fetchSockets"])).toHaveLength(3);
    ann.socket.emit("io", [["socketsLeave", "late"]]);
    expect(await ann.io(["in", "late"], ["fetchSockets"])).toEqual([]);
  });
});
