import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { isServerName, MAIN, toAddress, toObjectName } from "../../src/objects/placement/object-name.ts";
import type { NamedObject } from "../fixtures/worker.ts";
import { named } from "../fixtures/worker.ts";
import { watch } from "./clock.ts";
import { env, PollingClient, SocketClient, TestObject } from "./support.ts";

const watched = watch();

/** Names that might be confused with those of other objects. */
const HOSTILE = [
  "main",
  "main#1",
  "main%231",
  "main%25231",
  "%23",
  "#",
  "a#b#c",
  "a%",
  "ü#🙂",
  "__proto__",
  "0",
];

const path = (tenant: string) =>
  `https://example.com/socket.io/?EIO=4&transport=polling&tenant=${encodeURIComponent(tenant)}`;

/**
 * The server of a tenant, which is reached as clients reach it: first by its name, and then by the id of a session
 * only.
 */
class Tenant extends TestObject {
  readonly tenant: string;

  constructor(tenant: string, kind: "NAMED" | "NAMELESS" = "NAMED") {
    super(toObjectName({ name: tenant, shard: "0" }), kind);
    this.tenant = tenant;
  }

  override async openPolling(): Promise<PollingClient> {
    const response = await this.app.request(path(this.tenant), {}, env);
    const { sid } = JSON.parse((await response.text()).slice(1)) as { sid: string };
    const client = new PollingClient(this, sid);
    await client.post("40");
    await client.poll();
    return client;
  }

  override async openSocket(): Promise<SocketClient> {
    const url = path(this.tenant).replace("polling", "websocket");
    const response = await this.app.request(url, { headers: { upgrade: "websocket" } }, env);
    const client = new SocketClient(response.webSocket!);
    await client.text();
    client.socket.send("40");
    await client.text();
    return client;
  }

  /** Expects that the library has stored nothing: no row, no table, no alarm. */
  async expectNothing(): Promise<void> {
    expect(await this.rows()).toEqual(new Map());
    const tables = await this.run((_, { storage }) => [
      ...storage.sql.exec("SELECT name FROM sqlite_master WHERE name LIKE 'sio%'"),
    ]);
    expect(tables).toEqual([]);
    expect(await this.run((_, { storage }) => storage.getAlarm())).toBe(null);
  }

  /** Lets time pass from alarm to alarm, until there is none. */
  async letTimePass(): Promise<void> {
    for (;;) {
      const at = await this.run((_, { storage }) => storage.getAlarm());
      if (at === null) return;
      watched.clock.set(Math.max(at, Date.now()) - watched.clock.start);
      await runDurableObjectAlarm(this.stub);
    }
  }
}

const who = async (client: SocketClient) => {
  client.socket.send('420["who"]');
  return client.text();
};

describe("a server's name", () => {
  it.each([
    ["a value that is not text", 5],
    ["an empty text", ""],
    ["a lone surrogate", "a\ud800"],
    ["257 bytes", "x".repeat(257)],
    ["257 bytes in fewer letters", `x${"ü".repeat(128)}`],
  ])("is not %s", (_, name) => {
    expect(isServerName(name)).toBe(false);
    const finder = () => named.emitter(env, { name: name as string });
    expect(finder).toThrow("well-formed text of 1 to 256 bytes");
    expect(() => named.object(env, { name: name as string })).toThrow("well-formed text of 1 to 256 bytes");
  });

  it("may have 256 bytes, whatever letters they are", () => {
    expect(["x".repeat(256), "ü".repeat(128), "🙂".repeat(64)].map(isServerName)).toEqual([true, true, true]);
  });

  it("leads to objects of its own, whatever other servers are called", () => {
    const names = HOSTILE.flatMap((name) => ["0", "1"].map((shard) => toObjectName({ name, shard })));
    expect(new Set(names).size).toBe(names.length);
    for (const name of HOSTILE) {
      for (const shard of ["0", "1"])
        expect(toAddress(toObjectName({ name, shard }))).toEqual({ name, shard });
    }
    expect(toObjectName({ name: MAIN, shard: "0" })).toBe("main");
  });

  it.each(HOSTILE)(
    "%j is available to the setup function, methods and sockets of its object",
    async (name) => {
      const tenant = new Tenant(name);
      const client = await tenant.openSocket();
      expect(await who(client)).toBe(`430${JSON.stringify([name, "0"])}`);
      const object = named.object<NamedObject>(env, { name });
      expect(await object.whoAmI()).toBe(name);
      expect(
        (await named.emitter(env, { name }).fetchSockets()).map(({ handshake }) => handshake.data),
      ).toEqual([{ tenant: name }]);
      client.socket.close();
    },
  );
});

