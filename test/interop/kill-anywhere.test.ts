import { describe, expect, it } from "vitest";
import { targets } from "../support/targets.ts";
import { converse, departures, LIMIT, recorded } from "./kill-anywhere.ts";

/** The two interruptions that find the most errors; the release tests run all of them. */
describe.runIf(targets.includes("edge"))(
  "the recorded conversation, with this project",
  { concurrent: true },
  () => {
    it(
      "leaves the same trace with the object hibernated between every two steps, on mixed transports",
      async () =>
        expect(departures(await converse("edge", "mixed", "hibernate"), recorded.mixed)).toEqual([]),
      LIMIT,
    );

    it(
      "leaves the same trace with the object restarted between every two steps, for clients that poll",
      async () =>
        expect(departures(await converse("edge", "polling", "close"), recorded.polling)).toEqual([]),
      LIMIT,
    );
  },
);
