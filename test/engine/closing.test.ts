import { describe, expect, it } from "vitest";
import { after, flush, poll, polling, RULES, START, send, tick, websocket } from "./driver.ts";

const close = (discard = false, now = START) =>
  ({ type: "close", code: "SERVER_CLOSED", discard, now }) as const;

describe("a session that the server closes", () => {
  it("ends at once over WebSocket", () => {
    expect(after(websocket(), close())).toEqual(["close-socket", "closed: forced close"]);
  });

  it("answers a waiting poll with a close packet", () => {
    const session = polling();
    poll(session);
    expect(after(session, close())).toEqual(["answer 1", "closed: forced close"]);
  });

  it("answers the next poll with a noop and a close packet when none waits", () => {
    const session = polling();
    expect(after(session, close())).toEqual(["save"]);
    expect(session.phase).toBe("closing");
    expect(poll(session)).toEqual(["reply 6|1", "closed: forced close"]);
    expect(poll(session)).toEqual(["refuse"]);
  });

  it("delivers earlier messages to the waiting poll, and the close packet to the next one", () => {
    const session = polling();
    poll(session);
    send(session, ["4last words"]);
    after(session, close());
    expect(flush(session)).toEqual(["answer 4last words", "drain"]);
    expect(poll(session)).toEqual(["reply 6|1", "closed: forced close"]);
  });

  it("delivers earlier messages to a later poll", () => {
    const session = polling();
    send(session, ["4last words"]);
    expect(after(session, close())).toEqual(["save"]);
    expect(poll(session)).toEqual(["queued", "reply 4last words", "drain"]);
    expect(poll(session)).toEqual(["reply 6|1", "closed: forced close"]);
  });

  it("keeps to 16 packets in a payload that ends with the close packet", () => {
    const session = polling();
    poll(session);
    const frames = Array.from({ length: 16 }, (_, i) => `4${i}`);
    send(session, frames);
    after(session, close());
    expect(flush(session)).toEqual([`answer ${frames.join("|")}`, "drain"]);
    expect(poll(session)).toEqual(["reply 6|1", "closed: forced close"]);
  });

  it("neither sends nor receives further messages", () => {
    const session = polling();
    after(session, close());
    expect(send(session, ["4late"])).toEqual([]);
    expect(after(session, { type: "packet", packet: { type: "message", data: "late" }, now: START })).toEqual(
      [],
    );
  });

  it("ends after pingTimeout, at most 30 s, when its client does not poll again", () => {
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
  it("ends only once, whatever happens later", () => {
    const session = websocket();
    expect(after(session, { type: "transport-gone", code: "CLIENT_CLOSED" })).toEqual([
      "close-socket",
      "closed: transport close",
    ]);
    expect(after(session, { type: "transport-gone", code: "TRANSPORT_ERROR" })).toEqual([]);
    expect(after(session, close(true))).toEqual([]);
    expect(tick(session, START + 1e6)).toEqual([]);
  });

  it("answers the waiting poll with a close packet when its transport is lost", () => {
    const session = polling();
    poll(session);
    expect(after(session, { type: "transport-gone", code: "PARSE_ERROR", description: "bad" })).toEqual([
      "answer 1",
      "closed: parse error (bad)",
    ]);
  });

  it("closes the candidate of an upgrade when it ends", () => {
    const session = polling();
    after(session, { type: "candidate" });
    expect(after(session, close(true))).toEqual(["drop-candidate", "closed: forced close"]);
  });

  it("ends when a close packet arrives over WebSocket", () => {
    expect(after(websocket(), { type: "packet", packet: { type: "close" }, now: START })).toEqual([
      "close-socket",
      "closed: transport close",
    ]);
  });
});
