import { describe, expect, it } from "vitest";
import { targets } from "../support/targets.ts";
import { departures, LIMIT, recorded } from "./kill-anywhere.ts";
import { converseOverShards, inAnyOrder } from "./kill-shards.ts";

/** The recording is of one process of Node; here each client is on another one of three objects. */
describe.runIf(targets.includes("edge"))("the recorded conversation, with three objects", () => {
  describe.each(["asleep", "restarted", "cut off"] as const)(
    "of which one is interrupted between any two steps (%s)",
    (interruption) => {
      it.concurrent.each(["mixed", "polling", "websocket", "upgrading"] as const)(
        "leaves the same trace on %s transports",
        async (mode) => {
          const trace = await converseOverShards(mode, interruption);
          const original = recorded[mode === "upgrading" ? "websocket" : mode];
          expect(departures(trace, inAnyOrder(original!))).toEqual([]);
        },
        LIMIT,
      );
    },
  );
});
