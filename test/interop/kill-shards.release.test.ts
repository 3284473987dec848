import { describe, expect, it } from "vitest";
import { targets } from "../support/targets.ts";
import type { Trace } from "./cast.ts";
import { converse, departures, LIMIT, recorded } from "./kill-anywhere.ts";

/** The recording is of one process of Node; here each client is on another one of three objects. */
describe.runIf(targets.includes("edge"))("the recorded conversation, with three objects", () => {
  it.each([
    ["mixed", "none"],
    ["mixed", "hibernate"],
    ["polling", "close"],
  ] as const)(
    "leaves the same trace on %s transports (%s)",
    async (mode, interruption) => {
      const trace = await converse("edge", mode, interruption, 3);
      expect(departures(inAnyOrder(trace), inAnyOrder(recorded[mode]!))).toEqual([]);
    },
    LIMIT,
  );
});

/** `fetchSockets` returns the sockets of the own object first, as it does in a cluster on Node. */
function inAnyOrder(trace: Trace): Trace {
  const sorted = Object.entries(trace).map(([who, lines]) => [
    who,
    lines.map((line) =>
      line[1] === "who" ? [...line.slice(0, 2), [...(line[2] as string[])].sort()] : line,
    ),
  ]);
  return Object.fromEntries(sorted);
}
