import { describe, expect, it } from "vitest";
import { after, flush, LIMIT, poll, polling, START, send, tick } from "./driver.ts";

const texts = (count: number) => Array.from({ length: count }, (_, i) => `4${i}`);

describe("a GET", () => {
  it("waits in the Worker while nothing is queued, and learns when a ping is due", () => {
    expect(poll(polling(), START + 500)).toEqual(["park, ping in 22000"]);
  });

  it("is answered at once with what was queued, in order", () => {
    const session = polling();
    expect(send(session, ["4hello"])).toEqual(["queued"]);
    expect(send(session, ["4world", Uint8Array.of(1, 2)])).toEqual(["queued"]);
    expect(poll(session)).toEqual(["queued", "reply 4hello|4world|<1 2>", "drain"]);
    expect(poll(session)).toEqual(["park, ping in 22500"]);
  });

  it("is answered once per turn while it waits, with everything of that turn", () => {
    const session = polling();
    poll(session);
    send(session, ["4a"]);
    send(session, ["4b"]);
    expect(flush(session)).toEqual(["answer 4a|4b", "drain"]);
    expect(flush(session)).toEqual([]);
  });

  it("is answered with at most 16 packets, and the next one with the rest", () => {
    const session = polling();
    send(session, texts(20));
    expect(poll(session)).toEqual(["queued", `reply ${texts(16).join("|")}`]);
    expect(poll(session)).toEqual(["queued", "reply 416|417|418|419", "drain"]);
    expect(session.queuedBytes).toBe(0);
  });

  it("is answered with at most 16 packets also when it has waited", () => {
    const session = polling();
    poll(session);
    send(session, texts(17));
    expect(flush(session)).toEqual([`answer ${texts(16).join("|")}`]);
    expect(poll(session)).toEqual(["queued", "reply 416", "drain"]);
  });

  it("is answered with as many packets as its client is known to accept", () => {
    const session = polling();
    send(session, texts(40));
    expect(poll(session, START, 10_000)).toEqual(["queued", `reply ${texts(40).join("|")}`, "drain"]);
  });

  it("is refused and ends the session when it overlaps another one", () => {
    const session = polling();
    poll(session);
    expect(poll(session)).toEqual(["refuse", "answer 1", "closed: transport error (overlap from client)"]);
    expect(poll(session)).toEqual(["refuse"]);
  });
});

describe("a ping over polling", () => {
  it("is the answer to a GET that comes when a ping is due", () => {
    expect(poll(polling(), START + 22_500)).toEqual(["reply 2", "drain"]);
  });

  it("precedes the packets of a busy session, which otherwise would never be pinged", () => {
    const session = polling();
    send(session, ["4a"]);
    expect(poll(session, START + 22_500)).toEqual(["queued", "reply 2|4a", "drain"]);
    expect(poll(session, START + 22_600)).toEqual(["park, ping in 22400"]);
  });

  it("precedes the packets when a waiting poll is answered later than the ping was due", () => {
    const session = polling();
    poll(session);
    send(session, ["4a"], START + 22_500);
    expect(flush(session, START + 22_500)).toEqual(["answer 2|4a", "drain"]);
  });

  it("counts as one of the 16 packets", () => {
    const session = polling();
    send(session, texts(16));
    expect(poll(session, START + 22_500)).toEqual(["queued", `reply 2|${texts(15).join("|")}`]);
    expect(session.queue).toEqual(["415"]);
  });

  it("is due at once when the time of the last one is unknown", () => {
    const session = polling();
    session.pingedAt = 0;
    expect(poll(session, START + 10)).toEqual(["reply 2", "drain"]);
    expect(poll(session, START + 20)).toEqual(["park, ping in 22490"]);
  });

  it("is not due again after the Worker has handed the poll back to ping the client", () => {
    const session = polling();
    poll(session);
    const pingedAt = START + 22_500;
    expect(after(session, { type: "poll-gone", cause: "pinged", now: pingedAt })).toEqual([]);
    expect(poll(session, pingedAt + 100)).toEqual(["park, ping in 22400"]);
  });

  it("is never sent by a tick", () => {
    const session = polling();
    poll(session);
    expect(tick(session, START + 22_500)).toEqual([]);
  });
});

describe("a waiting poll that is lost", () => {
  it("ends the session when its client has disconnected", () => {
    const session = polling();
    poll(session);
    expect(after(session, { type: "poll-gone", cause: "aborted", now: START })).toEqual([
      "closed: transport error (poll connection closed prematurely)",
    ]);
  });

  it("keeps the session and its packets when only the channel to the Worker broke", () => {
    const session = polling();
    poll(session);
    expect(after(session, { type: "poll-gone", cause: "lost", now: START })).toEqual([]);
    send(session, ["4kept"]);
    expect(poll(session, START + 300)).toEqual(["queued", "reply 4kept", "drain"]);
  });

  it("has no effect when the poll has been answered meanwhile", () => {
    const session = polling();
    poll(session);
    send(session, ["4a"]);
    flush(session);
    expect(after(session, { type: "poll-gone", cause: "aborted", now: START })).toEqual([]);
    expect(session.phase).toBe("open");
  });
});

describe("a packet that a client posts", () => {
  const packet = (
    session: ReturnType<typeof polling>,
    type: "message" | "ping" | "pong" | "noop",
    data?: string,
  ) => after(session, { type: "packet", packet: { type, data }, now: START + 5 });

  it("reaches the Socket.IO server when it is a message", () => {
    expect(packet(polling(), "message", "hello")).toEqual(["message hello"]);
  });

  it("reaches the Socket.IO server when it is an empty message", () => {
    expect(packet(polling(), "message")).toEqual(["message "]);
  });

  it("ends the session when it is a ping, which only servers send", () => {
    expect(packet(polling(), "ping")).toEqual(["closed: transport error (invalid heartbeat direction)"]);
  });

  it("is ignored when it is a noop (Swift) or an unsolicited pong (Rust)", () => {
    const session = polling();
    expect(packet(session, "noop")).toEqual([]);
    expect(packet(session, "pong")).toEqual([]);
    expect(session.phase).toBe("open");
  });

  it("ends the session when it is a close, and the waiting poll gets a noop", () => {
    const session = polling();
    poll(session);
    const close = { type: "packet", packet: { type: "close" }, now: START } as const;
    expect(after(session, close)).toEqual(["answer 6", "closed: transport close"]);
    expect(packet(session, "message", "too late")).toEqual([]);
  });
});

it("a session that has ended sends nothing", () => {
  const session = polling();
  after(session, { type: "transport-gone", code: "PARSE_ERROR" });
  expect(send(session, ["4late"])).toEqual([]);
  expect(poll(session, START, LIMIT)).toEqual(["refuse"]);
});
