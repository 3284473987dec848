import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { startEdge } from "../support/edge.ts";
import { http } from "../support/http.ts";
import { Monitor } from "../support/monitor.ts";
import { pathOf, RawSession } from "../support/raw-session.ts";
import { RawSocket, Refused } from "../support/raw-socket.ts";
import { targets } from "../support/targets.ts";

const OPERATIONS = ["open", "poll", "post", "socket", "upgrade", "other"];
const HANDSHAKE = pathOf({ EIO: "4", transport: "polling" });

/** A client that knows the internal protocol of this project, and tries to use it. */
describe.runIf(targets.includes("edge"))("the way between Worker and object", () => {
  let server: Running;
  let monitor: Monitor;
  let victim: RawSession;
  beforeAll(async () => {
    server = await startEdge("basic");
    monitor = await Monitor.connect(server);
    victim = await RawSession.join(server);
  });
  afterAll(async () => {
    monitor?.close();
    await server?.close();
  });

  /** Headers that would have a meaning if the Worker forwarded them. */
  function forged(op: string, sid = victim.sid): Record<string, string> {
    const request = { method: "GET", url: "http://x/socket.io/?forged=1", headers: [["x-forged", "1"]] };
    const meta = {
      v: 1,
      op,
      sid,
      transport: "polling",
      protocol: 4,
      b64: false,
      address: "6.6.6.6",
      secure: true,
      request,
    };
    return { "sio-request": JSON.stringify(meta), "sio-sid": sid, "sio-ping-in": "1", "sio-op": op };
  }

  it.each(OPERATIONS)("cannot be used through a special address (%s)", async (op) => {
    for (const path of [
      `/${op}`,
      `//socket.io-edge/${op}`,
      `/socket.io/../${op}`,
      `/socket.io/%2e%2e/${op}`,
      `https://socket.io-edge/${op}`,
    ]) {
      for (const method of ["GET", "POST"]) {
        const reply = await http(server, path, {
          method,
          headers: { ...forged(op), host: "socket.io-edge" },
        });
        expect([400, 404], `${method} ${path}`).toContain(reply.status);
      }
    }
    expect(await victim.isAlive()).toBe(true);
  });

  it.each(OPERATIONS)("cannot be used through a WebSocket with the internal headers (%s)", async (op) => {
    for (const path of [
      `/${op}`,
      `/socket.io/${op}`,
      pathOf({ EIO: "4", transport: "polling", sid: victim.sid }),
    ]) {
      const outcome = await RawSocket.open(server, path, { ...forged(op), host: "socket.io-edge" }).then(
        async (socket) => (await socket.end()).code,
        (error) => (error instanceof Refused ? error.status : error),
      );
      expect([400, 404, 1005], path).toContain(outcome);
    }
    expect(await victim.isAlive()).toBe(true);
  });

  it.each(OPERATIONS)("ignores internal headers of an ordinary request (%s)", async (op) => {
    const headers = { ...forged(op), host: "socket.io-edge" };
    const session = new RawSession(server, await http(server, HANDSHAKE, { headers }));
    expect(session.sid).not.toBe(victim.sid);
    await session.post("40", { headers });
    const id = JSON.parse((await session.next("40")).slice(2)).sid;
    const seen = (await monitor.ask("conn", id)) as { remoteAddress: string; query: object };
    expect(seen.query).toEqual({ EIO: "4", transport: "polling" });
    expect(seen.remoteAddress).not.toBe("6.6.6.6");
    expect((await session.post("1", { headers })).body).toBe("ok");
    expect(await victim.isAlive()).toBe(true);
  });

  it("adds no internal header to an answer", async () => {
    const session = await RawSession.join(server);
    const candidate = await session.candidate();
    const post = await session.post('42["echo",1]');
    const refused = await http(server, pathOf({ EIO: "4", transport: "polling", sid: "nobody" }));
    for (const { headers } of [session.handshake, post, await session.poll(), refused, candidate]) {
      expect(Object.keys(headers).filter((name) => /^(sio|x-sio|cf)-/.test(name))).toEqual([]);
    }
    const parked = session.begin();
    await monitor.parked(session);
    await session.post('42["echo",2]');
    const { headers } = await parked.reply;
    expect(Object.keys(headers).filter((name) => /^(sio|upgrade|sec-)/.test(name))).toEqual([]);
    candidate.cut();
  });

  it.each(["x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip", "x-client-ip", "sio-address"])(
    "ignores the address in %s",
    async (header) => {
      const session = new RawSession(
        server,
        await http(server, HANDSHAKE, { headers: { [header]: "6.6.6.6" } }),
      );
      await session.post("40");
      const id = JSON.parse((await session.next("40")).slice(2)).sid;
      expect(((await monitor.ask("conn", id)) as { remoteAddress: string }).remoteAddress).not.toContain(
        "6.6.6.6",
      );
    },
  );

  it.each([
    "",
    ".",
    "main",
    "a.b",
    `.${"A".repeat(43)}`,
    `x.${"A".repeat(43)}`,
    `x.${"_".repeat(43)}`,
    `x.${"A".repeat(42)}`,
    `x.${"A".repeat(44)}`,
    `x.${"A".repeat(43)}.y`,
    "x/../../main",
    "x%00",
    "x\r\nsio-request: {}",
    "{}",
  ])("creates no object for the sid %j", async (sid) => {
    if (sid === "") return;
    for (const transport of ["polling", "websocket"]) {
      const reply = await http(server, pathOf({ EIO: "4", transport, sid }));
      expect([reply.status, reply.body]).toEqual([400, '{"code":1,"message":"Session ID unknown"}']);
    }
  });

  it("answers every address with a status below 500", async () => {
    const paths = [
      "/socket.io",
      "/socket.io/",
      "/socket.io//",
      "/socket.io/?",
      "/socket.io/?&&==&%",
      "/socket.io/?transport=polling&transport=websocket&EIO=4",
      "/%73ocket.io/",
      "/socket.io/?EIO=4&transport=polling&sid=%",
      `/socket.io/?${"a=b&".repeat(2_000)}`,
      "/socket.io/?EIO[]=4",
      "/socket.io/socket.io.js",
      "/socket.io/../socket.io/",
      "/.well-known/x",
    ];
    for (const path of paths) {
      for (const method of ["GET", "POST", "OPTIONS"]) {
        const { status } = await http(server, path, { method });
        expect(status, `${method} ${path}`).toBeLessThan(500);
      }
    }
    expect(await victim.isAlive()).toBe(true);
  });
});
