import { describe, expect, it } from "vitest";
import { after, flush, poll, polling, RULES, START, send, tick, websocket } from "./driver.ts";

const close = (discard = false, now = START) => ({ type: "close", discard, now }) as const;

describe("a session that the server closes", () => {
  it("ends at once over WebSocket", () => {
    expect(after(websocket(), close())).toEqual(["close-socket", "closed: forced close"]);
  });

  it("tells a waiting poll", () => {
    const session = polling();
    poll(session);
    expect(after(session, close())).toEqual(["answer 1", "closed: forced close"]);
  });

  it("tells the next poll, 6 before 1, when none waits", () => {
    const session = polling();
    expect(after(session, close())).toEqual(["save"]);
    expect(session.phase).toBe("closing");
    expect(poll(session)).toEqual(["reply 6|1", "closed: forced close"]);
    expect(poll(session)).toEqual(["refuse"]);
  });

  it("delivers what was sent before to the poll that waits, and says goodbye to the next", () => {
    const session = polling();
    poll(session);
    send(session, ["4last words"]);
    after(session, close());
    expect(flush(session)).toEqual(["answer 4last words", "drain"]);
    expect(poll(session)).toEqual(["reply 6|1", "closed: forced close"]);
  });

  it("delivers what was sent before to a poll that comes later", () => {
    const session = polling();
    send(session, ["4last words"]);
    expect(after(session, close())).toEqual(["save"]);
    expect(poll(session)).toEqual(["queued", "reply 4last words", "drain"]);
    expect(poll(session)).toEqual(["reply 6|1", "closed: forced close"]);
  });

  it("never sends a 17th packet to say goodbye", () => {
    const session = polling();
    poll(session);
    const frames = Array.from({ length: 16 }, (_, i) => `4${i}`);
    send(session, frames);
    after(session, close());
    expect(flush(session)).toEqual([`answer ${frames.join("|")}`, "drain"]);
    expect(poll(session)).toEqual(["reply 6|1", "closed: forced close"]);
  });

  it("takes no more messages", () => {
    const session = polling();
    after(session, close());
    expect(send(session, ["4late"])).toEqual([]);
    expect(after(session, { type: "packet", packet: { type: "message", data: "late" }, now: START })).toEqual(
      [],
    );
  });

  it("ends after pingTimeout when its client never asks again, and after 30 s at most", () => {
    const session = polling();
    after(session, close());
    expect(tick(session, START + 19_999)).toEqual([]);
    expect(tick(session, START + 20_000)).toEqual(["closed: forced close"]);
    const patient = polling();
    after(patient, close(), { ...RULES, pingTimeout: 60_000 });
    expect(tick(patient, START + 29_999)).toEqual([]);
    expect(tick(patient, START + 30_000)).toEqual(["closed: forced close"]);
  });

  it("drops what is queued when it is closed with discard", () => {
    const session = polling();
    send(session, ["4dropped"]);
    expect(after(session, close(true))).toEqual(["closed: forced close"]);
  });

  it("drops what is queued when it is closed with discard while it is closing", () => {
    const session = polling();
    send(session, ["4dropped"]);
    after(session, close());
    expect(after(session, close())).toEqual([]);
    expect(after(session, close(true))).toEqual(["closed: forced close"]);
  });
});

describe("a session", () => {
  it("ends once, whatever comes later", () => {
    const session = websocket();
    expect(after(session, { type: "transport-gone", reason: "transport close" })).toEqual([
      "close-socket",
      "closed: transport close",
    ]);
    expect(after(session, { type: "transport-gone", reason: "transport error" })).toEqual([]);
    expect(after(session, close(true))).toEqual([]);
    expect(tick(session, START + 1e6)).toEqual([]);
  });

  it("that loses its transport answers the waiting poll with 1", () => {
    const session = polling();
    poll(session);
    expect(after(session, { type: "transport-gone", reason: "parse error", description: "bad" })).toEqual([
      "answer 1",
      "closed: parse error (bad)",
    ]);
  });

  it("takes its candidate with it", () => {
    const session = polling();
    after(session, { type: "candidate" });
    expect(after(session, close(true))).toEqual(["drop-candidate", "closed: forced close"]);
  });

  it("ends with a close packet over WebSocket too", () => {
    expect(after(websocket(), { type: "packet", packet: { type: "close" }, now: START })).toEqual([
      "close-socket",
      "closed: transport close",
    ]);
  });
});
