import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { http } from "../support/http.ts";
import { pathOf, RawSession } from "../support/raw-session.ts";
import { RawSocket, refusal } from "../support/raw-socket.ts";
import { expected, start, targets } from "../support/targets.ts";

const UNKNOWN_TRANSPORT = '{"code":0,"message":"Transport unknown"}';
const UNKNOWN_SID = '{"code":1,"message":"Session ID unknown"}';
const BAD_METHOD = '{"code":2,"message":"Bad handshake method"}';
const BAD_REQUEST = '{"code":3,"message":"Bad request"}';
const UNSUPPORTED = '{"code":5,"message":"Unsupported protocol version"}';

describe.each(targets)("verification of requests on %s", (target) => {
  let server: Running;
  beforeAll(async () => {
    server = await start(target, "basic");
  });
  afterAll(() => server?.close());

  async function refused(method: string, path: string, body: string, status = 400): Promise<void> {
    const reply = await http(server, path, { method });
    expect(reply.status).toBe(status);
    expect(reply.headers["content-type"]).toMatch(/^application\/json/);
    expect(reply.headers["cache-control"]).toBeUndefined();
    expect(reply.body).toBe(method === "HEAD" ? "" : body);
  }

  it.each(["tobi", "constructor", "__proto__", "webtransport", ""])(
    "refuses the transport %j with code 0",
    async (transport) => {
      await refused("GET", pathOf({ EIO: "4", transport }), UNKNOWN_TRANSPORT);
      await refused("POST", pathOf({ EIO: "4", transport }), UNKNOWN_TRANSPORT);
    },
  );

  it("refuses a request without any query with code 0", async () => {
    await refused("GET", "/socket.io/", UNKNOWN_TRANSPORT);
  });

  it("checks the transport before the sid", async () => {
    await refused("GET", pathOf({ EIO: "4", transport: "tobi", sid: "nobody" }), UNKNOWN_TRANSPORT);
  });

  it.each([
    "nobody",
    "AAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAA",
    `AAAAAAAAAAAAAAAAAAAAAA.${"A".repeat(43)}`,
    "../../internal",
    "ünïcode\u0000",
    "A".repeat(4_000),
    "__proto__",
    "constructor",
  ])("refuses the unknown sid %j with code 1", async (sid) => {
    await refused("GET", pathOf({ EIO: "4", transport: "polling", sid }), UNKNOWN_SID);
    await refused("POST", pathOf({ EIO: "4", transport: "polling", sid }), UNKNOWN_SID);
  });

  it.each(["OPTIONS", "HEAD", "PUT", "DELETE", "POST", "PATCH"])(
    "refuses a handshake by %s with code 2",
    async (method) => {
      await refused(method, pathOf({ EIO: "4", transport: "polling" }), BAD_METHOD);
    },
  );

  it("checks the method before the missing upgrade", async () => {
    await refused("POST", pathOf({ EIO: "4", transport: "websocket" }), BAD_METHOD);
  });

  it("refuses transport=websocket without an upgrade with code 3", async () => {
    await refused("GET", pathOf({ EIO: "4", transport: "websocket" }), BAD_REQUEST);
  });

  it("checks for the missing upgrade before the protocol version", async () => {
    await refused("GET", pathOf({ EIO: "3", transport: "websocket" }), BAD_REQUEST);
  });

  it.each(["3", "5", "04", "4.0", "4 "])("refuses EIO=%j with code 5", async (EIO) => {
    await refused("GET", pathOf({ EIO, transport: "polling" }), UNSUPPORTED);
  });

  it("refuses a request that names no protocol version with code 5", async () => {
    await refused("GET", pathOf({ transport: "polling" }), UNSUPPORTED);
  });

  it("refuses a plain GET with transport=websocket for a polling session with code 3, and keeps the session", async () => {
    const session = await RawSession.join(server);
    await refused("GET", session.path({ transport: "websocket" }), BAD_REQUEST);
    expect(await session.isAlive()).toBe(true);
  });

  it("refuses a later request of another protocol version with code 3, and keeps the session", async () => {
    const session = await RawSession.join(server);
    await refused("GET", session.path({ EIO: "3" }), BAD_REQUEST);
    const path = pathOf({ transport: "polling", sid: session.sid });
    await refused("GET", path, BAD_REQUEST);
    expect(await session.isAlive()).toBe(true);
  });

  it.each(["OPTIONS", "HEAD", "PUT", "DELETE", "PATCH"])(
    "answers %s with a known sid with an empty 500, and keeps the session",
    async (method) => {
      const session = await RawSession.join(server);
      const reply = await http(server, session.path(), { method });
      expect(reply.status).toBe(500);
      expect(reply.body).toBe("");
      expect(await session.isAlive()).toBe(true);
    },
  );

  it("treats an empty sid as none", async () => {
    const reply = await http(server, pathOf({ EIO: "4", transport: "polling", sid: "" }));
    expect(reply.status).toBe(200);
    expect(reply.body).toMatch(/^0\{"sid":"/);
  });

  it("serves every address below its path, and no other", async () => {
    expect(
      (await http(server, pathOf({ EIO: "4", transport: "polling" }, "/socket.io/anything/at/all"))).status,
    ).toBe(200);
    expect((await http(server, pathOf({ EIO: "4", transport: "polling" }, "/other/socket.io/"))).status).toBe(
      404,
    );
    expect((await http(server, pathOf({ EIO: "4", transport: "polling" }, "/socket.iox/"))).status).toBe(404);
    expect((await http(server, "/")).status).toBe(404);
  });

  describe("of WebSockets", () => {
    it.each([
      ["an unknown transport", { EIO: "4", transport: "tobi" }, "Transport unknown"],
      ["the transport __proto__", { EIO: "4", transport: "__proto__" }, "Transport unknown"],
      ["an unknown sid", { EIO: "4", transport: "websocket", sid: "nobody" }, "Session ID unknown"],
    ])("refuses %s with a 400 that says why", async (_what, query, message) => {
      const { status, body } = await refusal(server, pathOf(query));
      expect(status).toBe(400);
      expect(body).toContain(message);
    });

    it("does not accept EIO=3", async () => {
      const path = pathOf({ EIO: "3", transport: "websocket" });
      if (target === "official") {
        const socket = await RawSocket.open(server, path);
        expect((await socket.end()).code).toBe(1006);
      } else {
        // The Worker knows the answer before it opens a socket, so it gives the real reason.
        const { status, body } = await refusal(server, path);
        expect(status).toBe(400);
        expect(body).toContain("Unsupported protocol version");
      }
    });

    it("does not accept transport=polling", async () => {
      const path = pathOf({ EIO: "4", transport: "polling" });
      const outcome = await RawSocket.open(server, path).then(
        async (socket) => (await socket.end()).code,
        (error) => error.status,
      );
      // A refusal with a reason would also be right.
      expect(expected<unknown[]>(target, { official: [1005], edge: [1005, 400] })).toContain(outcome);
    });

    it("refuses an upgrade that has no query", async () => {
      expect((await refusal(server, "/socket.io/")).status).toBe(400);
    });
  });
});

describe.each(targets)("allowed transports on %s", (target) => {
  it("refuses polling with code 0 where only WebSocket is allowed", async () => {
    const server = await start(target, "basic", "websocket only");
    try {
      const reply = await http(server, pathOf({ EIO: "4", transport: "polling" }));
      expect([reply.status, reply.body]).toEqual([400, UNKNOWN_TRANSPORT]);
      const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }));
      expect(await socket.next()).toMatch(/^0\{"sid":"[^"]+","upgrades":\[\]/);
      socket.cut();
    } finally {
      await server.close();
    }
  });

  it("offers no upgrade and accepts no WebSocket where only polling is allowed", async () => {
    const server = await start(target, "basic", "polling only");
    try {
      const session = await RawSession.start(server);
      expect(session.open.upgrades).toEqual([]);
      const path = pathOf({ EIO: "4", transport: "websocket" });
      const refused = await RawSocket.open(server, path).then(
        () => "open",
        () => "refused",
      );
      expect(refused).toBe("refused");
    } finally {
      await server.close();
    }
  });

  it("offers no upgrade when upgrades are switched off, and accepts one that is tried nevertheless", async () => {
    const server = await start(target, "basic", "no upgrades");
    try {
      const session = await RawSession.start(server);
      expect(session.open.upgrades).toEqual([]);
      const socket = await session.candidate();
      socket.send("2probe");
      expect(await socket.next()).toBe("3probe");
      socket.cut();
    } finally {
      await server.close();
    }
  });
});
