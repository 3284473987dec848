import { afterAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { http, type Reply } from "../support/http.ts";
import { pathOf, RawSession } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { start, targets } from "../support/targets.ts";

const A = "https://a.com";
const ALL = "GET,HEAD,PUT,PATCH,POST,DELETE";
const HANDSHAKE = pathOf({ EIO: "4", transport: "polling" });

interface Cors {
  origin?: string;
  methods?: string;
  headers?: string;
  credentials?: string;
  exposed?: string;
  maxAge?: string;
  vary?: string;
}

/** The CORS part of an answer, without the fields that are absent. */
function corsOf({ headers }: Pick<Reply, "headers">): Cors {
  const found: Record<string, string | undefined> = {
    origin: headers["access-control-allow-origin"],
    methods: headers["access-control-allow-methods"],
    headers: headers["access-control-allow-headers"],
    credentials: headers["access-control-allow-credentials"],
    exposed: headers["access-control-expose-headers"],
    maxAge: headers["access-control-max-age"],
    vary: headers.vary,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

describe.each(targets)("CORS on %s", (target) => {
  /** Each variant is started once. */
  const servers = new Map<string, Running>();
  let server: Running;
  afterAll(() => Promise.all([...servers.values()].map((it) => it.close())));

  async function startOnce(variant: string): Promise<Running> {
    const running = servers.get(variant) ?? (await start(target, "cors", variant));
    servers.set(variant, running);
    return running;
  }

  function preflight(origin: string, requested: string | null = "x-mine", path = HANDSHAKE): Promise<Reply> {
    const headers = { origin, "access-control-request-method": "POST" };
    return http(server, path, {
      method: "OPTIONS",
      headers: requested === null ? headers : { ...headers, "access-control-request-headers": requested },
    });
  }

  const actual = (origin: string, path = HANDSHAKE) => http(server, path, { headers: { origin } });

  const REFLECTED = "Origin, Access-Control-Request-Headers";
  it.each([
    ["empty", A, { origin: "*", vary: "Access-Control-Request-Headers" }, { origin: "*" }],
    ["star", A, { origin: "*", vary: "Access-Control-Request-Headers" }, { origin: "*" }],
    ["reflect", A, { origin: A, vary: REFLECTED }, { origin: A, vary: "Origin" }],
    ["fixed", A, { origin: A, vary: REFLECTED }, { origin: A, vary: "Origin" }],
    ["fixed", "https://evil.com", { origin: A, vary: REFLECTED }, { origin: A, vary: "Origin" }],
    ["list", A, { origin: A, vary: REFLECTED }, { origin: A, vary: "Origin" }],
    [
      "list",
      "https://x.b.com",
      { origin: "https://x.b.com", vary: REFLECTED },
      { origin: "https://x.b.com", vary: "Origin" },
    ],
    ["list", "https://evil.com", { vary: REFLECTED }, { vary: "Origin" }],
    [
      "pattern",
      "https://a.org",
      { origin: "https://a.org", vary: REFLECTED },
      { origin: "https://a.org", vary: "Origin" },
    ],
    ["pattern", "https://evil.com", { vary: REFLECTED }, { vary: "Origin" }],
    ["function yes", A, { origin: A, vary: REFLECTED }, { origin: A, vary: "Origin" }],
    ["delegate", A, { origin: A, vary: REFLECTED }, { origin: A, vary: "Origin" }],
    [
      "delegate",
      "https://evil.com",
      { origin: "https://other.com", vary: REFLECTED },
      { origin: "https://other.com", vary: "Origin" },
    ],
  ])("answers as the option %j says to the origin %s", async (variant, origin, onPreflight, onActual) => {
    server = await startOnce(variant);
    const asked = await preflight(origin);
    expect([asked.status, asked.body, asked.headers["content-length"] ?? "0"]).toEqual([204, "", "0"]);
    expect(corsOf(asked)).toEqual({ methods: ALL, headers: "x-mine", ...onPreflight });
    const reply = await actual(origin);
    expect(reply.status).toBe(200);
    expect(corsOf(reply)).toEqual(onActual);
  });

  it("omits allowed headers when none are requested", async () => {
    server = await startOnce("star");
    expect(corsOf(await preflight(A, null))).toEqual({
      origin: "*",
      methods: ALL,
      vary: "Access-Control-Request-Headers",
    });
  });

  it.each(["off", "function no"])(
    "adds nothing with %j, and refuses a preflight as a bad handshake",
    async (variant) => {
      server = await startOnce(variant);
      const asked = await preflight(A);
      expect([asked.status, asked.body]).toEqual([400, '{"code":2,"message":"Bad handshake method"}']);
      expect(corsOf(asked)).toEqual({});
      const reply = await actual(A);
      expect([reply.status, corsOf(reply)]).toEqual([200, {}]);
    },
  );

  it.each([
    "function error",
    "delegate error",
    // On the official server this crashes the process.
    ...(target === "edge" ? ["function throws"] : []),
  ])("refuses with code 3 when the user's function fails: %s", async (variant) => {
    server = await startOnce(variant);
    for (const reply of [await preflight(A), await actual(A)]) {
      expect([reply.status, reply.body]).toEqual([400, '{"code":3,"message":"Bad request"}']);
    }
  });

  it("accepts `headers` for `allowedHeaders`, and a single method as a string", async () => {
    server = await startOnce("alias");
    expect(corsOf(await preflight(A))).toEqual({ origin: "*", methods: "GET", headers: "x-one" });
  });

  it("applies every option to the answers that it belongs to", async () => {
    server = await startOnce("everything");
    const asked = await preflight(A);
    expect([asked.status, asked.body]).toEqual([200, ""]);
    expect(corsOf(asked)).toEqual({
      origin: A,
      methods: "GET,POST",
      headers: "x-one,x-two",
      credentials: "true",
      exposed: "x-seen,x-too",
      maxAge: "600",
      vary: "Origin",
    });
    expect(corsOf(await actual(A))).toEqual({
      origin: A,
      credentials: "true",
      exposed: "x-seen,x-too",
      vary: "Origin",
    });
    expect(corsOf(await actual("https://evil.com"))).toEqual({
      credentials: "true",
      exposed: "x-seen,x-too",
      vary: "Origin",
    });
  });

  it("passes a preflight on to the engine with preflightContinue", async () => {
    server = await startOnce("continue");
    const asked = await preflight(A);
    expect([asked.status, asked.body]).toEqual([400, '{"code":2,"message":"Bad handshake method"}']);
    expect(corsOf(asked)).toMatchObject({ origin: A, methods: ALL });
  });

  it("answers a preflight for any address under the path, with and without a session", async () => {
    server = await startOnce("fixed");
    const paths = [
      "/socket.io/",
      "/socket.io/x/y",
      pathOf({ EIO: "4", transport: "polling", sid: "nobody" }),
      pathOf({ transport: "tobi" }),
    ];
    const session = await RawSession.start(server);
    for (const path of [...paths, session.path()]) {
      const asked = await preflight(A, "x-mine", path);
      expect([asked.status, asked.headers["access-control-allow-origin"]]).toEqual([204, A]);
    }
  });

  it("marks every answer, refusals too, so that a browser shows the reason", async () => {
    server = await startOnce("fixed");
    const origin = { headers: { origin: A } };
    const session = await RawSession.start(server, {}, origin);
    const gone = await RawSession.start(server, {}, origin);
    await gone.post("1", origin);
    const replies = [
      session.handshake,
      await session.post("40", origin),
      await session.poll(origin),
      await actual(A, pathOf({ EIO: "4", transport: "tobi" })),
      await actual(A, pathOf({ EIO: "4", transport: "polling", sid: "nobody" })),
      await actual(A, pathOf({ EIO: "4", transport: "websocket" })),
      await actual(A, pathOf({ EIO: "3", transport: "polling" })),
      await gone.poll(origin),
      await session.post("x".repeat(10), {
        headers: { origin: A, "content-type": "application/octet-stream" },
      }),
    ];
    for (const reply of replies) {
      expect(corsOf(reply)).toEqual({ origin: A, vary: "Origin" });
    }
  });

  it("marks the answer that opens a WebSocket", async () => {
    server = await startOnce("everything");
    const socket = await RawSocket.open(server, pathOf({ EIO: "4", transport: "websocket" }), { origin: A });
    expect(corsOf(socket)).toEqual({
      origin: A,
      credentials: "true",
      exposed: "x-seen,x-too",
      vary: "Origin",
    });
    socket.cut();
  });
});

describe.each(targets)("a server without the option cors on %s", (target) => {
  it("adds no header at all", async () => {
    const server = await start(target, "basic");
    try {
      const reply = await http(server, HANDSHAKE, { headers: { origin: A } });
      expect(corsOf(reply)).toEqual({});
      const asked = await http(server, HANDSHAKE, { method: "OPTIONS", headers: { origin: A } });
      expect([asked.status, corsOf(asked)]).toEqual([400, {}]);
    } finally {
      await server.close();
    }
  });
});
