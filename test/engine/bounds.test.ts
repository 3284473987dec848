import { describe, expect, it } from "vitest";
import { byteLength } from "../../src/engine/state.ts";
import { after, flush, poll, polling, RULES, START, send, websocket } from "./driver.ts";

const RULES_100 = { ...RULES, maxQueuedBytes: 100 };
const long = `4${"x".repeat(59)}`;

describe("bytes that nobody fetches", () => {
  it("end the session when they are more than maxQueuedBytes", () => {
    const session = polling();
    expect(send(session, [long], START, RULES_100)).toEqual(["queued"]);
    expect(send(session, [long], START, RULES_100)).toEqual([
      "closed: transport error (too many bytes queued)",
    ]);
    expect(session.queue).toEqual([]);
  });

  it("count from zero when a poll has taken them", () => {
    const session = polling();
    send(session, [long], START, RULES_100);
    poll(session);
    expect(session.queuedBytes).toBe(0);
    expect(send(session, [long], START, RULES_100)).toEqual(["queued"]);
  });

  it("may be exactly maxQueuedBytes", () => {
    const session = polling();
    expect(send(session, [`4${"x".repeat(99)}`], START, RULES_100)).toEqual(["queued"]);
  });

  it("of binary messages count like text", () => {
    expect(byteLength(["4ab", new Uint8Array(5)])).toBe(8);
  });

  it("end a session whose poll waits as well: one message alone can be too much", () => {
    const session = polling();
    poll(session);
    expect(send(session, [`4${"x".repeat(100)}`], START, RULES_100)).toEqual([
      "answer 1",
      "closed: transport error (too many bytes queued)",
    ]);
    expect(flush(session)).toEqual([]);
  });

  it("end a WebSocket session with the same reason", () => {
    const session = websocket();
    expect(send(session, [long], START, RULES_100)).toEqual([`write ${long}`]);
    expect(send(session, [long], START, RULES_100)).toEqual([
      "close-socket",
      "closed: transport error (too many bytes queued)",
    ]);
  });
});

it("takes back what an upgrade moved to the WebSocket", () => {
  const session = polling();
  send(session, [long], START, RULES_100);
  after(session, { type: "candidate" });
  after(session, { type: "candidate-packet", packet: { type: "upgrade" } });
  expect(session.queuedBytes).toBe(0);
  expect(send(session, [long], START, RULES_100)).toEqual([`write ${long}`]);
});
