import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Clock } from "./clock.ts";
import { env, PollingClient, RS, type SocketClient, TestObject, until } from "./support.ts";

const STATES = ["awake", "asleep"] as const;
type State = (typeof STATES)[number];

/** Puts the object to sleep between two steps, or does nothing, and clears what its code has recorded so far. */
async function next(object: TestObject, state: State): Promise<void> {
  if (state === "asleep") await object.sleep();
  object.journal.length = 0;
}

const URL_OF = { polling: "https://example.com/engine.io/?EIO=4&transport=polling" };

afterEach(() => {
  vi.useRealTimers();
});

/** `defineEngine` alone: what user code can observe of a session. */
describe("the first request of a session", () => {
  it("is available with method, url, headers and query on both transports, and its answer has the hooks' headers", async () => {
    const app = new TestObject("main", "TOLD").app;
    const headers = { "user-agent": "tester", "cf-connecting-ip": "192.0.2.9" };
    const polling = await app.request(URL_OF.polling, { headers }, env);
    const sid = JSON.parse((await polling.text()).slice(1)).sid;
    const url = URL_OF.polling.replace("polling", "websocket");
    const socket = await app.request(url, { headers: { ...headers, upgrade: "websocket" } }, env);
    const later = await app.request(`${URL_OF.polling}&sid=${sid}`, {}, env);
    expect([...polling.headers].filter(([name]) => name.startsWith("x-"))).toEqual([
      ["x-every", "1"],
      ["x-first", "1"],
    ]);
    expect([...socket.headers].filter(([name]) => name.startsWith("x-"))).toEqual([
      ["x-every", "1"],
      ["x-first", "1"],
    ]);
    expect([...later.headers].filter(([name]) => name.startsWith("x-"))).toEqual([["x-every", "1"]]);
    const { journal } = new TestObject("main", "TOLD");
    const facts = { method: "GET", agent: "tester" };
    expect(journal.filter((line) => line.startsWith("session"))).toEqual(
      [URL_OF.polling, url].map((it, i) => {
        const transport = ["polling", "websocket"][i];
        const fact = { method: facts.method, url: it, agent: facts.agent, transport };
        return `session ${JSON.stringify(["open", transport, "192.0.2.9", 4, fact])}`;
      }),
    );
    expect(journal).not.toContain("is not in clients");
    socket.webSocket?.accept();
    socket.webSocket?.close();
  });

  it("stays the same after an upgrade and after sleep", async () => {
    const object = new TestObject("request", "TOLD");
    const client = await object.openPolling();
    const line = object.journal.find((it) => it.startsWith("session"));
    await client.upgrade().then((it) => it.text());
    await next(object, "asleep");
    const seen = await object.run(({ engine }) =>
      Object.values(engine.clients).map(({ request, remoteAddress, transport, readyState }) => [
        readyState,
        transport.name,
        remoteAddress,
        request._query.transport,
      ]),
    );
    expect(seen).toEqual([["open", "websocket", "192.0.2.1", "polling"]]);
    expect(line).toContain('"polling"');
  });
});

describe("a refusal by the object", () => {
  it.each(STATES)("is emitted as connection_error with its request (object %s)", async (state) => {
    const object = new TestObject("main", "TOLD");
    await object.run(() => {});
    await next(object, state);
    const url = `${URL_OF.polling}&sid=nobody`;
    await object.app.request(url, { method: "POST", body: "40", headers: { "x-me": "tester" } }, env);
    const details = [1, "Session ID unknown", { sid: "nobody" }, "POST", url, "tester", "nobody"];
    expect(object.journal).toEqual([`refused ${JSON.stringify(details)}`]);
  });
});

describe("a message that a listener of connection sends", () => {
  it("is sent with the answer to the first poll, and after the handshake over a WebSocket", async () => {
    const object = new TestObject("welcome", "TOLD");
    const response = await object.fetch({ op: "open" });
    const open = await response.text();
    expect(open.split(RS)).toHaveLength(1);
    const client = new PollingClient(object, JSON.parse(open.slice(1)).sid);
    expect(await client.poll()).toBe("4welcome");
    const socket = await object.openSocket();
    expect(await socket.text()).toBe("4welcome");
  });
});

