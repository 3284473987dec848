import { describe, expect, it } from "vitest";
import { PollingClient, TestObject, until } from "./support.ts";

const STATES = ["awake", "asleep"] as const;

describe.each(STATES)("a WebSocket session in an object that is %s between its frames", (state) => {
  const between = (object: TestObject) => (state === "asleep" ? object.sleep() : Promise.resolve());
  const upgraded = async (object: TestObject) => (await object.openPolling()).upgrade();

  it("receives echoes of text and bytes in order", async () => {
    const object = new TestObject(`ws order ${state}`);
    const client = await object.openSocket();
    await between(object);
    client.socket.send("4one");
    client.socket.send(Uint8Array.of(1, 2, 3));
    client.socket.send("4two");
    expect(await client.next()).toBe("4one");
    expect(new Uint8Array((await client.next()) as ArrayBuffer)).toEqual(Uint8Array.of(1, 2, 3));
    expect(await client.next()).toBe("4two");
    await between(object);
    expect(await client.echo("three")).toBe("4three");
  });

  it("continues after an upgrade from polling", async () => {
    const object = new TestObject(`ws upgraded ${state}`);
    const polling = await object.openPolling();
    await polling.post("4queued");
    await between(object);
    const client = await polling.upgrade();
    expect(await client.next()).toBe("4queued");
    await between(object);
    expect(await client.echo("hello")).toBe("4hello");
    expect(await object.sessionRows()).toEqual([]);
  });

  it("refuses polling after its upgrade, and stays open", async () => {
    const object = new TestObject(`ws polled ${state}`);
    const polling = await object.openPolling();
    const client = await polling.upgrade();
    await between(object);
    expect(await polling.poll()).toBe('400 {"code":3,"message":"Bad request"}');
    expect(await polling.post("4x")).toBe('400 {"code":3,"message":"Bad request"}');
    await between(object);
    expect(await client.echo("still here")).toBe("4still here");
  });

  it("closes a second WebSocket after its upgrade, and stays open", async () => {
    const object = new TestObject(`ws second ${state}`);
    const polling = await object.openPolling();
    const client = await polling.upgrade();
    await between(object);
    const second = await polling.candidate();
    expect(await second.closed).toBe(1005);
    await between(object);
    expect(await client.echo("still here")).toBe("4still here");
  });

  it("lets the runtime answer its pong, and ignores a pong in another form", async () => {
    const object = new TestObject(`ws pong ${state}`);
    const client = await upgraded(object);
    await between(object);
    client.socket.send("3");
    expect(await client.next()).toBe("6");
    expect(await client.echo("hello")).toBe("4hello");
    expect(object.journal).not.toContain("heartbeat");
  });

  it.each([
    [1000, "bye", 1000],
    [4123, "x".repeat(123), 4123],
    [undefined, undefined, 1005],
  ])("answers a close of its client with %s, and emits `close`", async (code, reason, answer) => {
    const object = new TestObject(`ws close ${code} ${state}`);
    const client = await upgraded(object);
    await between(object);
    client.socket.close(code, reason);
    expect(await client.closed).toBe(answer);
    await until(() => object.journal.at(-1) === "close transport close");
    expect(await object.roles()).toEqual([]);
  });

  it("ends with a close packet", async () => {
    const object = new TestObject(`ws close packet ${state}`);
    const client = await upgraded(object);
    await between(object);
    client.socket.send("1");
    expect(await client.closed).toBe(1005);
    expect(object.journal.at(-1)).toBe("close transport close");
  });

  it.each([
    ["no packet at all", "x", "close parse error"],
    ["an empty frame", "", "close parse error"],
    ["a ping, which only servers send", "2", "close transport error"],
  ])("ends with %s", async (what, frame, line) => {
    const object = new TestObject(`ws ${what} ${state}`);
    const client = await upgraded(object);
    await between(object);
    client.socket.send(frame);
    expect(await client.closed).toBe(1005);
    expect(object.journal.at(-1)).toBe(line);
  });

  it.each(["0{}", "5", "6"])("ignores %s", async (frame) => {
    const object = new TestObject(`ws ignores ${frame} ${state}`);
    const client = await upgraded(object);
    await between(object);
    client.socket.send(frame);
    expect(await client.echo("hello")).toBe("4hello");
  });

  it("is closed at once when the server closes it", async () => {
    const object = new TestObject(`ws kick ${state}`);
    const client = await object.openSocket();
    await between(object);
    await object.run((instance) => {
      instance.engine.clients[client.sid]?.send("last words").close();
    });
    expect(await client.next()).toBe("4last words");
    expect(await client.closed).toBe(1005);
    expect(object.journal.at(-1)).toBe("close forced close");
    expect(await object.roles()).toEqual([]);
  });
});

describe("a WebSocket session", () => {
  it("emits `upgrade` to the listeners that are in memory", async () => {
    const object = new TestObject("ws upgrade");
    const polling = await object.openPolling();
    await polling.upgrade();
    expect(object.journal).toEqual(["setup", "connection", "upgrade"]);
  });

  it("has its connection listeners run again in a new instance, once, before the message that woke it", async () => {
    const object = new TestObject("ws again");
    const client = await object.openSocket();
    await object.sleep();
    await client.echo("one");
    await client.echo("two");
    expect(object.journal).toEqual(["setup", "connection", "setup", "connection again"]);
  });

  it("does not wake for a pong", async () => {
    const object = new TestObject("ws asleep");
    const client = await object.openSocket();
    await object.sleep();
    client.socket.send("3");
    expect(await client.next()).toBe("6");
    expect(object.journal).toEqual(["setup", "connection"]);
  });

  it("is gone after a restart, together with its WebSocket", async () => {
    const object = new TestObject("ws restart");
    const client = await object.openSocket();
    await object.restart();
    expect(await client.closed).toBe(1006);
    expect(await object.run((instance) => instance.engine.clientsCount)).toBe(0);
  });

  it("receives bytes as base64 when it asked for that, also after sleep", async () => {
    const object = new TestObject("ws b64");
    const client = await object.openSocket({ b64: true });
    await object.sleep();
    client.socket.send("bAQID");
    expect(await client.next()).toBe("bAQID");
  });

  it("receives raw bytes when it asked for base64 only while it polled, also after sleep", async () => {
    const object = new TestObject("ws no b64");
    const open = await (await object.fetch({ op: "open", b64: true })).text();
    const polling = new PollingClient(object, (JSON.parse(open.slice(1)) as { sid: string }).sid);
    const client = await polling.upgrade();
    for (const state of ["awake", "asleep"]) {
      if (state === "asleep") await object.sleep();
      client.socket.send("bAQID");
      expect(new Uint8Array((await client.next()) as ArrayBuffer), state).toEqual(Uint8Array.of(1, 2, 3));
    }
  });

  it("is closed when another version of the code stored it, so that its client reconnects", async () => {
    const object = new TestObject("ws version");
    const client = await object.openSocket();
    await object.run((_, ctx) => {
      for (const socket of ctx.getWebSockets()) socket.serializeAttachment({ v: 2, k: "s", sid: "unknown" });
    });
    await object.sleep();
    client.socket.send("4hello");
    expect(await client.closed).toBe(1005);
  });
});
