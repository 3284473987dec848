import { existsSync, readdirSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestHarness, type TestHarness } from "wrangler";
import { chat } from "../../examples/chat/node/app.ts";
import { privateMessaging } from "../../examples/private-messaging/node/app.ts";
import { signToken } from "../../examples/private-messaging/token.ts";
import { upgraded } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { within } from "../support/within.ts";
import { root } from "./pack.ts";

const SECRET = crypto.randomUUID();

interface Place {
  readonly url: string;
  /** Puts the object to sleep, if there is one. */
  sleep(): Promise<void>;
  close(): Promise<void>;
}

/** An example with its `node/` folder, on Socket.IO for Node. */
async function onNode(app: (io: Server) => void): Promise<Place> {
  const http = createServer();
  const server = new Server(http);
  app(server);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, sleep: async () => {}, close: () => server.close() };
}

/** The same example with its `worker/` folder. */
async function onWorker(name: string, bindings = { SECRET } as Record<string, string>): Promise<Place> {
  const worker = JSON.stringify(join(root, "examples", name, "worker/worker.ts"));
  const source = await bundle(`export * from ${worker}; export { default } from ${worker};`);
  const { url, evict, close } = await startWorker(source, undefined, bindings);
  return { url, sleep: () => evict("hibernate"), close };
}

/** A person with a stock client. Everything that the client receives is written to one log, in order. */
class Person {
  readonly socket: Socket;
  readonly log: string[] = [];
  #waiting: (() => void) | undefined;