describe.each(STATES)("events of a session in an object that is %s between its packets", (state) => {
  it("report what is received and sent over WebSocket", async () => {
    const object = new TestObject(`told ws ${state}`, "TOLD");
    const client = await object.openSocket();
    await client.expect("4welcome");
    await next(object, state);
    client.socket.send("4hello");
    await client.expect("4hello");
    const length = client.sid.length;
    // Listeners receive nothing of the packet that wakes them except its message.
    expect(object.journal.filter((line) => !line.startsWith("session"))).toEqual(
      [
        "packet message hello",
        "data hello",
        "packetCreate message hello",
        "flush message hello",
        `engine flush ${length} message hello`,
        "drain",
        `engine drain ${length}`,
      ].slice(state === "asleep" ? 1 : 0),
    );
    await next(object, state);
    client.socket.send("4close");
    expect(await client.closed).toBe(1005);
    await expect.poll(() => object.journal.at(-1)).toBe("close forced close closed");
  });

  it("report what is received and sent over polling", async () => {
    const object = new TestObject(`told polling ${state}`, "TOLD");
    const client = await object.openPolling();
    expect(await client.poll()).toBe("4welcome");
    const poll = await client.park();
    await next(object, state);
    expect(await client.post(`4a${RS}3${RS}4b`)).toBe("200 ok");
    expect(await poll.payload).toBe(`4a${RS}4b`);
    const length = client.sid.length;
    const seen = object.journal.filter((line) => !line.startsWith("session"));
    // A pong in a body is observed, but it is no heartbeat; the polls are.
    expect(seen).not.toContain("heartbeat");
    expect(seen.filter((line) => !/^(packet|data|packetCreate) /.test(line))).toEqual([
      "flush message a|message b",
      `engine flush ${length} message a|message b`,
      "drain",
      `engine drain ${length}`,
    ]);
    expect(seen.filter((line) => /^(data|packetCreate) /.test(line))).toEqual([
      "data a",
      "packetCreate message a",
      "data b",
      "packetCreate message b",
    ]);
    await next(object, state);
    expect(await client.post("1")).toBe("200 ok");
    expect(object.journal.at(-1)).toBe("close transport close closed");
  });

  it("report the upgrade to listeners that are in memory", async () => {
    const object = new TestObject(`told upgrade ${state}`, "TOLD");
    const client = await object.openPolling();
    await next(object, state);
    const socket = await client.upgrade();
    await socket.expect("4welcome");
    const seen = object.journal.filter((line) => /^upgrad/.test(line));
    // After sleep there are no listeners yet, because the upgrade runs no user code until a message arrives.
    expect(seen).toEqual(state === "awake" ? ["upgrading websocket", "upgrade websocket websocket"] : []);
    await next(object, state);
    expect(await socket.echo("moved")).toBe("4moved");
  });

  it("include a callback for each message, in order, once the transport has taken it", async () => {
    const object = new TestObject(`callbacks ${state}`, "TOLD");
    const client = await object.openSocket();
    await client.expect("4welcome");
    await next(object, state);
    client.socket.send("4callbacks");
    await client.expect("4one");
    await client.expect("4two");
    expect([...new Uint8Array((await client.next()) as ArrayBuffer)]).toEqual([1, 2]);
    const calls = () => object.journal.filter((line) => /sen[dt]\b/.test(line));
    const order = ["asked to send", "sent one by websocket", "sent two", "sent bytes"];
    await expect.poll(calls).toEqual(order);
    const polling = await object.openPolling();
    expect(await polling.poll()).toBe("4welcome");
    await next(object, state);
    expect(await polling.post("4callbacks")).toBe("200 ok");
    expect(calls()).toEqual(["asked to send"]);
    // An object that has slept does not know when the last ping was sent, and sends one at once.
    const ping = state === "asleep" ? `2${RS}` : "";
    expect(await polling.poll()).toBe(`${ping}4one${RS}4two${RS}bAQI=`);
    await expect.poll(calls).toEqual(order.map((line) => line.replace("websocket", "polling")));
  });

  it("may send in a drain listener, after all that was queued", async () => {
    const object = new TestObject(`much ${state}`, "TOLD");
    const client = await object.openSocket();
    await client.expect("4welcome");
    await next(object, state);
    client.socket.send("4much");
    const seen: string[] = [];
    while (seen.at(-1) !== "4be") {
      const frame = (await client.text()).slice(0, 3);
      if (frame === "2") client.socket.send("3");
      else if (frame !== "6") seen.push(frame);
    }
    expect(seen).toEqual(["40x", "41x", "42x", "43x", "44x", "4be"]);
  });

  it("include no callback for a message that is dropped", async () => {
    const object = new TestObject(`dropped ${state}`, "TOLD");
    const client = await object.openPolling();
    expect(await client.poll()).toBe("4welcome");
    await next(object, state);
    expect(await client.post("4close now")).toBe("200 ok");
    expect(await client.poll()).toBe('400 {"code":1,"message":"Session ID unknown"}');
    expect(object.journal).toContain("close forced close closed");
    expect(object.journal).not.toContain("dropped?");
  });
});

