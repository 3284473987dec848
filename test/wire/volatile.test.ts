import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Step } from "../fixtures/apps/volatile.ts";
import type { Running } from "../support/app.ts";
import { Monitor } from "../support/monitor.ts";
import { joinByWebSocket, RawSession } from "../support/raw-session.ts";
import { start, targets } from "../support/targets.ts";

/** A transport accepts one packet per tick. Other packets wait, and volatile events do not. */
const scripts: [what: string, steps: Step[], arrives: number[]][] = [
  ["is sent when nothing else is", ["volatile"], [0]],
  ["is dropped after a regular event of the same tick", ["regular", "volatile"], [0]],
  ["is sent once when two follow each other", ["volatile", "volatile"], [0]],
  ["does not keep back a regular event behind it", ["volatile", "regular", "volatile"], [0, 1]],
  ["of a broadcast is dropped as well", ["regular", "broadcast"], [0]],
  ["of a broadcast is sent when nothing else is", ["broadcast", "broadcast"], [0]],
  ["with bytes is sent whole", ["bytes"], [0]],
  ["with bytes is dropped whole", ["regular", "bytes"], [0]],
];

describe.each(targets)("a volatile event on %s", (target) => {
  let server: Running;
  let monitor: Monitor;

  beforeAll(async () => {
    server = await start(target, "volatile");
    monitor = await Monitor.connect(server);
  });
  afterAll(async () => {
    monitor?.close();
    await server?.close();
  });

  const numbers = (packets: (string | Uint8Array)[]) =>
    packets.flatMap((packet) => {
      const match = typeof packet === "string" ? /^4(?:2|51-)\["n",(\d+)/.exec(packet) : null;
      return match === null ? [] : [Number(match[1])];
    });

  it.each(scripts)("%s, over WebSocket", async (_what, steps, arrives) => {
    for (const isAsleep of [false, true]) {
      const { socket, id } = await joinByWebSocket(server);
      if (isAsleep) await server.evict("hibernate");
      await monitor.ask("script", id, steps);
      await socket.nextText('42["end"]');
      const packets = socket.frames.seen.slice(2);
      expect(numbers(packets)).toEqual(arrives);
      expect(packets.filter((packet) => typeof packet !== "string")).toHaveLength(
        steps.some((step, i) => step === "bytes" && arrives.includes(i)) ? 1 : 0,
      );
      socket.close();
    }
  });

  it("is sent over WebSocket one tick after a regular one", async () => {
    const { socket, id } = await joinByWebSocket(server);
    await monitor.ask("script", id, ["regular", "tick", "volatile", "tick", "bytes"]);
    await socket.nextText('42["end"]');
    expect(numbers(socket.frames.seen)).toEqual([0, 2, 4]);
    socket.close();
  });

  async function everything(session: RawSession, poll = session.poll()): Promise<string[]> {
    const packets = (await poll).body.split("\x1e");
    while (!packets.includes('42["end"]')) packets.push(...(await session.poll()).body.split("\x1e"));
    return packets;
  }

  it.each(scripts)("%s, over polling while a poll waits", async (_what, steps, arrives) => {
    for (const isAsleep of [false, true]) {
      const session = await RawSession.join(server);
      const poll = session.poll();
      await monitor.parked(session);
      if (isAsleep) await server.evict("hibernate");
      await monitor.ask("script", session.id, steps);
      expect(numbers(await everything(session, poll))).toEqual(arrives);
      await session.post("1");
    }
  });

  it("is dropped over polling while no poll waits", async () => {
    const session = await RawSession.join(server);
    await monitor.ask("script", session.id, ["volatile", "regular", "tick", "bytes", "broadcast"]);
    expect(numbers(await everything(session))).toEqual([1]);
  });
});
