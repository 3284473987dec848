import { fileURLToPath } from "node:url";
import { io, type Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { connected } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { keyOf } from "../support/shard-keys.ts";
import { Inbox } from "../support/within.ts";

const index = fileURLToPath(new URL("../../src/index.ts", import.meta.url));

/** A Worker that keeps an emitter in a variable of the module, and uses it without waiting for what it returns. */
const toWorker = (shards: number) => `
import { env } from "cloudflare:workers";
import { Adapter, defineServer } from ${JSON.stringify(index)};

class Fragile extends Adapter {
  broadcast(packet, opts) {
    if (packet.data[0] === "refused") throw new Error("the adapter refuses it");
    super.broadcast(packet, opts);
  }
}
const chat = defineServer(
  { shards: ${shards}, shardBy: ({ _query }) => _query.key ?? "", adapter: Fragile },
  async (io) => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    io.of("/other").on("connection", () => {});
    io.on("connection", (socket) => socket.join("room"));
    io.on("to servers", (n) => io.local.emit("n", n));
  },
);
let fault;
let release;
export class SessionObject extends chat.SessionObject {
  async socketIoPeer(call) {
    const happens = call.type === "relay" ? fault : undefined;
    fault = undefined;
    if (happens === "held") await new Promise((resolve) => (release = resolve));
    if (happens === "lost") throw new Error("the call is lost");
    if (happens === "older code") return { count: 0, values: [], isComplete: true, isUnknown: true };
    return super.socketIoPeer(happens === "newer code" ? { ...call, v: 9 } : call);
  }
}
const kept = chat.emitter(env);
const unhandled = [];
addEventListener("unhandledrejection", ({ reason }) => unhandled.push(String(reason)));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const toText = (promise) => promise.then((value) => value ?? "done", (error) => error.message);

const routes = {
  /** Says numbers in each way there is, some in one turn and some later. */
  async count(from, hasServerSide) {
    const say = [
      (n) => kept.emit("n", n),
      (n) => kept.to("room").emit("n", n),
      // A listener on the server waits for setup in an object that wakes up, and clients do not.
      (n) => (hasServerSide ? kept.serverSideEmit("to servers", n) : kept.emit("n", n)),
      (n) => (kept.socketsJoin(["club " + n]), kept.in("club " + n).emit("n", n)),
      (n) => (kept.of("/other").emit("n", n), kept.except("nobody").emit("n", n)),
    ];
    for (let n = from; n < from + 100; n++) {
      if (n % 7 === 0) await pause(n % 3);
      say[n % say.length](n);
    }
    return "said";
  },
  async forget() {
    void kept.emit("n", 1);
    await pause(1);
    void kept.emit("n", 2);
    void kept.to("room").emit("refused");
    void kept.emit("n", 3);
    return "said";
  },
  async fail(what) {
    fault = what;
    const first = [kept.emit("n", 1), kept.emit("n", 2)].map(toText);
    await pause(0);
    const later = [kept.emit("n", 3), kept.emit("refused"), kept.emit("n", 4)].map(toText);
    return Promise.all([...first, ...later]);
  },
  async hold() {
    fault = "held";
    await kept.emit("n", 1);
    return "said";
  },
  async release() {
    while (release === undefined) await pause(1);
    await kept.emit("n", 2);
    release();
    return "said";
  },
  async much() {
    const text = "x".repeat(900_000);
    const answers = Array.from({ length: 20 }, (_, n) => toText(kept.to("nobody").emit("much", n, text)));
    const answer = await Promise.all(answers);
    return [...answer, await toText(kept.emit("n", 1))];
  },
  async invalid() {
    const circular = {};
    circular.self = circular;
    const calls = [
      () => kept.emit("disconnect"),
      () => kept.serverSideEmit("connection"),
      () => kept.emit("n", () => {}),
      () => kept.emit("n", circular),
    ];
    return calls.map((call) => {
      try {
        return call() && "no error";
      } catch (error) {
        return error.message;
      }
    });
  },
  async bytes() {
    const bytes = new Uint8Array(1_000_000).fill(1);
    const said = kept.emit("bytes", bytes.subarray(0, 2));
    bytes.fill(2);
    await said;
    return "said";
  },
  unhandled: () => unhandled,
};

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const route = routes[pathname.slice(1)];
    if (route === undefined) return chat.app.fetch(request, env, ctx);
    return Response.json(await route(...JSON.parse(searchParams.get("args") ?? "[]")));
  },
};
`;

describe.each([1, 3])("an emitter that is kept, of a server over %i objects", (shards) => {
  let server: Running;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    server = await startWorker(await bundle(toWorker(shards)), undefined, undefined, shards);
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.disconnect();
  });
  afterAll(async () => {
    expect(server.complaints).toEqual([]);
    await server.close();
  });

  async function route(name: string, ...args: unknown[]): Promise<unknown> {
    const response = await fetch(`${server.url}/${name}?args=${encodeURIComponent(JSON.stringify(args))}`);
    return response.json();
  }

  /** A client on each object. */
  async function join(): Promise<Inbox<unknown[]>[]> {
    const keys = Array.from({ length: shards }, (_, shard) => keyOf(String(shard), shards));
    return Promise.all(
      keys.map(async (key) => {
        const socket = io(server.url, { query: { key }, transports: ["websocket"], forceNew: true });
        const inbox = new Inbox<unknown[]>();
        socket.onAny((...event) => inbox.push(event));
        sockets.push(socket);
        await connected(socket);
        return inbox;
      }),
    );
  }

  async function take(inbox: Inbox<unknown[]>, count: number): Promise<unknown[]> {
    const taken: unknown[] = [];
    while (taken.length < count) taken.push((await inbox.next())[1]);
    return taken;
  }

  const numbers = (from: number, count = 100) => Array.from({ length: count }, (_, i) => from + i);

  it.each(["awake", "hibernate", "close"] as const)(
    "keeps the order of what is said without await, in each of two requests at a time (objects %s)",
    async (state) => {
      const inboxes = await join();
      const again = sockets.map((socket) => new Promise((resolve) => socket.once("disconnect", resolve)));
      if (state !== "awake") await server.evict(state);
      if (state === "close") {
        await Promise.all(again);
        await Promise.all(sockets.map((socket) => connected(socket)));
      }
      const said = [0, 1_000].map((from) => route("count", from, state !== "hibernate"));
      expect(await Promise.all(said)).toEqual(["said", "said"]);
      for (const inbox of inboxes) {
        const all = (await take(inbox, 200)) as number[];
        expect(all.filter((n) => n < 1_000)).toEqual(numbers(0));
        expect(all.filter((n) => n >= 1_000)).toEqual(numbers(1_000));
      }
      expect(await route("unhandled")).toEqual([]);
    },
  );

  it("sends what nobody awaits, also when the request is over by then, and ignores failures of it", async () => {
    const inboxes = await join();
    expect(await route("forget")).toBe("said");
    for (const inbox of inboxes) expect(await take(inbox, 3)).toEqual([1, 2, 3]);
    expect(await route("unhandled")).toEqual([]);
  });

  it("lets no request wait for the calls of another", async () => {
    const inboxes = await join();
    expect(await Promise.all([route("hold"), route("release")])).toEqual(["said", "said"]);
    for (const inbox of inboxes) expect(await take(inbox, 2)).toEqual([2, 1]);
  });

  it.each([
    ["lost", "the call is lost"],
    ["older code", "the object runs older code; call again after the deploy"],
    ["newer code", "this shard speaks version 1 of the cluster's messages"],
  ])("rejects what was in a call that failed (%s), and nothing else", async (fault, message) => {
    const inboxes = await join();
    expect(await route("fail", fault)).toEqual([message, message, "done", "the adapter refuses it", "done"]);
    for (const inbox of inboxes) expect(await take(inbox, 2)).toEqual([3, 4]);
  });

  it("lets 16 MB wait, and rejects what is beyond that", async () => {
    const [inbox] = await join();
    const answers = (await route("much")) as string[];
    const refused = "more than 16000000 bytes wait for an object; await what an emitter returns";
    expect(answers).toEqual([...Array(17).fill("done"), ...Array(3).fill(refused), "done"]);
    expect(await take(inbox!, 1)).toEqual([1]);
  });

  it("throws at once for what it can never send", async () => {
    expect(await route("invalid")).toEqual([
      '"disconnect" is a reserved event name; choose another',
      '"connection" is a reserved event name; choose another',
      "an emitter takes no acknowledgement; call a method of the object's class",
      expect.stringMatching(/circular/i),
    ]);
  });

  it("sends bytes as they were when it was told to", async () => {
    const inboxes = await join();
    await route("bytes");
    for (const inbox of inboxes)
      expect(Buffer.from((await take(inbox, 1))[0] as Buffer)).toEqual(Buffer.from([1, 1]));
  });
});