  constructor(url: string, auth: object = {}) {
    this.socket = io(url, { auth, forceNew: true, reconnection: false });
    this.socket.on("connect", () => this.#note("connected"));
    this.socket.on("connect_error", (error) => this.#note(`refused: ${error.message}`));
    this.socket.onAny((event, ...args) => this.#note(`${event} ${JSON.stringify(args)}`));
  }

  #note(line: string): void {
    this.log.push(line);
    this.#waiting?.();
  }

  /** Waits until the log holds this many lines. */
  hears(lines: number): Promise<void> {
    const enough = new Promise<void>((resolve) => {
      this.#waiting = () => this.log.length >= lines && resolve();
      this.#waiting();
    });
    return within(enough, `line ${lines} after ${JSON.stringify(this.log)}`);
  }
}

/** What happens between two steps: nothing, or the object sleeps. */
type Pause = (...people: Person[]) => Promise<void>;

async function chatTrace(url: string, pause: Pause): Promise<string[][]> {
  const people = [new Person(url), new Person(url), new Person(url)];
  const [ann, bob] = people as [Person, Person, Person];
  await Promise.all(people.map((person) => person.hears(1)));
  await pause(...people);
  ann.socket.emit("chat message", "hello");
  await Promise.all(people.map((person) => person.hears(2)));
  await pause(...people);
  bob.socket.emit("chat message", { any: ["json", 1, null] });
  await Promise.all(people.map((person) => person.hears(3)));
  await pause(...people);
  for (const person of people) person.socket.disconnect();
  return people.map((person) => person.log);
}

async function messengerTrace(url: string, pause: Pause): Promise<string[][]> {
  const stranger = new Person(url, { token: "YW5u.Zm9yZ2Vk" });
  await stranger.hears(1);
  stranger.socket.disconnect();
  const [annToken, bobToken] = [await signToken("ann", SECRET), await signToken("bob", SECRET)];

  const ann = new Person(url, { token: annToken });
  await ann.hears(2);
  await pause(ann);
  const bob = new Person(url, { token: bobToken });
  await Promise.all([bob.hears(2), ann.hears(3)]);
  await pause(ann, bob);
  const bobsPhone = new Person(url, { token: bobToken });
  await bobsPhone.hears(2);
  await pause(ann, bob, bobsPhone);

  ann.log.push(`answer ${await ann.socket.timeout(5_000).emitWithAck("private message", "bob", "psst")}`);
  await Promise.all([bob.hears(3), bobsPhone.hears(3)]);
  await pause(ann, bob, bobsPhone);
  bob.log.push(`answer ${await bob.socket.timeout(5_000).emitWithAck("private message", "zoe", "hello?")}`);
  await bobsPhone.hears(4);
  await pause(ann, bob, bobsPhone);

  bobsPhone.socket.disconnect();
  await pause(ann, bob);
  bob.socket.disconnect();
  await ann.hears(5);
  ann.socket.disconnect();
  return [stranger, ann, bob, bobsPhone].map((person) => person.log);
}

const chatSeen = ["connected", 'chat message ["hello"]', 'chat message [{"any":["json",1,null]}]'];

const psst = 'private message [{"from":"ann","to":"bob","text":"psst"}]';
const hello = 'private message [{"from":"bob","to":"zoe","text":"hello?"}]';
const messengerSeen = [
  ["refused: not signed in"],
  ["connected", 'users [["ann"]]', 'user online ["bob"]', "answer true", 'user offline ["bob"]'],
  ["connected", 'users [["ann","bob"]]', psst, "answer false"],
  ["connected", 'users [["ann","bob"]]', psst, hello],
];

describe.each([
  { name: "chat", app: chat as (io: Server) => void, trace: chatTrace, seen: [chatSeen, chatSeen, chatSeen] },
  {
    name: "private-messaging",
    app: (io: Server) => privateMessaging(io, SECRET),
    trace: messengerTrace,
    seen: messengerSeen,
  },
])("the example $name", ({ name, app, trace, seen }) => {
  it("differs by one word in app.ts from its version for Node", async () => {
    const [before, after] = await Promise.all(
      ["node", "worker"].map((folder) => readFile(join(root, "examples", name, folder, "app.ts"), "utf8")),
    );
    expect(after).toBe(before?.replace('from "socket.io"', 'from "socket.io-edge"'));
  });

  it("behaves the same for its users on Node and on Workers", async () => {
    const node = await onNode(app);
    expect(await trace(node.url, async () => {}).finally(() => node.close())).toEqual(seen);
    const worker = await onWorker(name);
    expect(await trace(worker.url, async () => {}).finally(() => worker.close())).toEqual(seen);
  });

  it("behaves the same when its object sleeps between any two steps", async () => {
    const worker = await onWorker(name);
    const pause: Pause = async (...people) => {
      // An unfinished upgrade keeps the object awake.
      await Promise.all(people.map((person) => upgraded(person.socket)));
      await worker.sleep();
    };
    expect(await trace(worker.url, pause).finally(() => worker.close())).toEqual(seen);
  });
});

describe("the example gatekeeper", () => {
  let server: TestHarness;
  let url: URL;

  beforeAll(async () => {
    const configPath = "./examples/gatekeeper/wrangler.toml";
    server = createTestHarness({ root, workers: [{ configPath, secrets: { SECRET } }] });
    ({ url } = await server.listen());
  });

  afterAll(() => server?.close());

  async function handshake(query: string, headers: Record<string, string> = {}): Promise<[number, string]> {
    const answer = await fetch(new URL(`/socket.io/?EIO=4&transport=polling${query}`, url), { headers });
    return [answer.status, await answer.text()];
  }

  it("refuses a foreign page, a missing or forged token, and too many handshakes, before an object is created", async () => {
    const address = { "cf-connecting-ip": "192.0.2.1" };
    const token = await signToken("ann", SECRET);
    expect(await handshake(`&token=${token}`, { ...address, Origin: "https://evil.example" })).toEqual([
      403,
      '{"code":4,"message":"this page may not connect"}',
    ]);
    expect(await handshake("", address)).toEqual([403, '{"code":4,"message":"sign in first"}']);
    expect(await handshake("&token=YW5u.Zm9yZ2Vk", address)).toEqual([
      403,
      '{"code":4,"message":"sign in first"}',
    ]);
    const crowd = await Promise.all(Array.from({ length: 30 }, () => handshake("", address)));
    expect(crowd.map(([status]) => status)).toContain(429);
    expect(await server.getWorker().listDurableObjectIds("SESSIONS")).toEqual([]);
  });

  it("counts a handshake even if it contains a session id", async () => {
    const address = { "cf-connecting-ip": "192.0.2.11" };
    const crowd = await Promise.all(Array.from({ length: 30 }, () => handshake("&sid=", address)));
    expect(new Set(crowd.map(([status]) => status))).toEqual(new Set([403, 429]));
  });

  it("opens no session for a request with two session ids, of which guard and server might read different ones", async () => {
    const address = { "cf-connecting-ip": "192.0.2.12" };
    const token = await signToken("ann", SECRET);
    for (let i = 0; i < 30; i++) {
      expect([400, 429]).toContain((await handshake(`&token=${token}&sid=x&sid=`, address))[0]);
    }
  });

  it("stops an address that invents session ids, before most of them reach an object, and no other address", async () => {
    const address = { "cf-connecting-ip": "192.0.2.3" };
    const statuses: number[] = [];
    for (let i = 0; i < 203; i++) {
      const sid = `${"A".repeat(18)}${String(i).padStart(4, "0")}`;
      statuses.push((await handshake(`&sid=${sid}`, address))[0]);
    }
    expect(new Set(statuses)).toEqual(new Set([400, 429]));
    expect(statuses.filter((status) => status === 400).length).toBeLessThan(25);
    expect(statuses.slice(25).every((status) => status === 429)).toBe(true);
    const other = await handshake("&sid=AAAAAAAAAAAAAAAAAAAAAA", { "cf-connecting-ip": "192.0.2.4" });
    expect(other[0]).toBe(400);
  });

  it("never counts polls of an open session", async () => {
    const address = { "cf-connecting-ip": "192.0.2.21", Origin: "https://chat.example" };
    const [, open] = await handshake(`&token=${await signToken("ann", SECRET)}`, address);
    const { sid } = JSON.parse(open.slice(1)) as { sid: string };
    const path = new URL(`/socket.io/?EIO=4&transport=polling&sid=${sid}`, url);
    for (let i = 0; i < 50; i++) {
      const answer = await fetch(path, {
        method: "POST",
        body: i === 0 ? "40" : '42["message","hello"]',
        headers: address,
      });
      expect(answer.status).toBe(200);
    }
  });

  it("accepts a client with a valid token", async () => {
    const answer = await handshake(`&token=${await signToken("ann", SECRET)}`, {
      "cf-connecting-ip": "192.0.2.2",
      Origin: "https://chat.example",
    });
    expect(answer).toEqual([200, expect.stringMatching(/^0\{"sid":/)]);
  });
});

/** Folders of examples that hold no app of their own. */
const NO_APPS = ["observability", "pictures", "recipes"];

describe("each example", () => {
  const folders = readdirSync(join(root, "examples"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !NO_APPS.includes(entry.name))
    .map(({ name }) => name);

  it.each(folders)(
    "%s is started by npm, asks for ranges, and is in the index with its picture",
    async (name) => {
      const read = (path: string) => readFile(join(root, "examples", path), "utf8");
      const { scripts, dependencies, devDependencies } = JSON.parse(
        await read(`${name}/package.json`),
      ) as Record<string, Record<string, string>>;
      const config = scripts?.start?.match(/^wrangler dev(?: --config (\S+))?$/)?.[1] ?? "wrangler.toml";
      expect(await read(join(name, config))).toContain('class_name = "SessionObject"');
      for (const range of Object.values({ ...dependencies, ...devDependencies }))
        expect(range).toMatch(/^(\^|>=)\d/);
      const index = await read("README.md");
      expect(index).toContain(`(pictures/${name}.png)](${name})`);
      expect(existsSync(join(root, "examples/pictures", `${name}.png`))).toBe(true);
    },
  );
});

describe("an example without its secret", () => {
  it("private-messaging refuses everybody, whatever their token", async () => {
    const place = await onWorker("private-messaging", {});
    try {
      for (const secret of ["only for your own machine", "undefined", "null"]) {
        const person = new Person(place.url, { token: await signToken("ann", secret) });
        await person.hears(1);
        expect(person.log[0]).toMatch(/^refused/);
        person.socket.disconnect();
      }
    } finally {
      await place.close();
    }
  });

  it("gatekeeper refuses everybody", async () => {
    const configPath = "./examples/gatekeeper/wrangler.toml";
    const server = createTestHarness({ root, workers: [{ configPath }] });
    try {
      const { url } = await server.listen();
      const token = await signToken("ann", "only for your own machine");
      const answer = await fetch(new URL(`/socket.io/?EIO=4&transport=polling&token=${token}`, url));
      expect([answer.status, await answer.text()]).toEqual([403, '{"code":4,"message":"Forbidden"}']);
    } finally {
      await server.close();
    }
  });

  it("no example has a secret in its files", async () => {
    const files = await readdir(join(root, "examples"), { recursive: true });
    for (const file of files.filter((name) => /\.[jt]s$/.test(name) && !name.includes("node_modules"))) {
      expect(await readFile(join(root, "examples", file), "utf8"), file).not.toMatch(/SECRET\s*(\?\?|\|\|)/);
    }
  });
});
