import { describe, expect, it } from "vitest";
import { targets } from "../support/targets.ts";
import { converse, departures, LIMIT, recorded } from "./kill-anywhere.ts";

/** The interruption that finds the most errors; the release tests run all of them. */
describe.runIf(targets.includes("edge"))("the recorded conversation, with this project", () => {
  it(
    "leaves the same trace with the object hibernated between every two steps, on mixed transports",
    async () => expect(departures(await converse("edge", "mixed", "hibernate"), recorded.mixed)).toEqual([]),
    LIMIT,
  );
});
