import { describe, expect, it } from "vitest";
import { isExpired, nextTickAt, pingDueAt } from "../../src/engine/heartbeat.ts";
import { createState, fromStored, type SessionState, toStored } from "../../src/engine/state.ts";
import {
  after,
  flush,
  poll,
  polling,
  QUICK,
  RULES,
  START,
  send,
  tick,
  version3,
  websocket,
} from "./driver.ts";

const pong = (session: SessionState, now: number, rules = RULES) =>
  after(session, { type: "packet", packet: { type: "pong" }, now }, rules);
const upgrade = (session: SessionState) => {
  after(session, { type: "candidate" });
  after(session, { type: "candidate-packet", packet: { type: "upgrade" } });
};

describe("a tick over WebSocket, in an object that sleeps in between", () => {
  it("sends a ping after 0.9 intervals", () => {
    expect(tick(websocket(), START + 22_500)).toEqual(["write 2", "save"]);
  });

  it("does not ping in the first second, since PHP takes the first frame after CONNECT for the answer", () => {
    expect(tick(websocket(), START + 999)).toEqual([]);
  });

  it("pings again when the runtime has answered the last pong", () => {
    const session = websocket();
    tick(session, START + 22_500);
    expect(tick(session, START + 45_000, { pongedAt: START + 22_510 })).toEqual(["write 2", "save"]);
  });

  it("closes a session whose last ping was not answered in time", () => {
    const session = websocket();
    tick(session, START + 22_500);
    expect(tick(session, START + 42_499)).toEqual([]);
    expect(tick(session, START + 42_500)).toEqual(["close-socket", "closed: ping timeout"]);
  });

  it("waits for the answer to a ping when pingTimeout is longer than pingInterval, and sends no second one", () => {
    const session = websocket();
    const patient = { ...RULES, pingTimeout: 60_000 };
    tick(session, START + 22_500, {}, patient);
    expect(tick(session, START + 45_000, {}, patient)).toEqual([]);
    expect(tick(session, START + 45_000, { pongedAt: START + 44_000 }, patient)).toEqual(["write 2", "save"]);
  });

  it("does not close a client that is sending a message, which delays its pong", () => {
    const session = websocket();
    tick(session, START + 22_500);
    after(session, { type: "packet", packet: { type: "message", data: "x" }, now: START + 40_000 });
    expect(tick(session, START + 59_999)).toEqual([]);
    expect(tick(session, START + 60_000)).toEqual(["close-socket", "closed: ping timeout"]);
  });

  it("does not take an old pong for an answer", () => {
    const session = websocket();
    tick(session, START + 22_500, { pongedAt: START + 10_000 });
    expect(tick(session, START + 45_000, { pongedAt: START + 10_000 })).toEqual([
      "close-socket",
      "closed: ping timeout",
    ]);
  });

  it("extends deadlines by its own lateness, so that a late alarm closes nobody", () => {
    const session = websocket();
    tick(session, START + 22_500);
    expect(tick(session, START + 105_000, { lateness: 62_501 })).toEqual([]);
    expect(tick(session, START + 105_000, { lateness: 62_500 })).toEqual([
      "close-socket",
      "closed: ping timeout",
    ]);
  });

  it("continues to ping after the clock was set back, and closes silent clients by the new time", () => {
    const session = websocket();
    tick(session, START + 22_500);
    const back = START - 900_000;
    const pongedAt = START + 22_600;
    expect(tick(session, back, { pongedAt })).toEqual(["write 2", "save"]);
    expect(nextTickAt(session, back, RULES)).toBe(back + 22_500);
    expect(tick(session, back + 22_500, { pongedAt: back + 100 })).toEqual(["write 2", "save"]);
    expect(tick(session, back + 45_000, { pongedAt: back + 100 })).toEqual([
      "close-socket",
      "closed: ping timeout",
    ]);
    const closing = polling();
    after(closing, { type: "close", code: "SERVER_CLOSED", discard: false, now: START });
    expect(tick(closing, back)).toEqual([]);
    expect(tick(closing, back + 30_000)).toEqual(["closed: forced close"]);
    expect(poll(polling(), back)).toEqual(["reply 2", "drain"]);
  });

  it("knows after hibernation when the last ping was sent", () => {
    const session = websocket();
    tick(session, START + 22_500);
    const woken = fromStored(toStored(session));
    expect(tick(woken, START + 45_000, { pongedAt: 0 })).toEqual(["close-socket", "closed: ping timeout"]);
  });
});

