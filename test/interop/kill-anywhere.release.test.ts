import { describe, expect, it } from "vitest";
import { targets } from "../support/targets.ts";
import { conversation } from "./conversation.ts";
import { converse, departures, LIMIT, recorded, write } from "./kill-anywhere.ts";

describe("a conversation with Socket.IO on Node", () => {
  it("is long enough to compare with", () => {
    for (const mode of ["mixed", "polling", "websocket"] as const) {
      expect(conversation({ mode }).length).toBeGreaterThanOrEqual(150);
    }
  });

  it.runIf(targets.includes("official")).each(["mixed", "polling", "websocket"] as const)(
    "leaves the same trace as it was recorded (%s)",
    async (mode) => {
      const trace = await converse("official", mode, "none");
      if (process.env.RECORD) {
        recorded[mode] = trace;
        write(recorded);
      }
      expect(departures(trace, recorded[mode])).toEqual([]);
    },
    LIMIT,
  );

  it.runIf(targets.includes("official"))(
    "leaves the same trace when all clients upgrade as over WebSocket",
    async () =>
      expect(departures(await converse("official", "upgrading", "none"), recorded.websocket)).toEqual([]),
    LIMIT,
  );
});

describe.runIf(targets.includes("edge"))("the same conversation with this project", () => {
  it.each(["mixed", "polling", "websocket"] as const)(
    "leaves the same trace while the object stays awake (%s)",
    async (mode) => expect(departures(await converse("edge", mode, "none"), recorded[mode])).toEqual([]),
    LIMIT,
  );

  it.each(["mixed", "polling", "websocket"] as const)(
    "leaves the same trace with the object hibernated between every two steps (%s)",
    async (mode) => expect(departures(await converse("edge", mode, "hibernate"), recorded[mode])).toEqual([]),
    LIMIT,
  );

  it(
    "leaves the same trace with the object restarted between every two steps, for clients that poll",
    async () => expect(departures(await converse("edge", "polling", "close"), recorded.polling)).toEqual([]),
    LIMIT,
  );

  it(
    "loses, repeats and reorders nothing with the object restarted between every two steps, over WebSocket with recovery",
    async () =>
      expect(departures(await converse("edge", "websocket", "close"), recorded.websocket)).toEqual([]),
    LIMIT,
  );
});
