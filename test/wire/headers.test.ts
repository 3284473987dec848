import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { http } from "../support/http.ts";
import { pathOf, RawSession } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { expected, start, targets } from "../support/targets.ts";

describe.each(targets)("headers on %s", (target) => {
  let server: Running;
  beforeAll(async () => {
    server = await start(target, "headers");
  });
  afterAll(() => server?.close());

  it("keeps every successful polling answer out of caches, with its length", async () => {
    const session = await RawSession.start(server);
    const post = await session.post("40");
    const poll = await session.poll();
    for (const reply of [session.handshake, post, poll]) {
      expect(reply.headers["cache-control"]).toBe("no-store");
      expect(reply.headers["content-length"]).toBe(String(Buffer.byteLength(reply.body)));
    }
  });

  it("does not mark refusals", async () => {
    const reply = await http(server, pathOf({ EIO: "4", transport: "tobi" }));
    expect(reply.headers["cache-control"]).toBeUndefined();
    expect(reply.headers["x-every"]).toBeUndefined();
  });

  it.each([
    ["Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)", "0"],
    ["Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko", "0"],
    ["Mozilla/5.0 (X11; Linux x86_64)", undefined],
  ])("sends X-XSS-Protection to old browsers only: %s", async (agent, value) => {
    const { handshake } = await RawSession.start(server, {}, { headers: { "user-agent": agent } });
    expect(handshake.headers["x-xss-protection"]).toBe(value);
  });

  it("lets the application add headers to the handshake once, and to every later answer", async () => {
    const session = await RawSession.start(server);
    expect(session.handshake.headers).toMatchObject({ "x-first": "polling", "x-every": "1" });
    for (const reply of [await session.post("40"), await session.poll()]) {
      expect(reply.headers["x-first"]).toBeUndefined();
      expect(reply.headers["x-every"]).toBe("1");
    }
    const candidate = await session.candidate();
    expect(candidate.headers["x-first"]).toBeUndefined();
    expect(candidate.headers["x-every"]).toBe("1");
    candidate.cut();
  });

  it("lets the application add headers to the answer of a poll that waited, once", async () => {
    const session = await RawSession.join(server);
    const waiting = session.begin();
    await session.post("41");
    await session.post("40");
    const { headers, body } = await waiting.reply;
    expect([body.slice(0, 2), headers["x-every"], headers["x-first"]]).toEqual(["40", "1", undefined]);
    await session.post("1");
  });

  it("adds no header of the application to an answer that the Worker gives by itself", async () => {
    const session = await RawSession.join(server);
    const pong = await session.post("3");
    expect([pong.body, pong.headers["x-every"]]).toEqual([
      "ok",
      // The Worker does not call the object, in which the application's listeners are.
      expected(target, { official: "1", edge: undefined }),
    ]);
  });

  it("sends the application's cookie beside its own on a polling handshake, as two headers", async () => {
    const session = await RawSession.start(server);
    expect(session.handshake.headers["set-cookie"]).toEqual([
      `io=${session.sid}; Path=/; HttpOnly; SameSite=Lax`,
      "mine=1",
    ]);
    expect((await session.post("40")).headers["set-cookie"]).toBeUndefined();
    expect((await session.poll()).headers["set-cookie"]).toBeUndefined();
  });

  it("sends only the application's cookie on a WebSocket handshake, with its headers", async () => {
    const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));
    expect(socket.headers).toMatchObject({
      "x-first": "websocket",
      "x-every": "1",
      "set-cookie": ["mine=1"],
    });
    socket.cut();
  });
});

describe.each(targets)("the cookie on %s", (target) => {
  it.each([
    ["default", "io=SID; Path=/; HttpOnly; SameSite=Lax"],
    ["name", "woot=SID; Path=/; HttpOnly; SameSite=Lax"],
    ["path", "io=SID; Path=/custom; HttpOnly; SameSite=Lax"],
    ["no path", "io=SID; HttpOnly; SameSite=Lax"],
    ["strict", "io=SID; Path=/; HttpOnly; SameSite=Strict"],
    ["script", "io=SID; Path=/; SameSite=Lax"],
    ["truthy", "io=SID; Path=/; HttpOnly; SameSite=Lax"],
    ["everything", "io=SID; Max-Age=10; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=None"],
    [
      "rest",
      "io=<SID>; Max-Age=100000000; Path=/; Expires=Wed, 02 Jan 2030 03:04:05 GMT; HttpOnly; Secure; Partitioned; Priority=High; SameSite=Strict",
    ],
    ["off", undefined],
  ])("is written as the options say: %s", async (variant, cookie) => {
    const server = await start(target, "headers", `cookie ${variant}`);
    try {
      const { handshake, sid } = await RawSession.start(server);
      const own = (handshake.headers["set-cookie"] ?? []).filter((value) => value !== "mine=1");
      expect(own).toEqual(cookie === undefined ? [] : [cookie.replace("SID", sid)]);
    } finally {
      await server.close();
    }
  });
});
