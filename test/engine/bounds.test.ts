import { describe, expect, it } from "vitest";
import { byteLength, fromStored, toStored } from "../../src/engine/state.ts";
import { after, flush, poll, polling, RULES, START, send } from "./driver.ts";

const RULES_100 = { ...RULES, maxQueuedBytes: 100 };
const long = `4${"x".repeat(59)}`;

describe("bytes that nobody fetches", () => {
  it("end the session when more than maxQueuedBytes have waited for 5 s", () => {
    const session = polling();
    expect(send(session, [long], START, RULES_100)).toEqual(["queued"]);
    expect(send(session, [long], START + 1, RULES_100)).toEqual(["queued", "save"]);
    expect(send(session, [long], START + 4_999, RULES_100)).toEqual(["queued"]);
    // The second message has exceeded the bound.
    expect(send(session, [long], START + 5_000, RULES_100)).toEqual(["queued"]);
    expect(send(session, [long], START + 5_001, RULES_100)).toEqual([
      "closed: transport error (too many bytes queued)",
    ]);
    expect([session.queue, session.queuedBytes]).toEqual([[], 0]);
  });

  it("end the session also in an instance that has just woken", () => {
    const session = polling();
    send(session, [long, long], START, RULES_100);
    const woken = fromStored(toStored(session), 120);
    expect(send(woken, ["4x"], START + 5_000, RULES_100)).toEqual([
      "closed: transport error (too many bytes queued)",
    ]);
  });

  it("are counted from zero after a poll has taken them", () => {
    const session = polling();
    send(session, [long, long], START, RULES_100);
    poll(session, START + 4_000);
    expect(session.queuedBytes).toBe(0);
    expect(send(session, [long, long], START + 6_000, RULES_100)).toEqual(["queued", "save"]);
    expect(send(session, ["4x"], START + 10_999, RULES_100)).toEqual(["queued"]);
  });

  it("may amount to exactly maxQueuedBytes for any time", () => {
    const session = polling();
    send(session, [`4${"x".repeat(99)}`], START, RULES_100);
    expect(send(session, ["4"], START + 60_000, RULES_100)).toEqual(["queued", "save"]);
  });

  it("count the same in binary messages as in text", () => {
    expect(byteLength(["4ab", new Uint8Array(5)])).toBe(8);
  });

  it("are delivered to a waiting poll, however many they are", () => {
    const session = polling();
    poll(session);
    const large = `4${"x".repeat(1_000)}`;
    expect(send(session, [large], START, RULES_100)).toEqual(["queued", "save"]);
    expect(flush(session)).toEqual([`answer ${large}`, "drain"]);
  });
});

it("an upgrade sets the count of queued bytes to zero when the WebSocket takes them", () => {
  const session = polling();
  send(session, [long], START, RULES_100);
  after(session, { type: "candidate" });
  after(session, { type: "candidate-packet", packet: { type: "upgrade" } });
  expect(session.queuedBytes).toBe(0);
  expect(send(session, [long], START, RULES_100)).toEqual([`write ${long}`]);
});
