import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { http } from "../support/http.ts";
import { Monitor } from "../support/monitor.ts";
import { pathOf, RawSession, RS } from "../support/raw-session.ts";
import { RawSocket, refusal } from "../support/raw-socket.ts";
import { expected, start, targets } from "../support/targets.ts";

describe.each(targets)("allowRequest on %s", (target) => {
  let server: Running;
  beforeAll(async () => {
    server = await start(target, "admission");
  });
  afterAll(() => server?.close());

  const path = (query: Record<string, string>) => pathOf({ EIO: "4", transport: "polling", ...query });

  it("admits clients that it allows, on both transports", async () => {
    await RawSession.start(server, { token: "good" });
    const socket = await RawSocket.open(server, path({ transport: "websocket", token: "good" }));
    expect(await socket.next()).toMatch(/^0\{/);
    socket.cut();
  });

  it("refuses with 403, code 4 and the message that it returns", async () => {
    const reply = await http(server, path({ token: "message" }));
    expect([reply.status, reply.body]).toEqual([403, '{"code":4,"message":"Thou shall not pass"}']);
  });

  it("refuses with 403 and Forbidden when it returns no message", async () => {
    const reply = await http(server, path({ token: "bad" }));
    expect([reply.status, reply.body]).toEqual([403, '{"code":4,"message":"Forbidden"}']);
  });

  it("refuses a WebSocket with a status and the message", async () => {
    const { status, body } = await refusal(server, path({ transport: "websocket", token: "message" }));
    // Over HTTP code 4 is a 403; the upgrade answer of the official server says 400.
    expect(expected(target, { official: [400], edge: [400, 403] })).toContain(status);
    expect(body).toContain("Thou shall not pass");
  });

  it("is not called for headers that are too large to be stored, which are refused with 431 on both transports", async () => {
    const query = { token: "good" };
    const headers = { cookie: `a=${"x".repeat(20_000)}` };
    expect((await http(server, path(query), { headers })).status).toBe(431);
    const fits = { cookie: `a=${"x".repeat(10_000)}` };
    expect((await http(server, path(query), { headers: fits })).status).toBe(200);
    const url = path({ ...query, padding: "x".repeat(20_000) });
    expect((await http(server, url)).status).toBe(431);
    expect(
      (await refusal(server, path({ transport: "websocket", padding: "x".repeat(20_000) }))).status,
    ).toBe(431);
  });

  it("is called before the protocol version is checked, and not for bad requests or requests of sessions", async () => {
    expect((await http(server, path({ EIO: "3", token: "bad" }))).status).toBe(403);
    expect((await http(server, path({ EIO: "3", token: "good" }))).body).toContain('"code":5');
    expect((await http(server, path({ transport: "tobi", token: "bad" }))).body).toContain('"code":0');
    expect((await http(server, path({ token: "bad" }), { method: "PUT" })).body).toContain('"code":2');
    const session = await RawSession.start(server, { token: "good" });
    expect((await session.post("40")).body).toBe("ok"); // its address has no token
    const candidate = await session.candidate();
    candidate.cut();
  });
});

describe.each(targets)("generateId and initialPacket on %s", (target) => {
  it("uses the id that the application creates", async () => {
    const server = await start(target, "admission", "ids");
    try {
      const first = await RawSession.start(server, { token: "good" });
      const second = await RawSession.start(server, { token: "good" });
      expect(first.sid).toMatch(/^custom\d+/);
      expect(second.sid).toMatch(/^custom\d+/);
      expect(first.sid).not.toBe(second.sid);
      expect((await first.post("40")).body).toBe("ok");
    } finally {
      await server.close();
    }
  });

  it("refuses with code 3 when no id can be created", async () => {
    const server = await start(target, "admission", "no ids");
    try {
      const reply = await http(server, pathOf({ EIO: "4", transport: "polling", token: "good" }));
      expect([reply.status, reply.body]).toEqual([400, '{"code":3,"message":"Bad request"}']);
      const outcome = await RawSocket.open(
        server,
        pathOf({ EIO: "4", transport: "websocket", token: "good" }),
      ).then(
        async (socket) => (await socket.end()).code,
        (error) => error.status,
      );
      // The official server has already opened the socket; a refusal says more.
      expect(outcome).toBe(expected(target, { official: 1006, edge: 400 }));
    } finally {
      await server.close();
    }
  });

  // With the official server the second session replaces the first.
  it.runIf(target === "edge")("never gives two sessions one id", async () => {
    const server = await start(target, "admission", "one id");
    try {
      const session = await RawSession.start(server, { token: "good" });
      for (const interruption of [async () => {}, () => server.evict("hibernate")]) {
        await interruption();
        const reply = await http(server, pathOf({ EIO: "4", transport: "polling", token: "good" }));
        expect([reply.status, reply.body]).toEqual([400, '{"code":3,"message":"Bad request"}']);
        const socket = pathOf({ EIO: "4", transport: "websocket", token: "good" });
        expect((await refusal(server, socket)).status).toBe(400);
      }
      expect((await session.post("1")).body).toBe("ok");
      expect((await RawSession.start(server, { token: "good" })).sid).toBe(session.sid);
    } finally {
      await server.close();
    }
  });

  it("sends the initial packet in the answer to the handshake", async () => {
    const server = await start(target, "admission", "initial packet");
    try {
      const { handshake } = await RawSession.start(server, { token: "good" });
      expect(handshake.body.split(RS)).toEqual([expect.stringMatching(/^0\{/), "4hello"]);
      const socket = await RawSocket.open(
        server,
        pathOf({ EIO: "4", transport: "websocket", token: "good" }),
      );
      expect(await socket.next()).toMatch(/^0\{/);
      expect(await socket.next()).toBe("4hello");
      socket.cut();
    } finally {
      await server.close();
    }
  });
});

describe.each(targets)("connection_error on %s", (target) => {
  it("reports to the application what its object refuses, with the context", async () => {
    const server = await start(target, "basic");
    try {
      const monitor = await Monitor.connect(server);
      const session = await RawSession.join(server);
      await http(server, session.path({ transport: "websocket" }));
      expect(await monitor.next("connection_error")).toMatchObject({
        code: 3,
        message: "Bad request",
        context: { name: "TRANSPORT_MISMATCH", transport: "websocket", previousTransport: "polling" },
      });
      const gone = await RawSession.join(server);
      await gone.post("1");
      await gone.poll();
      expect(await monitor.next("connection_error")).toMatchObject({
        code: 1,
        message: "Session ID unknown",
        context: { sid: gone.sid },
      });
      monitor.close();
    } finally {
      await server.close();
    }
  });
});
