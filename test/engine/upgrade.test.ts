import { describe, expect, it } from "vitest";
import type { EnginePacket } from "../../src/codec/index.ts";
import type { SessionState } from "../../src/engine/state.ts";
import { after, flush, poll, polling, START, send, tick, websocket } from "./driver.ts";

const candidate = (session: SessionState) => after(session, { type: "candidate" });
const says = (session: SessionState, packet: EnginePacket) =>
  after(session, { type: "candidate-packet", packet });
const probe = (session: SessionState) => says(session, { type: "ping", data: "probe" });
const upgrade = (session: SessionState) => says(session, { type: "upgrade" });

describe("an upgrade", () => {
  it("consists of 2probe, 3probe and 5, and then sends what is queued over the WebSocket", () => {
    const session = polling();
    expect(candidate(session)).toEqual([]);
    expect(probe(session)).toEqual(["write-candidate 3probe", "upgrading"]);
    send(session, ["4while upgrading"]);
    expect(upgrade(session)).toEqual(["take-over", "write 4while upgrading", "upgrade", "save"]);
    expect(session.transport).toBe("websocket");
    expect(send(session, ["4after"])).toEqual(["write 4after"]);
  });

  it("answers the waiting poll at once, so that its client can send 5", () => {
    const session = polling();
    poll(session);
    candidate(session);
    expect(probe(session)).toEqual(["write-candidate 3probe", "upgrading", "answer 6"]);
  });

  it("answers a poll that arrives during the probe after a moment, for which Swift waits", () => {
    const session = polling();
    candidate(session);
    probe(session);
    expect(poll(session)).toEqual(["park, ping in 22500", "release-later"]);
    expect(after(session, { type: "release-poll" })).toEqual(["answer 6"]);
    expect(after(session, { type: "release-poll" })).toEqual([]);
  });

  it("delivers messages over polling as long as a poll waits", () => {
    const session = polling();
    candidate(session);
    probe(session);
    poll(session);
    send(session, ["4a"]);
    expect(flush(session)).toEqual(["answer 4a", "drain"]);
    expect(upgrade(session)).toEqual(["take-over", "upgrade", "save"]);
  });

  it("ends a poll that still waits with a close packet", () => {
    const session = polling();
    candidate(session);
    probe(session);
    poll(session);
    expect(upgrade(session)).toEqual(["answer 1", "take-over", "upgrade", "save"]);
  });

  it("works without a probe (C#, PHP), and with a probe asked twice", () => {
    const hasty = polling();
    candidate(hasty);
    expect(upgrade(hasty)).toEqual(["take-over", "upgrade", "save"]);

    const thorough = polling();
    candidate(thorough);
    probe(thorough);
    expect(probe(thorough)).toEqual(["write-candidate 3probe"]);
    expect(upgrade(thorough)).toEqual(["take-over", "upgrade", "save"]);
  });

  it("sends nothing else over the new WebSocket between 3probe and 5", () => {
    const session = polling();
    candidate(session);
    probe(session);
    const between = [
      ...send(session, ["4data"]),
      ...tick(session, START + 22_500),
      ...tick(session, START + 30_000),
      ...poll(session, START + 30_000),
    ];
    expect(between.filter((line) => line.startsWith("write"))).toEqual([]);
  });

  it.each<[string, EnginePacket]>([
    ["a bare 2", { type: "ping" }],
    ["a message", { type: "message", data: "early" }],
    ["bytes", { type: "message", data: Uint8Array.of(1) }],
    ["a pong", { type: "pong" }],
  ])("fails for a candidate that sends %s, and can be tried again", (_, packet) => {
    const session = polling();
    candidate(session);
    probe(session);
    expect(says(session, packet)).toEqual(["drop-candidate"]);
    expect(poll(session)).toEqual(["park, ping in 22500"]);
    expect(candidate(session)).toEqual([]);
    expect(upgrade(session)).toContain("take-over");
  });

  it("can be tried again after a candidate has disconnected", () => {
    const session = polling();
    candidate(session);
    probe(session);
    after(session, { type: "candidate-gone" });
    expect(after(session, { type: "release-poll" })).toEqual([]);
    candidate(session);
    expect(upgrade(session)).toEqual(["take-over", "upgrade", "save"]);
  });

  it("has one candidate at a time, so that a second one is dropped and the first continues", () => {
    const session = polling();
    candidate(session);
    expect(candidate(session)).toEqual(["refuse"]);
    expect(upgrade(session)).toEqual(["take-over", "upgrade", "save"]);
  });

  it("happens at most once per session", () => {
    expect(candidate(websocket())).toEqual(["refuse"]);
  });

  it("completes while the session is closing, after which the session ends", () => {
    const session = polling();
    candidate(session);
    send(session, ["4last words"]);
    after(session, { type: "close", code: "SERVER_CLOSED", discard: false, now: START });
    expect(upgrade(session)).toEqual([
      "take-over",
      "write 4last words",
      "upgrade",
      "save",
      "close-socket",
      "closed: forced close",
    ]);
  });

  it("discards a pending ping that only a poll could have answered", () => {
    const session = polling();
    poll(session, START + 22_500);
    candidate(session);
    upgrade(session);
    // The client's "3" went to the Worker; the runtime has seen no pong on the WebSocket.
    expect(tick(session, START + 45_000)).toEqual(["write 2", "save"]);
  });
});
