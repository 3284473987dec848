import { describe, expect, it } from "vitest";
import { RS, TestObject } from "./support.ts";

/** What happens between any two steps: nothing, or the object sleeps. */
const STATES = ["awake", "asleep"] as const;

describe.each(STATES)("a polling session in an object that is %s between its requests", (state) => {
  const between = (object: TestObject) => (state === "asleep" ? object.sleep() : Promise.resolve());
  /** An instance that does not know when the last ping was sent sends one first. */
  const ping = state === "asleep" ? `2${RS}` : "";

  it("receives echoes of its messages in order", async () => {
    const object = new TestObject(`order ${state}`);
    const client = await object.openPolling();
    await between(object);
    expect(await client.post(`4one${RS}4two`)).toBe("200 ok");
    await between(object);
    expect(await client.post("4three")).toBe("200 ok");
    await between(object);
    expect(await client.poll()).toBe(`${ping}4one${RS}4two${RS}4three`);
  });

  it("receives echoes through a poll that waits", async () => {
    const object = new TestObject(`waiting ${state}`);
    const client = await object.openPolling();
    if (state === "asleep") {
      await between(object);
      expect(await client.poll()).toBe("2");
    }
    const poll = await client.park();
    await between(object);
    expect(await client.post("4hello")).toBe("200 ok");
    expect(await poll.payload).toBe("4hello");
    const next = await client.park();
    await between(object);
    expect(await client.post("4again")).toBe("200 ok");
    expect(await next.payload).toBe("4again");
  });

  it("receives echoes of binary messages unchanged", async () => {
    const object = new TestObject(`binary ${state}`);
    const client = await object.openPolling();
    await client.post("bAQIDBA==");
    await between(object);
    expect(await client.poll()).toBe(`${ping}bAQIDBA==`);
  });

  it("ends when its client disconnects while its poll waits", async () => {
    const object = new TestObject(`abort ${state}`);
    const client = await object.openPolling();
    const poll = await client.park();
    await between(object);
    poll.abort();
    await expect.poll(() => object.journal).toContain("close transport error");
    expect(await client.poll()).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(await object.sessionRows()).toEqual([]);
  });

  it("ends when two polls overlap", async () => {
    const object = new TestObject(`overlap ${state}`);
    const client = await object.openPolling();
    const poll = await client.park();
    await between(object);
    expect(await client.poll()).toBe("400");
    expect(await poll.payload).toBe("1");
    expect(object.journal.at(-1)).toBe("close transport error");
    expect(await object.sessionRows()).toEqual([]);
  });

  it("ends when its client posts a close packet, and the waiting poll gets a noop", async () => {
    const object = new TestObject(`close ${state}`);
    const client = await object.openPolling();
    const poll = await client.park();
    await between(object);
    expect(await client.post("1")).toBe("200 ok");
    expect(await poll.payload).toBe("6");
    expect(object.journal.at(-1)).toBe("close transport close");
    expect(await object.sessionRows()).toEqual([]);
  });

  it("ends when it posts an invalid packet, after the packets that precede it", async () => {
    const object = new TestObject(`bad ${state}`);
    const client = await object.openPolling();
    const poll = await client.park();
    await between(object);
    expect(await client.post(`4good${RS}x`)).toBe("400");
    expect(await poll.payload).toBe("1");
    expect(object.journal.at(-1)).toBe("close parse error");
  });

  it("gets a noop and a close packet when the server closes it", async () => {
    const object = new TestObject(`kick ${state}`);
    const client = await object.openPolling();
    await between(object);
    await object.run((instance) => {
      instance.engine.clients[client.sid]?.close();
    });
    await between(object);
    expect(await client.post("4too late")).toBe("200 ok");
    await between(object);
    expect(await client.poll()).toBe(`6${RS}1`);
    expect(object.journal.at(-1)).toBe("close forced close");
    expect(await client.poll()).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(await object.sessionRows()).toEqual([]);
  });

  it("refuses GETs of another transport or protocol, and stays open", async () => {
    const object = new TestObject(`mismatch ${state}`);
    const client = await object.openPolling();
    await between(object);
    expect((await client.request({}, "websocket")).status).toBe(400);
    const eio3 = await object.fetch({ op: "poll", sid: client.sid, protocol: 3 });
    expect(await eio3.text()).toBe('{"code":3,"message":"Bad request"}');
    expect((await client.request({ method: "DELETE" })).status).toBe(500);
    expect(await client.post("4still here")).toBe("200 ok");
    expect(object.journal.filter((line) => line.startsWith("refused"))).toEqual([
      `refused 3 {"name":"TRANSPORT_MISMATCH","transport":"websocket","previousTransport":"polling"}`,
      `refused 3 {"name":"PROTOCOL_MISMATCH","protocol":3,"previousProtocol":4}`,
    ]);
  });
});
