import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rank } from "../../src/objects/placement/hash.ts";
import { toShardNames } from "../../src/objects/placement/shards.ts";
import { bundle } from "../support/edge.ts";

/** The same application over so many objects, with a heartbeat that comes rather often. */
const worker = (shards: number) => `
import { defineServer } from "../../src/index.ts";
const server = defineServer(
  { shards: ${shards}, shardBy: ({ _query }) => _query.key, pingInterval: 20000, pingTimeout: 20000 },
  (io, { shard }) => {
    io.on("connection", (socket) => {
      socket.on("say", (text) => io.emit("said", text, shard));
      socket.on("count", async (ack) => ack(await io.of("/").adapter.serverCount()));
    });
  },
);
export class SessionObject extends server.SessionObject {}
export default server.app;
`;

let persist: string;
let miniflare: Miniflare | undefined;
let url: URL;
beforeAll(async () => {
  persist = await mkdtemp(join(tmpdir(), "resizing-"));
});
afterAll(async () => {
  await miniflare?.dispose();
  await rm(persist, { recursive: true });
});

/** Ends every object, and goes on with other code on what they have stored. */
async function deploy(shards: number): Promise<void> {
  await miniflare?.dispose();
  miniflare = new Miniflare({
    ...convertV4MiniflareOptions({
      name: "resizing",
      host: "127.0.0.1",
      port: 0,
      log: new Log(LogLevel.NONE),
      modules: [{ type: "ESModule", path: "worker.js", contents: await bundle(worker(shards)) }],
      compatibilityDate: "2026-10-23",
      compatibilityFlags: ["enable_request_signal"],
      durableObjects: { SESSIONS: { className: "SessionObject", useSQLite: true } },
    }),
    resourcePersistencePath: persist,
  });
  url = await miniflare.ready;
}

/** A client that polls by hand, so that its session outlives a deploy. */
class Poller {
  readonly sid: string;
  readonly heard: string[] = [];

  private constructor(sid: string) {
    this.sid = sid;
  }

  /** On a certain one of so many shards. */
  static async join(shard: number, shards: number): Promise<Poller> {
    const names = toShardNames(shards);
    let key = 0;
    while (rank(String(key), names)[0] !== String(shard)) key++;
    const response = await fetch(new URL(`/socket.io/?EIO=4&transport=polling&key=${key}`, url));
    const poller = new Poller((JSON.parse((await response.text()).slice(1)) as { sid: string }).sid);
    await poller.say("40");
    await poller.hearUntil((packet) => packet.startsWith("40"));
    poller.heard.length = 0;
    return poller;
  }

  #request(init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(`/socket.io/?EIO=4&transport=polling&sid=${this.sid}`, url), init);
  }

  async say(packet: string): Promise<void> {
    expect(await (await this.#request({ method: "POST", body: packet })).text()).toBe("ok");
  }

  /** Polls until a packet is what is wanted. False: the session has ended. */
  async hearUntil(isWanted: (packet: string) => boolean): Promise<boolean> {
    while (!this.heard.some(isWanted)) {
      const response = await this.#request();
      const text = await response.text();
      if (response.status !== 200) return false;
      this.heard.push(...text.split("\x1e").filter((packet) => packet.startsWith("4")));
    }
    return true;
  }
}

const joinAll = (from: number, shards: number) =>
  Promise.all(Array.from({ length: shards - from }, (_, i) => Poller.join(from + i, shards)));

/** Each says something, and each hears all of it once. */
async function expectAllHearAll(pollers: Poller[], round: string): Promise<void> {
  for (const [i, poller] of pollers.entries()) await poller.say(`42["say","${round} ${i}"]`);
  for (const poller of pollers) {
    for (const i of pollers.keys()) await poller.hearUntil((packet) => packet.includes(`"${round} ${i}"`));
    const said = poller.heard.filter((packet) => packet.includes(`"${round} `));
    expect(said.map((packet) => packet.split('"')[3]).sort()).toEqual(
      Array.from(pollers.keys(), (i) => `${round} ${i}`).sort(),
    );
  }
}

async function countServers(poller: Poller): Promise<number> {
  poller.heard.length = 0;
  await poller.say('420["count"]');
  await poller.hearUntil((packet) => packet.startsWith("430"));
  return Number(/\d+/.exec(poller.heard.find((packet) => packet.startsWith("430"))!.slice(3))?.[0]);
}

describe("a server that gets more objects and then fewer, while clients are connected", () => {
  it("delivers every message once, and lets clients of removed objects reconnect to others", async () => {
    await deploy(4);
    const four = await joinAll(0, 4);
    await expectAllHearAll(four, "of four");

    await deploy(8);
    const eight = [...four, ...(await joinAll(4, 8))];
    await expectAllHearAll(eight, "of eight");

    await deploy(4);
    // Those of objects that are gone by configuration are still told, until their sessions end.
    await four[0]!.say('42["say","farewell"]');
    const isThere = (poller: Poller) => poller.hearUntil((packet) => packet.includes('"farewell"'));
    for (const poller of eight) expect(await isThere(poller)).toBe(true);
    for (const poller of eight.slice(4)) expect(await poller.hearUntil(() => false)).toBe(false);
    const last = [...four, ...(await joinAll(0, 4))];
    await expectAllHearAll(last, "of four again");
    // Each has heard by now that the others are empty.
    await expectAllHearAll(last, "and again");
    for (const poller of last) expect(await countServers(poller)).toBe(4);
  }, 120_000);
});
