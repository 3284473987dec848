import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defineEngine } from "../../src/http/define-engine.ts";
import type { RefusedConnection } from "../../src/http/options.ts";
import { defineServer } from "../../src/index.ts";
import { journalOf } from "../fixtures/worker.ts";
import { env, TestObject } from "../objects/support.ts";

const HANDSHAKE = "https://example.com/engine.io/?EIO=4&transport=polling";

let get: ReturnType<typeof vi.spyOn>;
let logged: unknown[][];

beforeEach(() => {
  get = vi.spyOn(env.ECHO, "get");
  logged = [];
  vi.spyOn(console, "error").mockImplementation((...args) => void logged.push(args));
});

afterEach(() => {
  vi.restoreAllMocks();
});

type Options = Parameters<typeof defineEngine>[0];

/** The Worker's side alone, in front of the echo objects. */
function appOf(options: Options = {}): (url: string, init?: RequestInit) => Promise<Response> {
  const { app } = defineEngine({ bindings: { sessions: "ECHO" }, ...options }, () => {});
  return async (url, init) => app.request(url, init, env);
}

const upgrade = { headers: { upgrade: "websocket" } };

describe("the Worker answers without a call to the object:", () => {
  it.each<[string, string, RequestInit, number, string]>([
    ["code 0", "?EIO=4&transport=tobi", {}, 400, '{"code":0,"message":"Transport unknown"}'],
    ["code 0 without a query", "", {}, 400, '{"code":0,"message":"Transport unknown"}'],
    ["code 0 to a WebSocket", "?EIO=4&transport=tobi", upgrade, 400, "Transport unknown"],
    [
      "code 2",
      "?EIO=4&transport=polling",
      { method: "PUT" },
      400,
      '{"code":2,"message":"Bad handshake method"}',
    ],
    [
      "code 2 to a POST without a session",
      "?EIO=4&transport=polling",
      { method: "POST", body: "40" },
      400,
      '{"code":2,"message":"Bad handshake method"}',
    ],
    [
      "code 2 to a preflight where cors is off",
      "?EIO=4&transport=polling",
      { method: "OPTIONS" },
      400,
      '{"code":2,"message":"Bad handshake method"}',
    ],
    [
      "code 3 to a WebSocket's address without an upgrade",
      "?EIO=4&transport=websocket",
      {},
      400,
      '{"code":3,"message":"Bad request"}',
    ],
    ["code 5", "?EIO=3&transport=polling", {}, 400, '{"code":5,"message":"Unsupported protocol version"}'],
    ["code 5 to a WebSocket", "?transport=websocket", upgrade, 400, "Unsupported protocol version"],
  ])("%s", async (_what, query, init, status, body) => {
    const response = await appOf()(`https://example.com/engine.io/${query}`, init);
    expect([response.status, await response.text()]).toEqual([status, body]);
    expect(get).not.toHaveBeenCalled();
  });

  it("code 4", async () => {
    const request = appOf({ allowRequest: () => "Thou shall not pass" });
    const response = await request(HANDSHAKE);
    expect([response.status, await response.text()]).toEqual([
      403,
      '{"code":4,"message":"Thou shall not pass"}',
    ]);
    const socket = await request(HANDSHAKE.replace("polling", "websocket"), upgrade);
    expect([socket.status, await socket.text(), socket.webSocket]).toEqual([
      403,
      "Thou shall not pass",
      null,
    ]);
    expect(get).not.toHaveBeenCalled();
  });

  it.each(["", "?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAA", "anything?x"])(
    "a preflight for /engine.io/%s",
    async (rest) => {
      const request = appOf({ cors: { origin: "*" } });
      const response = await request(`https://example.com/engine.io/${rest}`, { method: "OPTIONS" });
      expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
      expect(get).not.toHaveBeenCalled();
    },
  );

  it.each(["/", "/engine.iox/", "/other", "/engine.io.js", "/x/engine.io/", "/%65ngine.iox/"])(
    "a request for an address that is not its own: %s",
    async (path) => {
      const response = await appOf()(`https://example.com${path}?EIO=4&transport=polling`);
      expect(response.status).toBe(404);
      expect(get).not.toHaveBeenCalled();
    },
  );

  it("a POST with nothing but a pong", async () => {
    const object = new TestObject("main");
    const client = await object.openPolling();
    await object.sleep();
    object.journal.length = 0;
    const init = { method: "POST", body: "3", headers: { "content-length": "1" } };
    const response = await appOf()(`${HANDSHAKE}&sid=${client.sid}`, init);
    expect([response.status, await response.text()]).toEqual([200, "ok"]);
    expect(object.journal).toEqual([]);
    expect(await client.post("4hello")).toBe("200 ok");
    expect(object.journal).toEqual(["setup", "connection again"]);
  });

  it.each([
    "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAA&sid=",
    "sid=&EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAA",
    "EIO=4&transport=polling&sid=A&%73id=B",
    "EIO=4&transport=websocket&transport=polling",
    "EIO=3&EIO=4&transport=polling",
  ])("code 3 to two values of one parameter: %s", async (query) => {
    const response = await appOf()(`https://example.com/engine.io/?${query}`);
    expect([response.status, await response.text()]).toEqual([400, '{"code":3,"message":"Bad request"}']);
    expect(get).not.toHaveBeenCalled();
  });

  it.each(["https://a\u0001b", "https://a\u007fb"])("code 3 to the origin %j", async (origin) => {
    const refused: RefusedConnection[] = [];
    const request = appOf({ onConnectionError: (error) => refused.push(error) });
    const response = await request(HANDSHAKE, { headers: { origin } });
    expect([response.status, await response.text()]).toEqual([400, '{"code":3,"message":"Bad request"}']);
    expect(refused[0]).toMatchObject({ code: 3, context: { name: "INVALID_ORIGIN", origin } });
    expect(get).not.toHaveBeenCalled();
  });
});