describe("a tick over WebSocket, in an object that never sleeps", () => {
  it("pings each session 0.9 intervals after its last ping, and not before", () => {
    const session = websocket();
    expect(tick(session, START + 4_499, {}, QUICK)).toEqual([]);
    expect(tick(session, START + 4_500, {}, QUICK)).toEqual(["write 2", "save"]);
    const pongedAt = START + 4_600;
    expect(tick(session, START + 8_999, { pongedAt }, QUICK)).toEqual([]);
    expect(tick(session, START + 9_000, { pongedAt }, QUICK)).toEqual(["write 2", "save"]);
    expect(tick(session, START + 13_000, { pongedAt }, QUICK)).toEqual([
      "close-socket",
      "closed: ping timeout",
    ]);
  });

  it("waits for a third of an interval where that is shorter than a second", () => {
    const hasty = { ...QUICK, pingInterval: 300, pingTimeout: 200 };
    expect(tick(websocket(), START + 269, {}, hasty)).toEqual([]);
    expect(tick(websocket(), START + 270, {}, hasty)).toEqual(["write 2", "save"]);
  });
});

describe("a polling client that sends no request", () => {
  it("has ended after 45 s for an instance that knows when it last asked", () => {
    const session = polling();
    expect(tick(session, START + 44_999)).toEqual([]);
    expect(isExpired(session, START + 45_000, 0, RULES)).toBe(true);
    expect(tick(session, START + 45_000)).toEqual(["closed: ping timeout"]);
  });

  it("goes on while a poll waits, unless its Worker should have handed it back long ago", () => {
    const session = polling();
    poll(session);
    expect(tick(session, START + 52_499)).toEqual([]);
    expect(tick(session, START + 52_500)).toEqual(["answer 1", "closed: ping timeout"]);
  });

  const answers: Record<string, (session: SessionState, now: number) => void> = {
    "with packets": (session, now) => {
      send(session, ["4x"], now);
      flush(session, now);
    },
    "with a ping": (session, now) => after(session, { type: "poll-gone", cause: "pinged", now }),
    "by a channel that broke": (session, now) => after(session, { type: "poll-gone", cause: "lost", now }),
  };

  it.each(Object.keys(answers))(
    "has 45 s from when its poll was answered %s, not from when it was asked",
    (how) => {
      const session = polling();
      poll(session, START + 100);
      answers[how]!(session, START + 20_000);
      expect(session.poll).toBe(null);
      expect(tick(session, START + 64_999)).toEqual([]);
      expect(tick(session, START + 65_000)).toEqual(["closed: ping timeout"]);
    },
  );

  it("has ended for an instance that has just woken when two ticks find nobody", () => {
    const woken = fromStored(toStored(polling()));
    expect(tick(woken, START + 60_000)).toEqual(["save"]);
    const again = fromStored(toStored(woken));
    expect(tick(again, START + 79_999)).toEqual([]);
    expect(tick(again, START + 80_000)).toEqual(["closed: ping timeout"]);
  });

  it("goes on when it asks between the two ticks", () => {
    const woken = fromStored(toStored(polling()));
    tick(woken, START + 60_000);
    expect(poll(woken, START + 70_000)).toEqual(["save", "reply 2", "drain"]);
    const again = fromStored(toStored(woken));
    expect(tick(again, START + 82_500)).toEqual(["save"]);
  });

  it("goes on when it posts between the two ticks", () => {
    const woken = fromStored(toStored(polling()));
    tick(woken, START + 60_000);
    expect(pong(woken, START + 70_000)).toEqual(["save"]);
    expect(tick(woken, START + 82_500)).toEqual([]);
  });

  it("has as much more time as the alarm is late", () => {
    const session = polling();
    expect(tick(session, START + 60_000, { lateness: 20_000 })).toEqual([]);
    // Sessions that the late alarm kept waiting have their full time again.
    expect(tick(session, START + 64_999)).toEqual([]);
    expect(tick(session, START + 65_000)).toEqual(["closed: ping timeout"]);
  });
});

