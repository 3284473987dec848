import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { begin, http } from "../support/http.ts";
import { pathOf } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { expected, start, targets } from "../support/targets.ts";

const EIO3 = { EIO: "3", transport: "polling" };

describe.each(targets)("a binary payload of Engine.IO v3 on %s", (target) => {
  it("contains every byte in the answer to a poll that did not wait", async () => {
    const raw = await start(target, "basic", "v2");
    try {
      const path = "/socket.io/?EIO=3&transport=polling";
      const open = await (await fetch(raw.url + path)).text();
      const sid = JSON.parse(open.slice(open.indexOf("{"), open.indexOf("}") + 1)).sid;
      const poll = () => fetch(`${raw.url}${path}&sid=${sid}`);
      const event = '42["binary"]';
      const body = `${event.length}:${event}`;
      await fetch(`${raw.url}${path}&sid=${sid}`, { method: "POST", body });
      let bytes = Buffer.alloc(0);
      let type: string | null = null;
      while (!bytes.includes(Buffer.from([4, 1, 2, 3]))) {
        const answer = await poll();
        type = answer.headers.get("content-type");
        bytes = Buffer.from(await answer.arrayBuffer());
      }
      expect(type).toBe("application/octet-stream");
      // Each packet consists of 1 for binary, the digits of its length, 255, the type, and the bytes.
      expect([...bytes.subarray(-12)]).toEqual([1, 4, 255, 4, 1, 2, 3, 1, 2, 255, 4, 4]);
    } finally {
      await raw.close();
    }
  });
});

describe.each(targets)("a polling session of Engine.IO v3 on %s", (target) => {
  it("ends without a ping for pingInterval + pingTimeout, whatever else it sends, even while its poll waits", async () => {
    const server = await start(target, "version2", "fast");
    try {
      const path = `${server.url}/socket.io/?EIO=3&transport=polling`;
      const from = performance.now();
      const open = await (await fetch(path)).text();
      const { sid } = JSON.parse(open.slice(open.indexOf("{"), open.indexOf("}") + 1)) as { sid: string };
      await fetch(`${path}&sid=${sid}`);
      const waiting = fetch(`${path}&sid=${sid}`);
      const post = () => fetch(`${path}&sid=${sid}`, { method: "POST", body: '7:42["x"]' });
      await expect.poll(async () => (await post()).status, { timeout: 5_000, interval: 50 }).toBe(400);
      expect(performance.now() - from).toBeGreaterThan(400);
      expect((await post()).status).toBe(400);
      await waiting.catch(() => {});
    } finally {
      await server.close();
    }
  });
});

describe.each(targets)("a polling session of Engine.IO v3 on %s, asleep between its requests", (target) => {
  let server: Running;
  beforeAll(async () => {
    server = await start(target, "version2");
  });
  afterAll(() => server.close());

  /** Returns its path, after it has fetched all that a new session is sent. */
  async function join(): Promise<string> {
    const open = await http(server, pathOf(EIO3));
    const [json] = /\{.*?\}/.exec(open.body)!;
    const path = pathOf({ ...EIO3, sid: JSON.parse(json).sid });
    if (!open.body.includes("2:40")) expect((await http(server, path)).body).toBe("2:40");
    return path;
  }

  it("gets one pong for each ping with its next GET when it pings while no GET waits", async () => {
    const path = await join();
    for (const ping of ["1:2", "1:2"]) {
      await server.evict("hibernate");
      const posted = await http(server, path, { method: "POST", body: ping });
      expect([posted.status, posted.body]).toEqual([200, "ok"]);
    }
    await server.evict("hibernate");
    expect((await http(server, path)).body).toBe("1:31:3");
    const waiting = begin(server, path);
    await server.evict("hibernate");
    await http(server, path, { method: "POST", body: "1:2" });
    expect((await waiting.reply).body).toBe("1:3");
  });

  it("ends when it posts nothing", async () => {
    const path = await join();
    const posted = await http(server, path, { method: "POST", body: "" });
    // Node answers before it has parsed the body.
    expect(posted.status).toBe(expected(target, { official: 200, edge: 400 }));
    const next = await http(server, path);
    expect([next.status, next.body]).toEqual([400, '{"code":1,"message":"Session ID unknown"}']);
  });
});

it.each(targets)("packetCreate is emitted for the pongs to a v3 client, on %s", async (target) => {
  const server = await start(target, "flood", "a client of v2");
  try {
    const client = await RawSocket.open(server, pathOf({ EIO: "3", transport: "websocket" }));
    await client.nextText("40");
    client.send("2");
    expect(await client.nextText("42")).toBe('42["pong created",true]');
    client.cut();
  } finally {
    await server.close();
  }
});
