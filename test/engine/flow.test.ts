import { describe, expect, it } from "vitest";
import { nextTickAt } from "../../src/engine/heartbeat.ts";
import { after, drain, polling, QUICK, RULES, START, send, tick, version3, websocket } from "./driver.ts";

const MB = 1_000_000;
const mega = (n = 1) => Array.from({ length: n }, () => `4${"x".repeat(MB - 1)}`);
/** The effects for the host, with megabytes counted instead of shown. */
const short = (effects: string[]) =>
  effects.map((line) => line.replace(/^write 4x.*/, () => `write ${Math.round((line.length - 6) / MB)} MB`));
const close = (discard = false) => ({ type: "close", code: "SERVER_CLOSED", discard, now: START }) as const;

describe("a WebSocket to which much is written", () => {
  it("is sent a ping after 1 MB, and at most 2 MB before a pong proves that it reads", () => {
    const session = websocket();
    expect(send(session, ["4small"])).toEqual(["write 4small"]);
    expect(short(send(session, mega(5), START + 5))).toEqual([
      "write 1 MB",
      "write 2",
      "save",
      "write 1 MB",
      "drain-later",
    ]);
    expect([session.pingedAt, session.queue.length, session.queuedBytes]).toEqual([START + 5, 3, 3 * MB]);
    expect(send(session, ["4behind"], START + 6)).toEqual(["drain-later"]);
  });

  it("is sent a ping after 64 kB, and at most 128 kB unproven, while other WebSockets have much unread", () => {
    const session = websocket();
    const kilo = Array.from({ length: 6 }, () => `4${"x".repeat(32_000 - 1)}`);
    const lines = send(session, kilo, START, undefined, 0, 32_000_000);
    expect(lines.map((line) => line.slice(0, 8))).toEqual([
      "write 4x",
      "write 2",
      "save",
      "write 4x",
      "drain-la",
    ]);
    expect([session.unreadBytes, session.queuedBytes]).toEqual([128_000, 64_000]);
  });

  it("is sent the rest in order as its pongs prove that it reads", () => {
    const session = websocket();
    send(session, [...mega(4), "4last"]);
    expect(drain(session, START + 25)).toEqual(["drain-later"]);
    // The pong answers what was sent before the ping: 1 MB of 2.
    expect(short(drain(session, START + 50, START + 40))).toEqual([
      "write 2",
      "save",
      "write 1 MB",
      "drain-later",
    ]);
    expect(short(drain(session, START + 75, START + 60))).toEqual([
      "write 2",
      "save",
      "write 1 MB",
      "drain-later",
    ]);
    expect(drain(session, START + 100, START + 80)).toEqual(["write 2", "save", "write 4last"]);
    expect([session.queue, session.queuedBytes]).toEqual([[], 0]);
    expect(drain(session, START + 125, START + 80)).toEqual([]);
  });

  it("is sent more as soon as a pong proves that it has read most of it", () => {
    const session = websocket();
    const large = (n: number) => Array.from({ length: n }, () => `4${"x".repeat(900_000 - 1)}`);
    send(session, large(5));
    expect([session.queue.length, session.unreadBytes]).toEqual([2, 2_700_000]);
    const lines = drain(session, START + 50, START + 40).map((line) => line.slice(0, 8));
    expect(lines).toEqual(["write 4x", "write 2", "save", "write 4x"]);
  });

  it("is not closed for what it is sent in one turn if it reads", () => {
    const session = websocket();
    const effects = send(session, mega(24));
    expect(effects).not.toContain("close-socket");
    let written = 2;
    for (let at = START + 1_000; session.queue.length > 0; at += 1_000) {
      written += drain(session, at, at - 1).filter((line) => line.startsWith("write 4")).length;
    }
    expect([session.phase, written]).toEqual(["open", 24]);
  });

  it("is closed when more than maxQueuedBytes wait and its ping stays unanswered for 5 s", () => {
    const session = websocket();
    send(session, mega(24));
    expect(drain(session, START + 4_999)).toEqual(["drain-later"]);
    expect(drain(session, START + 5_000)).toEqual([
      "close-socket",
      "closed: transport error (too many bytes queued)",
    ]);
    expect([session.queue, session.queuedBytes]).toEqual([[], 0]);
  });

  it("is closed by the next send after these 5 s", () => {
    const session = websocket();
    send(session, mega(24));
    expect(send(session, ["4x"], START + 5_000)[0]).toBe("close-socket");
  });

  it("has pingInterval + pingTimeout to answer when less waits, since 2 MB precede its ping", () => {
    const session = websocket();
    send(session, mega(18));
    expect(nextTickAt(session, START + 22_500, RULES)).toBe(START + 45_000);
    expect(tick(session, START + 44_999)).toEqual([]);
    expect(drain(session, START + 44_999)).toEqual(["drain-later"]);
    expect(drain(session, START + 45_000)).toEqual(["close-socket", "closed: ping timeout"]);
  });

  it("has pingTimeout to answer again after it has read everything", () => {
    const session = websocket();
    send(session, mega(1));
    expect(tick(session, START + 22_500, { pongedAt: START + 22_000 })).toEqual(["write 2", "save"]);
    expect(tick(session, START + 42_500, { pongedAt: START + 22_000 })[1]).toBe("closed: ping timeout");
  });

  it("takes the same time for each message, however many of them wait", () => {
    const session = websocket();
    send(session, mega(2));
    // Copying the queue for each of them would take 10^10 steps.
    for (let i = 0; i < 150_000; i++) send(session, ["4ten bytes"]);
    expect(session.queuedBytes).toBe(150_000 * 10);
  });

  it("does not count a pong that came before the ping", () => {
    const session = websocket();
    send(session, mega(24));
    expect(drain(session, START + 5_000, START - 1)[0]).toBe("close-socket");
  });

  it("may prove by the pong to a tick's ping that it reads", () => {
    const session = websocket();
    tick(session, START + 22_500);
    // The pong has not been noticed yet.
    expect(short(send(session, mega(3), START + 30_000))).toEqual(["write 2 MB", "drain-later"]);
    expect(short(drain(session, START + 30_025, START + 22_600))).toEqual(["write 2", "save", "drain-later"]);
  });

  it("has the same bounds in an object that never sleeps", () => {
    const session = websocket();
    send(session, mega(24), START, QUICK);
    expect(drain(session, START + 4_999, 0, QUICK)).toEqual(["drain-later"]);
    expect(drain(session, START + 5_000, 0, QUICK)[0]).toBe("close-socket");
  });
});