describe("a v3 client, which pings the server", () => {
  const ping = (session: SessionState, now: number) =>
    after(session, { type: "packet", packet: { type: "ping" }, now });

  it.each(["polling", "websocket"] as const)(
    "has ended when it has sent no ping for 45 s (%s)",
    (transport) => {
      const session = version3(transport);
      ping(session, START + 10_000);
      if (transport === "polling") {
        expect(poll(session, START + 10_001)).toEqual(["queued", "reply 3", "drain"]);
        expect(poll(session, START + 54_999)[0]).toMatch("park");
      }
      expect(nextTickAt(session, START + 54_999, RULES)).toBe(START + 55_000);
      expect(tick(session, START + 54_999)).toEqual([]);
      expect(tick(session, START + 55_000)).toEqual([
        transport === "polling" ? "answer 1" : "close-socket",
        "closed: ping timeout",
      ]);
    },
  );

  it("ends at the same time in an instance that knows its last ping from the poll that waits", () => {
    const session = version3("polling");
    ping(session, START + 10_000);
    poll(session, START + 10_001);
    poll(session, START + 10_002);
    expect(session.poll?.pongedAt).toBe(START + 10_000);
    const woken = { ...fromStored(toStored(session)), poll: session.poll, pongedAt: START + 10_000 };
    expect(tick(woken, START + 54_999)).toEqual([]);
    expect(tick(woken, START + 55_000)).toEqual(["answer 1", "closed: ping timeout"]);
  });

  it("gets its pong with the next poll, and stays connected, when it pings while no poll waits", () => {
    const session = version3("polling");
    poll(session, START + 1_000);
    send(session, ["4x"], START + 2_000);
    flush(session, START + 2_000);
    for (const second of [20, 40, 60]) {
      expect(ping(session, START + second * 1_000)).toEqual(["heartbeat", "queued"]);
      expect(tick(session, START + second * 1_000 + 10)).toEqual([]);
    }
    expect(poll(session, START + 61_000)).toEqual(["queued", "reply 3|3|3", "drain"]);
    expect(tick(session, START + 104_999)).toEqual([]);
    expect(tick(session, START + 105_000)).toEqual(["closed: ping timeout"]);
  });

  it("has 45 s again in an instance that knows nothing of its pings", () => {
    const woken = fromStored(toStored(version3("polling")));
    expect(tick(woken, START + 60_000)).toEqual(["save"]);
    expect(poll(woken, START + 70_000)).toEqual(["save", "park, ping in 86400000"]);
    expect(tick(woken, START + 114_999)).toEqual([]);
    expect(tick(woken, START + 115_000)).toEqual(["answer 1", "closed: ping timeout"]);
  });

  it("ends in time when the instance that took its poll knew nothing of its pings", () => {
    const woken = fromStored(toStored(version3("polling")));
    poll(woken, START + 70_000);
    const again = fromStored(toStored(woken));
    again.poll = woken.poll;
    again.pongedAt = woken.poll?.pongedAt ?? 0;
    expect(tick(again, START + 114_999)).toEqual([]);
    expect(tick(again, START + 115_000)).toEqual(["answer 1", "closed: ping timeout"]);
  });

  it("goes on for an instance that has just woken when it pings between the two ticks", () => {
    const woken = fromStored(toStored(version3("polling")));
    tick(woken, START + 60_000);
    expect(ping(woken, START + 70_000)).toEqual(["heartbeat", "save", "queued"]);
    const again = fromStored(toStored(woken));
    expect(tick(again, START + 82_500)).toEqual(["save"]);
  });

  it("has as much time left after its upgrade as before", () => {
    const session = version3("polling");
    ping(session, START + 30_000);
    upgrade(session);
    expect(tick(session, START + 74_999)).toEqual([]);
    expect(tick(session, START + 75_000)).toEqual(["close-socket", "closed: ping timeout"]);
  });
});

/** One object during an hour of its alarms, with clients that answer at once. */
class Simulation {
  now = START;
  readonly ticks: number[] = [];
  /** The longest time for which any client had no ping. */
  longestGap = 0;
  readonly sessions: { state: SessionState; lastAt: number }[] = [];

  open(upgradesAfter?: number): void {
    const state = createState(4, upgradesAfter === undefined ? "websocket" : "polling", this.now);
    this.sessions.push({ state, lastAt: this.now });
    if (upgradesAfter !== undefined) upgrade(state);
  }

  /** Runs to `end`, calling `arrive` at each of `arrivals`. */
  run(end: number, arrivals: number[], arrive: () => void): void {
    let alarm = Infinity;
    const next = () =>
      this.sessions.reduce((at, { state }) => Math.min(at, nextTickAt(state, this.now, RULES)), Infinity);
    while (this.now < end) {
      const arrival = arrivals[0] ?? Infinity;
      this.now = Math.min(arrival, alarm, end);
      if (this.now === arrival) {
        arrivals.shift();
        arrive();
        // As in the object, the alarm is only ever moved to an earlier time.
        alarm = Math.min(alarm, nextTickAt(this.sessions.at(-1)!.state, this.now, RULES));
      } else if (this.now === alarm) {
        this.tick();
        alarm = next();
      }
    }
    this.#measure();
  }