describe("onConnectionError", () => {
  it("is called for what the Worker refuses, with the request, code, text, context and env", async () => {
    const seen: unknown[] = [];
    const request = appOf({
      allowRequest: ({ headers }) => headers.get("x-word") ?? true,
      onConnectionError: ({ req, code, message, context }, given) => {
        seen.push([code, message, context, req.method, req._query.transport, given === env]);
      },
    });
    await request("https://example.com/engine.io/?EIO=4&transport=tobi");
    await request("https://example.com/engine.io/?EIO=4&transport=polling&sid=a.b");
    await request(HANDSHAKE, { method: "DELETE" });
    await request("https://example.com/engine.io/?EIO=4&transport=websocket");
    await request(HANDSHAKE, { headers: { "x-word": "Not you" } });
    await request("https://example.com/engine.io/?EIO=5&transport=polling");
    expect(seen).toEqual([
      [0, "Transport unknown", { transport: "tobi" }, "GET", "tobi", true],
      [1, "Session ID unknown", { sid: "a.b" }, "GET", "polling", true],
      [2, "Bad handshake method", { method: "DELETE" }, "DELETE", "polling", true],
      [3, "Bad request", { name: "TRANSPORT_HANDSHAKE_ERROR" }, "GET", "websocket", true],
      [4, "Forbidden", { message: "Not you" }, "GET", "polling", true],
      [5, "Unsupported protocol version", { protocol: 3 }, "GET", "polling", true],
    ]);
    expect(logged).toEqual([]);
  });

  it.each([
    [
      "throw",
      () => {
        throw new Error("broken");
      },
    ],
    ["reject", () => Promise.reject(new Error("broken"))],
  ])("may %s: the client gets its answer all the same, and the log the reason", async (_how, fail) => {
    const response = await appOf({ onConnectionError: fail })("https://example.com/engine.io/");
    expect([response.status, await response.text()]).toEqual([
      400,
      '{"code":0,"message":"Transport unknown"}',
    ]);
    expect(logged).toEqual([["socket.io-edge: onConnectionError failed", new Error("broken")]]);
  });

  it("is called for a failing origin function as for a failing middleware", async () => {
    const seen: unknown[] = [];
    const request = appOf({
      cors: { origin: (_origin, done) => done(new Error("no")) },
      onConnectionError: ({ code, context }) => seen.push([code, context]),
    });
    expect((await request(HANDSHAKE)).status).toBe(400);
    expect(seen).toEqual([[3, { name: "MIDDLEWARE_FAILURE", error: new Error("no") }]]);
  });
});

it.each<[string, Options["cors"]]>([
  ["origin", { origin: () => Promise.reject(new Error("no")) }],
  ["cors", () => Promise.reject(new Error("no"))],
])("an async %s function that rejects is answered with code 3", async (_what, cors) => {
  const response = await appOf({ cors })(HANDSHAKE);
  expect([response.status, await response.text()]).toEqual([400, '{"code":3,"message":"Bad request"}']);
});

describe("allowRequest", () => {
  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["1", 1],
    ["an object", {}],
  ])("refuses when it returns %s, and says what to do", async (_what, value) => {
    const response = await appOf({ allowRequest: () => value as boolean })(HANDSHAKE);
    expect([response.status, await response.text()]).toEqual([403, '{"code":4,"message":"Forbidden"}']);
    expect(String(logged[0])).toMatch(/neither true, false nor a string.*\(request, env\)/);
    expect(get).not.toHaveBeenCalled();
  });

  it("refuses everybody in the (request, callback) form of Node, even when it calls back with true", async () => {
    const ported = (_request: unknown, callback: (error: null, allow: boolean) => void) =>
      callback(null, true);
    const response = await appOf({ allowRequest: ported as never })(HANDSHAKE);
    expect([response.status, await response.text()]).toEqual([403, '{"code":4,"message":"Forbidden"}']);
    expect(String(logged[0])).toContain("allowRequest");
    expect(get).not.toHaveBeenCalled();
  });

  it("refuses when it throws or rejects, and writes the reason to the log only", async () => {
    for (const allowRequest of [
      () => {
        throw new Error("secret");
      },
      () => Promise.reject(new Error("secret")),
    ]) {
      const response = await appOf({ allowRequest })(HANDSHAKE);
      expect([response.status, await response.text()]).toEqual([403, '{"code":4,"message":"Forbidden"}']);
    }
    expect(logged.map(([, error]) => error)).toEqual([new Error("secret"), new Error("secret")]);
  });

  it("gets the request with Fetch headers, and env", async () => {
    let seen: unknown[] = [];
    const request = appOf({
      allowRequest: ({ method, url, headers, _query }, given) => {
        seen = [method, url, headers instanceof Headers, headers.get("cookie"), _query.token, given === env];
        return false;
      },
    });
    await request(`${HANDSHAKE}&token=a%20b`, { headers: { cookie: "a=1" } });
    expect(seen).toEqual(["GET", `${HANDSHAKE}&token=a%20b`, true, "a=1", "a b", true]);
    expect(logged).toEqual([]);
  });
});