describe("what is queued for a WebSocket that the server closes", () => {
  it("is written before the WebSocket is closed", () => {
    const session = websocket();
    send(session, [...mega(2), "4last words"]);
    expect(after(session, close())).toEqual(["save"]);
    expect(send(session, ["4too late"])).toEqual([]);
    expect(drain(session, START + 25, START + 10)).toEqual([
      "write 2",
      "save",
      "write 4last words",
      "close-socket",
      "closed: forced close",
    ]);
  });

  it("delays the close by at most pingTimeout", () => {
    const session = websocket();
    send(session, mega(4));
    after(session, close());
    expect(tick(session, START + 19_999)).toEqual([]);
    expect(tick(session, START + 20_000)).toEqual(["close-socket", "closed: forced close"]);
    expect(session.queue).toEqual([]);
  });

  it("is dropped when the session is closed with discard", () => {
    const session = websocket();
    send(session, mega(4));
    expect(after(session, close(true))).toEqual(["close-socket", "closed: forced close"]);
    expect(session.queue).toEqual([]);
  });
});

describe("what is queued when a session upgrades to WebSocket", () => {
  const upgrade = (session: ReturnType<typeof polling>) => {
    after(session, { type: "candidate" });
    return after(session, { type: "candidate-packet", packet: { type: "upgrade" } });
  };

  it("is written at once if it is little", () => {
    const session = polling();
    send(session, ["4one", "4two"]);
    expect(upgrade(session)).toEqual(["take-over", "write 4one|4two", "upgrade", "save"]);
    expect(session.unreadBytes).toBe(8);
  });

  it("is written as it is read if it is much, even while the session is closing", () => {
    const session = polling();
    send(session, mega(3));
    after(session, close());
    expect(upgrade(session)).toEqual(["take-over", "drain-later", "upgrade", "save"]);
    expect(short(drain(session, START + 25))).toEqual([
      "write 1 MB",
      "write 2",
      "save",
      "write 1 MB",
      "drain-later",
    ]);
    expect(short(drain(session, START + 50, START + 40))).toEqual([
      "write 2",
      "save",
      "write 1 MB",
      "close-socket",
      "closed: forced close",
    ]);
  });
});

describe("a WebSocket of a v3 client, which pings the server", () => {
  const ping = (session: ReturnType<typeof version3>, now: number) =>
    after(session, { type: "packet", packet: { type: "ping" }, now });

  /** Sends, and waits until everything is written. */
  const read = (session: ReturnType<typeof version3>, frames: string[], from: number) => {
    let now = from;
    for (send(session, frames, now); session.queue.length > 0; now += 25) drain(session, now);
    return now - from;
  };

  it("is sent 2 MB at once and the rest at 4 MB/s, in order", () => {
    const session = version3("websocket");
    expect(read(session, [...mega(22), "4last"], START)).toBeGreaterThan(4_900);
    // A small message is sent without waiting for proof.
    expect(send(session, ["4small"], START + 6_000)).toEqual(["write 4small"]);
  });

  it("is sent no ping, and is closed when more than twice maxQueuedBytes are unread between its pings", () => {
    const session = version3("websocket");
    expect(short(send(session, mega(32)))).toEqual(["write 2 MB", "drain-later"]);
    expect(send(session, ["4x"])).toEqual([
      "close-socket",
      "closed: transport error (too many bytes queued)",
    ]);
  });

  it("proves by a ping that it has read what was sent before the last pong", () => {
    const session = version3("websocket");
    read(session, mega(20), START);
    ping(session, START + 25_000);
    expect(session.unreadBytes).toBe(20 * MB);
    read(session, mega(10), START + 30_000);
    ping(session, START + 50_000);
    expect(session.unreadBytes).toBe(10 * MB);
  });

  it("proves nothing by a ping that comes earlier than pingInterval", () => {
    const session = version3("websocket");
    send(session, mega(32));
    for (let at = 0; at < 12_500; at += 500) ping(session, START + 25_000 + at);
    expect(send(session, ["4x"], START + 37_500)[0]).toBe("close-socket");
  });
});
