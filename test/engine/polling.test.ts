import { describe, expect, it } from "vitest";
import { after, flush, LIMIT, poll, polling, START, send, tick } from "./driver.ts";

const texts = (count: number) => Array.from({ length: count }, (_, i) => `4${i}`);

describe("a GET", () => {
  it("waits in the Worker while there is nothing to say, and is told when a ping is due", () => {
    expect(poll(polling(), START + 500)).toEqual(["park, ping in 22000"]);
  });

  it("is answered at once with what was queued, in order", () => {
    const session = polling();
    expect(send(session, ["4hello"])).toEqual(["queued"]);
    expect(send(session, ["4world", Uint8Array.of(1, 2)])).toEqual(["queued"]);
    expect(poll(session)).toEqual(["queued", "reply 4hello|4world|<1 2>", "drain"]);
    expect(poll(session)).toEqual(["park, ping in 22500"]);
  });

  it("that waits is answered once a turn, with everything of that turn", () => {
    const session = polling();
    poll(session);
    send(session, ["4a"]);
    send(session, ["4b"]);
    expect(flush(session)).toEqual(["answer 4a|4b", "drain"]);
    expect(flush(session)).toEqual([]);
  });

  it("gets at most 16 packets; the rest waits for the next one", () => {
    const session = polling();
    send(session, texts(20));
    expect(poll(session)).toEqual(["queued", `reply ${texts(16).join("|")}`]);
    expect(poll(session)).toEqual(["queued", "reply 416|417|418|419", "drain"]);
    expect(session.queuedBytes).toBe(0);
  });

  it("that waits gets at most 16 packets as well", () => {
    const session = polling();
    poll(session);
    send(session, texts(17));
    expect(flush(session)).toEqual([`answer ${texts(16).join("|")}`]);
    expect(poll(session)).toEqual(["queued", "reply 416", "drain"]);
  });

  it("gets as many as its client is known to take", () => {
    const session = polling();
    send(session, texts(40));
    expect(poll(session, START, 10_000)).toEqual(["queued", `reply ${texts(40).join("|")}`, "drain"]);
  });

  it("that overlaps another one is refused and ends the session", () => {
    const session = polling();
    poll(session);
    expect(poll(session)).toEqual(["refuse", "answer 1", "closed: transport error (overlap from client)"]);
    expect(poll(session)).toEqual(["refuse"]);
  });
});

describe("a ping over polling", () => {
  it("is the answer to a GET that comes when one is due", () => {
    expect(poll(polling(), START + 22_500)).toEqual(["reply 2", "drain"]);
  });

  it("goes before the packets of a busy session, which would never see one otherwise", () => {
    const session = polling();
    send(session, ["4a"]);
    expect(poll(session, START + 22_500)).toEqual(["queued", "reply 2|4a", "drain"]);
    expect(poll(session, START + 22_600)).toEqual(["park, ping in 22400"]);
  });

  it("goes before the packets that answer a waiting poll too late", () => {
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

  it("is due at once when nobody knows when the last one was", () => {
    const session = polling();
    session.pingedAt = 0;
    expect(poll(session, START + 10)).toEqual(["reply 2", "drain"]);
    expect(poll(session, START + 20)).toEqual(["park, ping in 22490"]);
  });

  it("is not due again when the Worker handed the poll back to ping the client", () => {
    const session = polling();
    poll(session);
    const pingedAt = START + 22_500;
    expect(after(session, { type: "poll-gone", cause: "pinged", now: pingedAt })).toEqual([]);
    expect(poll(session, pingedAt + 100)).toEqual(["park, ping in 22400"]);
  });

  it("never comes from a tick", () => {
    const session = polling();
    poll(session);
    expect(tick(session, START + 22_500)).toEqual([]);
  });
});

describe("a waiting poll that is gone", () => {
  it("ends the session when its client went away", () => {
    const session = polling();
    poll(session);
    expect(after(session, { type: "poll-gone", cause: "aborted", now: START })).toEqual([
      "closed: transport error (poll connection closed prematurely)",
    ]);
  });

  it("leaves the session alone when only the channel broke, and loses nothing", () => {
    const session = polling();
    poll(session);
    expect(after(session, { type: "poll-gone", cause: "lost", now: START })).toEqual([]);
    send(session, ["4kept"]);
    expect(poll(session, START + 300)).toEqual(["queued", "reply 4kept", "drain"]);
  });

  it("means nothing when the poll was answered meanwhile", () => {
    const session = polling();
    poll(session);
    send(session, ["4a"]);
    flush(session);
    expect(after(session, { type: "poll-gone", cause: "aborted", now: START })).toEqual([]);
    expect(session.phase).toBe("open");
  });
});

describe("what a client posts", () => {
  const packet = (
    session: ReturnType<typeof polling>,
    type: "message" | "ping" | "pong" | "noop",
    data?: string,
  ) => after(session, { type: "packet", packet: { type, data }, now: START + 5 });

  it("reaches the layer above", () => {
    expect(packet(polling(), "message", "hello")).toEqual(["message hello"]);
  });

  it("reaches it as an empty message when it is one", () => {
    expect(packet(polling(), "message")).toEqual(["message "]);
  });

  it("ends the session when it is a ping, which only servers send", () => {
    expect(packet(polling(), "ping")).toEqual(["closed: transport error (invalid heartbeat direction)"]);
  });

  it("is ignored when it is a noop (Swift) or a pong nobody asked for (Rust)", () => {
    const session = polling();
    expect(packet(session, "noop")).toEqual([]);
    expect(packet(session, "pong")).toEqual([]);
    expect(session.phase).toBe("open");
  });

  it("ends the session when it is a close; the waiting poll gets a noop", () => {
    const session = polling();
    poll(session);
    const close = { type: "packet", packet: { type: "close" }, now: START } as const;
    expect(after(session, close)).toEqual(["answer 6", "closed: transport close"]);
    expect(packet(session, "message", "too late")).toEqual([]);
  });
});

it("sends nothing through a session that has ended", () => {
  const session = polling();
  after(session, { type: "transport-gone", reason: "parse error" });
  expect(send(session, ["4late"])).toEqual([]);
  expect(poll(session, START, LIMIT)).toEqual(["refuse"]);
});