describe("an object that is reached only by the id of a session", () => {
  it.each(["sleep", "restart"] as const)("knows its name after a %s", async (end) => {
    const tenant = new Tenant(`known after ${end}`, "NAMELESS");
    const client = await tenant.openPolling();
    await tenant[end]();
    expect(await client.post('420["who"]')).toBe("200 ok");
    expect(await client.poll()).toContain(`430["known after ${end}","0"]`);
    expect(tenant.journal).toEqual(Array(2).fill(`setup of known after ${end}, shard 0`));
  });

  it("knows its name when a WebSocket wakes it", async () => {
    const tenant = new Tenant("woken", "NAMELESS");
    const client = await tenant.openSocket();
    await tenant.sleep();
    expect(await who(client)).toBe('430["woken","0"]');
  });

  it("knows its name when its alarm wakes it", async () => {
    const tenant = new Tenant("alarmed", "NAMELESS");
    const client = await tenant.openSocket();
    await tenant.run((instance) => instance.schedule(Date.now() + 600_000));
    client.socket.close();
    await tenant.letTimePass();
    expect(tenant.journal.at(-1)).toBe("onSchedule of alarmed");
    await tenant.expectNothing();
  });

  it("answers that the session is unknown, without running setup, when it has no sessions any more", async () => {
    const tenant = new Tenant("gone", "NAMELESS");
    const client = await tenant.openPolling();
    expect(await client.post("41")).toBe("200 ok");
    expect(await client.post("1")).toBe("200 ok");
    await tenant.letTimePass();
    await tenant.sleep();
    const before = tenant.journal.length;
    expect(await client.poll()).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(tenant.journal).toHaveLength(before);
  });

  it("says in its error how it gets to know its name when a method needs that, and takes clients all the same", async () => {
    const tenant = new Tenant("never told", "NAMELESS");
    const fails = "a handshake or an emitter tells it";
    await expect(tenant.run((instance) => instance.ready())).rejects.toThrow(fails);
    expect(tenant.journal).toEqual([]);
    await expect(tenant.run((instance) => (instance as unknown as NamedObject).name)).rejects.toThrow(fails);
    await tenant.openSocket();
    expect(await tenant.run((instance) => (instance as unknown as NamedObject).name)).toBe("never told");
  });
});

describe("a name that was used once", () => {
  it.each([
    ["polls", "openPolling", "awake"],
    ["polls", "openPolling", "sleep"],
    ["polls", "openPolling", "restart"],
    ["has a WebSocket", "openSocket", "awake"],
    ["has a WebSocket", "openSocket", "sleep"],
    ["has a WebSocket", "openSocket", "restart"],
  ] as const)(
    "leaves nothing on disk when its client, which %s (%s, object %s), does not come back",
    async (_, open, end) => {
      const tenant = new Tenant(`once ${open} ${end}`);
      const client = await tenant[open]();
      await named.emitter(env, { name: tenant.tenant }).emit("news");
      if (end !== "awake") await tenant[end]();
      if (client instanceof SocketClient && end !== "restart") client.socket.close();
      expect((await tenant.rows()).get("sio_meta")).toEqual({ v: 1, name: tenant.tenant, shard: "0" });
      await tenant.letTimePass();
      await tenant.expectNothing();
    },
  );

  it("leaves nothing on disk when only an emitter has used it", async () => {
    const tenant = new Tenant("never there");
    await named.emitter(env, { name: tenant.tenant }).emit("news");
    await named.emitter(env, { name: tenant.tenant }).fetchSockets();
    await tenant.expectNothing();
  });

  it("may be used again, by the same instance and by a later one", async () => {
    const tenant = new Tenant("again");
    for (const end of ["awake", "sleep", "awake"] as const) {
      const client = await tenant.openSocket();
      if (end === "sleep") await tenant.sleep();
      expect(await who(client)).toBe('430["again","0"]');
      client.socket.close();
      await tenant.letTimePass();
      await tenant.expectNothing();
    }
  });
});
