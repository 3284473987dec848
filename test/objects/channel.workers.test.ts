import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { waitForPayload } from "../../src/objects/sessions/channel.ts";
import { RS, TestObject } from "./support.ts";

const OPEN: AbortSignal = new AbortController().signal;

describe.each(["awake", "asleep"])("a poll that waits on an object that is %s", (state) => {
  const between = (object: TestObject) => (state === "asleep" ? object.sleep() : Promise.resolve());

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], shouldAdvanceTime: true });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is answered with a ping when one is due, and the next poll waits a whole interval again", async () => {
    const object = new TestObject(`channel ping ${state}`);
    const client = await object.openPolling();
    const first = await client.park();
    await between(object);
    vi.advanceTimersByTime(22_500);
    expect(await first.payload).toBe("2");
    const second = await client.park();
    await between(object);
    vi.advanceTimersByTime(22_000);
    await client.parked();
    vi.advanceTimersByTime(500);
    expect(await second.payload).toBe("2");
    const third = await client.park();
    await client.post("4hello");
    expect(await third.payload).toBe("4hello");
    expect(object.journal.join()).not.toContain("close");
  });

  it("loses no packet that crosses the ping, and the ping comes first when both are due", async () => {
    const object = new TestObject(`channel race ${state}`);
    const client = await object.openPolling();
    const sent: string[] = [];
    const received: string[] = [];
    for (let round = 0; round < 20; round++) {
      const { payload } = await client.park();
      await between(object);
      const message = `4${round}`;
      sent.push(message);
      const post = client.post(message);
      vi.advanceTimersByTime(22_500);
      expect(await post).toBe("200 ok");
      received.push(await payload);
      if (!received.at(-1)!.includes(message)) received.push(await client.poll());
    }
    const packets = received.flatMap((payload) => payload.split(RS));
    expect(packets.filter((packet) => packet !== "2")).toEqual(sent);
    expect(packets.filter((packet) => packet === "2").length).toBeGreaterThanOrEqual(20);
  });

  it("is asked again by the Worker when the object restarts, unnoticed by its client", async () => {
    const object = new TestObject(`channel restart ${state}`);
    const client = await object.openPolling();
    const { payload } = await client.park();
    await between(object);
    await object.restart();
    // The new instance does not know when the last ping was sent.
    expect(await payload).toBe("2");
    expect(await client.post("4hello")).toBe("200 ok");
    expect(await client.poll()).toBe("4hello");
  });
});

/** A channel as the object opens it. */
function channel(pingInMs: number): { response: Response; server: WebSocket } {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  return {
    server,
    response: new Response(null, {
      status: 101,
      webSocket: client,
      headers: { "sio-ping-in": String(pingInMs), "x-own": "1" },
    }),
  };
}

const closeOf = (socket: WebSocket) =>
  new Promise<number>((resolve) => {
    socket.addEventListener("close", ({ code }) => resolve(code));
  });

it("a request of a Worker with another version is refused with 503, and its session continues", async () => {
  const object = new TestObject("channel version");
  const client = await object.openPolling();
  for (const op of ["poll", "post", "open", "socket"] as const) {
    const response = await object.fetch({
      op,
      v: 2 as 1,
      sid: op === "open" || op === "socket" ? "" : client.sid,
    });
    expect([op, response.status, response.webSocket]).toEqual([op, 503, null]);
  }
  expect(await client.post("4hello")).toBe("200 ok");
  expect(await client.poll()).toBe("4hello");
});

describe("the Worker's end of a channel", () => {
  it("returns the answer that the object gave at once", async () => {
    const outcome = await waitForPayload(async () => new Response("4hello"), OPEN);
    expect(outcome.type === "response" && (await outcome.response.text())).toBe("4hello");
  });

  it("returns the object's frame, text or bytes, with the object's headers", async () => {
    for (const frame of ["4hello", Uint8Array.of(0, 1, 255, 4)]) {
      const { response, server } = channel(60_000);
      const outcome = waitForPayload(async () => response, OPEN);
      server.send(frame);
      const got = await outcome;
      if (got.type !== "payload") throw new Error("no payload");
      expect(typeof got.payload === "string" ? got.payload : new Uint8Array(got.payload)).toEqual(frame);
      expect(got.headers.get("x-own")).toBe("1");
    }
  });

  it("closes the channel with 4001 when a ping is due, and answers with the ping once the object has agreed", async () => {
    const { response, server } = channel(5);
    const outcome = waitForPayload(async () => response, OPEN);
    expect(await closeOf(server)).toBe(4001);
    server.close(4001);
    expect(await outcome).toMatchObject({ type: "payload", payload: "2" });
  });

  it("answers with a payload that was under way when it closed the channel", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { response, server } = channel(22_500);
    const outcome = waitForPayload(async () => response, OPEN);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    vi.advanceTimersByTime(22_500);
    // The Worker has closed its end, which the object does not know yet.
    server.send("4under way");
    expect(await outcome).toMatchObject({ type: "payload", payload: "4under way" });
    vi.useRealTimers();
  });

  it("closes the channel with 4000 when the client disconnects, and does not ask again", async () => {
    const abort = new AbortController();
    const { response, server } = channel(60_000);
    const ask = vi.fn(async () => response);
    const outcome = waitForPayload(ask, abort.signal);
    await vi.waitFor(() => expect(ask).toHaveBeenCalled());
    abort.abort();
    expect(await closeOf(server)).toBe(4000);
    expect((await outcome).type).toBe("response");
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it("closes the channel with 4000 when the client disconnected before it was open", async () => {
    const { response, server } = channel(60_000);
    await waitForPayload(async () => response, AbortSignal.abort());
    expect(await closeOf(server)).toBe(4000);
  });

  it("asks again when a channel breaks, at most five times, within a second each", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const ask = vi.fn(async () => {
      const { response, server } = channel(60_000);
      server.close(1011);
      return response;
    });
    const outcome = waitForPayload(ask, OPEN);
    for (let asked = 1; asked <= 6; asked++) {
      await vi.waitFor(() => expect(ask.mock.calls.length).toBeGreaterThanOrEqual(asked), { interval: 50 });
      await vi.advanceTimersByTimeAsync(1_000);
    }
    const got = await outcome;
    vi.useRealTimers();
    expect(ask).toHaveBeenCalledTimes(6);
    expect(got.type === "response" && got.response.status).toBe(503);
  });

  it("throws when the object cannot be reached at all", async () => {
    const failed = waitForPayload(async () => {
      throw new Error("overloaded");
    }, OPEN);
    await expect(failed).rejects.toThrow("overloaded");
  });
});
