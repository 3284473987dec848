import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CorsDelegate, CorsOptions } from "../../src/http/cors.ts";
import { defineEngine } from "../../src/http/define-engine.ts";
import { env } from "../objects/support.ts";

const NAMED = "https://chat.example";

let warned: string[];
beforeEach(() => {
  warned = [];
  vi.spyOn(console, "warn").mockImplementation((text: string) => void warned.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
});

type Cors = boolean | CorsOptions | CorsDelegate;
type Options = Parameters<typeof defineEngine>[0];

/** Requests a WebSocket, or whatever else the query says, as a page of an origin does. */
function doorOf(cors: Cors | undefined, options: Options = {}) {
  const { app } = defineEngine({ bindings: { sessions: "ECHO" }, cors, ...options }, () => {});
  return async (
    origin: string | undefined,
    { query = "transport=websocket", host = "https://api.example", method = "GET" } = {},
  ): Promise<Response> => {
    const headers: Record<string, string> = query.includes("websocket") ? { upgrade: "websocket" } : {};
    if (origin !== undefined) headers.origin = origin;
    const response = await app.request(`${host}/engine.io/?EIO=4&${query}`, { headers, method }, env);
    response.webSocket?.accept();
    response.webSocket?.close();
    return response;
  };
}

const NAMING: Record<string, Cors> = {
  "a string": { origin: NAMED },
  "a list": { origin: ["https://other.example", NAMED] },
  "a RegExp": { origin: /^https:\/\/chat\.example$/ },
  "a RegExp that is global": { origin: /^https:\/\/chat\.example$/g },
  "a list with a RegExp": { origin: ["https://other.example", /^https:\/\/chat\.example$/] },
  "a function that says yes or no": { origin: (origin, done) => done(null, origin === NAMED) },
  "a function that says which": { origin: (_origin, done) => done(null, NAMED) },
  "a function that says nothing": {
    origin: (origin, done) => done(null, origin === NAMED ? [NAMED] : undefined),
  },
  "a delegate": ({ headers }, done) => done(null, { origin: headers.get("origin") === NAMED }),
  "a delegate with a list": (_request, done) => done(null, { origin: [NAMED] }),
};

const FOREIGN = [
  "https://evil.example",
  "https://chat.example.evil.example",
  "https://www.chat.example",
  "https://chat.example:8443",
  "null",
  "capacitor://localhost",
  "file://",
  "https://api.example.evil.example",
  "https://api.example:8443",
  "ionic://api.example",
  "http://localhost:3000",
  "https://",
  "",
];

describe("a server whose option cors names origins", () => {
  it.each(FOREIGN.flatMap((origin) => Object.keys(NAMING).map((how) => [origin, how] as const)))(
    "refuses a page of %s where cors names %s",
    async (origin, how) => {
      const response = await doorOf(NAMING[how])(origin);
      expect([response.status, await response.text(), response.webSocket]).toEqual([403, "Forbidden", null]);
    },
  );

  it.each(Object.keys(NAMING))(
    "accepts the origins that %s names, its own pages, and clients that are no page",
    async (how) => {
      const ask = doorOf(NAMING[how]);
      for (const origin of [NAMED, "https://api.example", "http://api.example", undefined]) {
        expect((await ask(origin)).status, String(origin)).toBe(101);
      }
      expect(warned).toEqual([]);
    },
  );

  it.each([
    ["http://localhost:5173", "http://127.0.0.1:8787"],
    ["http://127.0.0.1:5173", "http://localhost:8787"],
    ["http://[::1]:5173", "https://app.localhost:8787"],
    ["http://app.localhost", "http://[::1]:8787"],
    ["https://api.example", "http://api.example"],
    ["https://API.example", "https://api.example:443"],
    ["http://api.example:8080", "https://api.example:8080"],
  ])("lets a page of %s connect to %s", async (origin, host) => {
    expect((await doorOf({ origin: NAMED })(origin, { host })).status).toBe(101);
  });

  it.each([
    ["capacitor://localhost", "http://localhost:8787"],
    ["null", "http://localhost:8787"],
    ["http://localhost.evil.example", "http://localhost:8787"],
    ["http://127.evil.example", "http://127.0.0.1:8787"],
    ["http://192.168.0.7:5173", "http://localhost:8787"],
  ])("refuses a page of %s at %s, unless it is listed", async (origin, host) => {
    expect((await doorOf({ origin: NAMED })(origin, { host })).status).toBe(403);
    expect((await doorOf({ origin: [NAMED, origin] })(origin, { host })).status).toBe(101);
  });

  it("checks neither polling, which browsers guard, nor requests of a session, whose id is a secret", async () => {
    const ask = doorOf({ origin: NAMED });
    expect((await ask("https://evil.example", { query: "transport=polling" })).status).toBe(200);
    const later = await ask("https://evil.example", {
      query: "transport=websocket&sid=AAAAAAAAAAAAAAAAAAAAAA",
    });
    expect(await later.text()).toBe("Session ID unknown");
    const empty = await ask("https://evil.example", { query: "transport=websocket&sid=" });
    expect(empty.status).toBe(403);
    const preflight = await ask("https://evil.example", { query: "transport=polling", method: "OPTIONS" });
    expect(preflight.status).toBe(204);
  });

  it("refuses before it calls allowRequest, and calls onConnectionError", async () => {
    const allowRequest = vi.fn(() => true);
    const onConnectionError = vi.fn();
    await doorOf({ origin: NAMED }, { allowRequest, onConnectionError })("https://evil.example");
    expect(allowRequest).not.toHaveBeenCalled();
    expect(onConnectionError.mock.calls[0]?.[0]).toMatchObject({
      code: 4,
      context: { name: "FOREIGN_ORIGIN", origin: "https://evil.example" },
    });
  });

  it("logs each refused origin once, at most a hundred of them, with the line to add", async () => {
    const ask = doorOf({ origin: NAMED });
    for (let i = 0; i < 3; i++) await ask("https://evil.example");
    expect(warned).toEqual([expect.stringContaining('cors: { origin: [..., "https://evil.example"] }')]);
    expect(warned[0]).toContain("checkOrigin: false");
    for (let i = 0; i < 200; i++) await ask(`https://${i}.example/${"x".repeat(1_000)}`);
    expect(warned.length).toBe(100);
    expect(Math.max(...warned.map(({ length }) => length))).toBeLessThan(700);
  });
});

describe("a server whose option cors names no origins", () => {
  it.each<[string, Cors | undefined]>([
    ["it is off", undefined],
    ["it is false", false],
    ["it is true", true],
    ["it says nothing of origins", { credentials: true }],
    ["the origin is *", { origin: "*" }],
    ["the origin is true", { origin: true }],
    ["the origin is false", { origin: false }],
    ["* is in a list", { origin: ["*"] }],
    ["a function says true", { origin: (_origin, done) => done(null, true) }],
    ["a delegate says nothing", (_request, done) => done(null, {})],
  ])("accepts every origin: %s", async (_what, cors) => {
    for (const origin of [NAMED, "https://evil.example", "null"]) {
      expect((await doorOf(cors)(origin)).status).toBe(101);
    }
    expect(warned).toEqual([]);
  });
});

it("checkOrigin: false accepts every origin", async () => {
  const ask = doorOf({ origin: NAMED }, { checkOrigin: false });
  expect((await ask("https://evil.example")).status).toBe(101);
});