  #measure(): void {
    for (const { lastAt } of this.sessions) this.longestGap = Math.max(this.longestGap, this.now - lastAt);
  }

  tick(): void {
    this.ticks.push(this.now);
    this.#measure();
    for (const session of this.sessions) {
      const pongedAt = session.lastAt;
      if (!tick(session.state, this.now, { pongedAt }).includes("write 2")) continue;
      session.lastAt = this.now;
    }
  }
}

describe("the ticks of an object", () => {
  const hour = START + 3_600_000;

  it("leaves no client longer than pingInterval without a ping, and ticks about once an interval", () => {
    const simulation = new Simulation();
    const arrivals = Array.from({ length: 200 }, (_, i) => START + Math.floor(((i * 7919) % 200) * 450)).sort(
      (a, b) => a - b,
    );
    simulation.run(hour, arrivals, () => simulation.open(simulation.sessions.length % 2 ? 0 : undefined));
    expect(simulation.sessions.every(({ state }) => state.phase === "open")).toBe(true);
    expect(simulation.longestGap).toBeLessThanOrEqual(25_000);
    // 160 intervals of 22.5 s, and a few more ticks while clients kept arriving.
    expect(simulation.ticks.length).toBeLessThanOrEqual(168);
  });

  it("does so while clients connect all the time", () => {
    const simulation = new Simulation();
    const arrivals = Array.from({ length: 1_000 }, (_, i) => START + i * 3_571);
    simulation.run(hour, arrivals, () => simulation.open(0));
    expect(simulation.longestGap).toBeLessThanOrEqual(25_000);
    const lengths = simulation.ticks.slice(1).map((at, i) => at - simulation.ticks[i]!);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(0.45 * 25_000 - 1_000);
  });

  it("pings a session that has just upgraded no later than pingInterval after its handshake", () => {
    const simulation = new Simulation();
    // The object already ticks for another client when the second one arrives 4.5 s before a tick.
    simulation.run(hour, [START, START + 18_000], () => simulation.open(0));
    expect(simulation.longestGap).toBeLessThanOrEqual(25_000);
  });
});

describe("the time of the next tick", () => {
  it("is 0.9 intervals after the handshake for a session that was never pinged", () => {
    expect(pingDueAt(websocket(), RULES)).toBe(START + 22_500);
    expect(nextTickAt(websocket(), START, RULES)).toBe(START + 22_500);
  });

  it("is the time by which a ping has to be answered, for an object that never sleeps", () => {
    const session = websocket();
    tick(session, START + 4_500, {}, QUICK);
    expect(nextTickAt(session, START + 4_500, QUICK)).toBe(START + 8_500);
  });

  it("is the next ping after that deadline has passed with an answer", () => {
    const session = websocket();
    tick(session, START + 4_500, {}, QUICK);
    expect(tick(session, START + 8_500, { pongedAt: START + 4_600 }, QUICK)).toEqual([]);
    expect(nextTickAt(session, START + 8_500, QUICK)).toBe(START + 9_000);
  });

  it("is the next ping when pingTimeout is longer than that, for an object that never sleeps", () => {
    const patient = { ...QUICK, pingTimeout: 20_000 };
    const session = websocket();
    tick(session, START + 4_500, {}, patient);
    expect(nextTickAt(session, START + 4_500, patient)).toBe(START + 9_000);
    tick(session, START + 9_000, { pongedAt: START + 4_600 }, patient);
    expect(nextTickAt(session, START + 9_000, patient)).toBe(START + 13_500);
  });

  it("is well in the future for a session that polls and of which nothing is known", () => {
    const woken = fromStored(toStored(polling()));
    expect(nextTickAt(woken, START + 1e6, QUICK)).toBeGreaterThan(START + 1e6 + 1_000);
  });

  it("is the time at which a session that polls is given up, once a tick has found it away", () => {
    const woken = fromStored(toStored(polling()));
    tick(woken, START + 60_000, {}, QUICK);
    const again = fromStored(toStored(woken));
    expect(nextTickAt(again, START + 63_000, QUICK)).toBe(START + 69_000);
  });

  it("is the time at which a closing session ends", () => {
    const session = polling();
    after(session, { type: "close", code: "SERVER_CLOSED", discard: false, now: START });
    expect(nextTickAt(session, START, RULES)).toBe(START + 20_000);
  });
});