describe("the address of a client", () => {
  it("is what Cloudflare says, on both transports, whatever other headers say", async () => {
    const object = new TestObject("main");
    const headers = {
      "cf-connecting-ip": "192.0.2.7",
      "x-forwarded-for": "6.6.6.6",
      "x-real-ip": "6.6.6.6",
      "sio-request": '{"address":"6.6.6.6"}',
    };
    await appOf()(HANDSHAKE, { headers });
    const ws = await appOf()(HANDSHAKE.replace("polling", "websocket"), {
      headers: { ...headers, upgrade: "websocket" },
    });
    ws.webSocket?.accept();
    const addresses = await object.run(({ engine }) =>
      Object.values(engine.clients).map(({ remoteAddress }) => remoteAddress),
    );
    expect(addresses.slice(-2)).toEqual(["192.0.2.7", "192.0.2.7"]);
    ws.webSocket?.close();
  });
});

describe("the path", () => {
  it.each([
    ["/custom", "/custom/"],
    ["/custom/", "/custom/"],
    ["/custom", "/custom"],
    ["/custom", "/custom/whatever/follows"],
    ["/custom", "/custom//"],
    ["/custom", "/%63ustom/"],
    ["/a/b", "/a/b/"],
    ["custom", "/custom/"],
    ["/", "/"],
    ["/café/", "/café/"],
    ["/café", "/caf%C3%A9/"],
    ["/caf%C3%A9/", "/caf%c3%a9"],
    ["/caf%C3%A9", "/café/"],
    ["/a b", "/a%20b/"],
    ["/a%20b", "/a%20b/"],
    ["/a%2Fb", "/a%2Fb/"],
    ["/100%25", "/100%25/"],
  ])("%s serves %s", async (path, asked) => {
    for (const addTrailingSlash of [true, false]) {
      const request = appOf({ path, addTrailingSlash });
      const response = await request(`https://example.com${asked}?EIO=4&transport=polling`);
      expect([response.status, (await response.text())[0]]).toEqual([200, "0"]);
    }
  });

  it("accepts a parameter that is repeated with the same value, and repeated parameters that it does not read", async () => {
    const response = await appOf()(`${HANDSHAKE}&EIO=4&a=1&a=2&&`);
    expect(response.status).toBe(200);
  });

  it.each([
    "/engine.io/",
    "/customs/",
    "/",
    "/x/custom/",
    "//custom/",
    "///custom",
    "/x/..//custom/",
    "/custom%2F",
    "/custom%5C",
    "/Custom/",
    "/CUSTOM",
    "/custom;x/",
    "/%2Fcustom/",
    "/.//custom/",
  ])("a server at /custom does not answer %s", async (asked) => {
    const response = await appOf({ path: "/custom" })(`https://example.com${asked}?EIO=4&transport=polling`);
    expect(response.status).toBe(404);
    expect(get).not.toHaveBeenCalled();
  });

  it("is /socket.io for defineServer and /engine.io for defineEngine", async () => {
    const { app } = defineServer({ bindings: { sessions: "ECHO" } }, () => {});
    const status = async (path: string) =>
      (await app.request(`https://example.com${path}?EIO=4&transport=tobi`, {}, env)).status;
    expect([await status("/socket.io/"), await status("/engine.io/")]).toEqual([400, 404]);
  });
});

describe("connection_error", () => {
  it("is emitted in the object for refusals that only the object can decide, also after sleep", async () => {
    const object = new TestObject("main");
    const { sid } = await object.openPolling();
    const journal = await object.run((_, ctx) => journalOf(ctx));
    const request = appOf();
    for (const step of [async () => {}, () => object.sleep()]) {
      await step();
      journal.length = 0;
      await request(`${HANDSHAKE}&sid=${sid.replace(/./g, "A")}`);
      await request(`${HANDSHAKE.replace("polling", "websocket")}&sid=${sid}`);
      await request(`${HANDSHAKE.replace("EIO=4", "EIO=3")}&sid=${sid}`);
      expect(journal.filter((line) => line.startsWith("refused"))).toEqual([
        `refused 1 {"sid":"${sid.replace(/./g, "A")}"}`,
        'refused 3 {"name":"TRANSPORT_MISMATCH","transport":"websocket","previousTransport":"polling"}',
        'refused 3 {"name":"PROTOCOL_MISMATCH","protocol":3,"previousProtocol":4}',
      ]);
    }
  });
});