describe("messages with callbacks that are sent during an upgrade", () => {
  it("are confirmed when the WebSocket has taken them", async () => {
    const object = new TestObject("callbacks upgrade", "TOLD");
    const client = await object.openPolling();
    expect(await client.poll()).toBe("4welcome");
    const socket = await client.candidate();
    socket.socket.send("2probe");
    await socket.expect("3probe");
    expect(await client.post("4callbacks")).toBe("200 ok");
    socket.socket.send("5");
    await socket.expect("4one");
    await expect.poll(() => object.journal).toContain("sent one by websocket");
    expect(object.journal.filter((line) => line.startsWith("sent"))).toHaveLength(3);
  });
});

describe("heartbeats", () => {
  it.each(["TOLD", "TOLD_QUICKLY"] as const)("are reported to listeners of a session of %s", async (kind) => {
    const clock = new Clock();
    const object = new TestObject("beats", kind);
    await clock.attach(object);
    const client: SocketClient = await object.openSocket();
    await client.expect("4welcome");
    object.journal.length = 0;
    await until(() => object.run(async (_, ctx) => (await ctx.storage.getAlarm()) !== null));
    // The clock is set only now, because a wait for a condition advances a faked clock.
    clock.set(22_500);
    expect(await runDurableObjectAlarm(object.stub)).toBe(true);
    await client.expect("2");
    client.socket.send("3");
    // The runtime answers pongs, and no code sees them; a tick reports them to sessions in memory.
    await client.expect("6");
    clock.set(45_000);
    expect(await runDurableObjectAlarm(object.stub)).toBe(true);
    await client.expect("2");
    const seen = object.journal.filter((line) => /^(packet|flush|heartbeat)/.test(line));
    expect(seen).toEqual(["packetCreate ping", "flush ping", "heartbeat", "packetCreate ping", "flush ping"]);
    clock.stop();
  });
});

describe("falsy values and values of other types", () => {
  it("are sent as the official server sends them", async () => {
    const object = new TestObject("falsy", "TOLD");
    const client = await object.openSocket();
    await client.expect("4welcome");
    await object.run(({ engine }) => {
      const [session] = Object.values(engine.clients);
      for (const data of ["", null, undefined, 0, 5, new DataView(new ArrayBuffer(2), 1)]) {
        session?.send(data as string);
      }
    });
    for (const frame of ["4", "4", "4", "4", "45"]) await client.expect(frame);
    expect(((await client.next()) as ArrayBuffer).byteLength).toBe(1);
  });
});

describe.each(STATES)("a message that follows one whose listener closes the session, %s", (state) => {
  it.each(["close", "close now"])("is dropped as on Node after %j, over both transports", async (word) => {
    const object = new TestObject(`closes ${state} ${word}`, "TOLD");
    const polling = await object.openPolling();
    expect(await polling.poll()).toBe("4welcome");
    await next(object, state);
    expect(await polling.post(`4before${RS}4${word}${RS}4late`)).toBe("200 ok");
    const socket = await object.openSocket();
    await socket.expect("4welcome");
    if (state === "asleep") await object.sleep();
    for (const text of ["before", word, "late"]) socket.socket.send(`4${text}`);
    await socket.closed;
    const said = object.journal.filter((line) => line.startsWith("data"));
    expect(said).toEqual(["data before", `data ${word}`, "data before", `data ${word}`]);
  });
});
