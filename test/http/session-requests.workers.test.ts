import { describe, expect, it } from "vitest";
import { type Asked, SessionRequests } from "../../src/http/session-requests.ts";
import { VERSION } from "../../src/objects/internal-request.ts";
import type { Server } from "../../src/server/index.ts";
import { type PollingClient, type TestObject, until } from "../objects/support.ts";
import { TalkObject } from "../objects/talk.ts";

/** Between two requests the object stays awake, sleeps or restarts; afterwards it does not know of any listeners. */
const STATES = ["awake", "asleep", "restarted"] as const;

async function next(object: TestObject, state: (typeof STATES)[number]): Promise<void> {
  if (state === "asleep") await object.sleep();
  if (state === "restarted") await object.restart();
}

/** Answers each request with the value of its own header, and records refusals. */
function create(prepare?: (io: Server) => void): { object: TalkObject; refusals: unknown[] } {
  const refusals: unknown[] = [];
  const reflect = (io: Server) => {
    io.engine.on("headers", (headers, { headers: own, method }) => {
      headers.append("x-seen", `${method} ${own.get("x-own")}`);
      headers.set("content-type", "text/html");
    });
    io.engine.on("connection_error", ({ req, code, message, context }) => {
      refusals.push([req.headers.get("x-own"), code, message, context]);
    });
  };
  return { object: new TalkObject(crypto.randomUUID(), prepare ?? reflect), refusals };
}

/** The request of a Worker that has just started; a `body` makes it a POST. */
function toAsk(object: TestObject, sid: string, op: Asked["op"], body?: string) {
  const transport = op === "upgrade" ? "websocket" : "polling";
  const asked: Asked = { v: VERSION, op, sid, transport, protocol: 4, b64: false };
  const url = `https://example.com/socket.io/?EIO=4&transport=${transport}&sid=${sid}`;
  const headers = { "x-own": "mine", "user-agent": "Mozilla/5.0", "content-type": "text/plain" };
  const method = body === undefined ? "GET" : "POST";
  const request: Request = new Request(url, { method, headers, body });
  return (requests = new SessionRequests()) =>
    requests.ask(object.stub, asked, request.clone() as Request, request.body);
}

const internal = (response: Response) =>
  [...response.headers.keys()].filter((name) => name.startsWith("sio-"));

describe.each(STATES)("a request of a session, to an object that is %s", (state) => {
  it("is passed to listeners of headers: for a POST, a poll answered at once, a waiting poll and an upgrade", async () => {
    const { object } = create();
    const { sid } = await object.openPolling();
    await next(object, state);
    const post = await toAsk(object, sid, "post", "40")();
    expect([post.status, post.headers.get("x-seen"), internal(post)]).toEqual([200, "POST mine", []]);
    await next(object, state);
    const poll = await toAsk(object, sid, "poll")();
    expect([poll.headers.get("x-seen"), internal(poll)]).toEqual(["GET mine", []]);
    expect(poll.headers.get("content-type")).toBe("text/plain; charset=UTF-8");
    // An object that has slept does not know when it sent the last ping.
    expect(await poll.text()).toMatch(/40{"sid"/);
    const parked = await toAsk(object, sid, "poll")();
    expect([parked.status, parked.headers.get("x-seen"), internal(parked)]).toEqual([
      101,
      "GET mine",
      ["sio-ping-in"],
    ]);
    parked.webSocket!.accept();
    await next(object, state);
    if (state === "restarted") return;
    const upgrade = await toAsk(object, sid, "upgrade")();
    expect([upgrade.status, upgrade.headers.get("x-seen"), internal(upgrade)]).toEqual([101, "GET mine", []]);
    upgrade.webSocket!.accept();
    upgrade.webSocket!.close();
  });

  it("is passed to listeners of connection_error once", async () => {
    const { object, refusals } = create();
    const { sid } = await object.openPolling();
    await next(object, state);
    const unknown = await toAsk(object, "nobody", "post", "40")();
    expect([unknown.status, internal(unknown)]).toEqual([400, []]);
    expect(await unknown.json()).toEqual({ code: 1, message: "Session ID unknown" });
    const mismatch = await toAsk(object, sid, "other")();
    expect(mismatch.status).toBe(500);
    expect(refusals).toEqual([["mine", 1, "Session ID unknown", { sid: "nobody" }]]);
  });
});

describe("a Worker", () => {
  it("sends the whole request at once to an object that has asked for one before", async () => {
    const { object } = create();
    const { sid } = await object.openPolling();
    const requests = new SessionRequests();
    const seen: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const post = await toAsk(object, sid, "post", "40")(requests);
      seen.push(post.headers.get("x-seen"));
      await object.run((instance) => seen.push(countFetches(instance)));
    }
    expect(seen).toEqual(["POST mine", 0, "POST mine", 1, "POST mine", 2]);
  });

  it("makes no second call to an object in which nobody listens", async () => {
    const { object } = create(() => {});
    const client: PollingClient = await object.openPolling();
    await object.run(countFetches);
    await client.post("40");
    expect(await client.poll()).toMatch(/^40/);
    await until(async () => (await object.run(countFetches)) === 2);
  });
});

const counts = new WeakMap<object, number>();

/** Returns the number of requests to an object since the first call. */
function countFetches(instance: { fetch(request: Request): Promise<Response> }): number {
  const known = counts.get(instance);
  if (known !== undefined) return known;
  counts.set(instance, 0);
  const { fetch } = instance;
  instance.fetch = (request) => {
    counts.set(instance, counts.get(instance)! + 1);
    return fetch.call(instance, request);
  };
  return 0;
}
