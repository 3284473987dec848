import { describe, it } from "vitest";
import { type Mode, modes } from "../support/clients.ts";
import { targets } from "../support/targets.ts";
import { behaviours } from "./behaviours.ts";
import { type WorldInterruption, worldOf } from "./world.ts";

const INTERRUPTIONS: Record<number, WorldInterruption[]> = {
  1: ["asleep", "restarted"],
  3: ["asleep", "restarted", "cut off"],
};

/** The same suite with one of the objects interrupted between any two steps, because nobody must notice that either. */
describe.runIf(targets.includes("edge")).each([1, 3])("a session of a server over %i objects", (shards) => {
  describe.each(INTERRUPTIONS[shards]!)("of which one is %s between any two steps", (interruption) => {
    describe.each(Object.keys(modes) as Mode[])("by %s", (mode) => {
      const world = worldOf("edge", "4.8", mode, { shards, interruption });
      it.each(behaviours)("%s", (_sentence, run) => run(world));
    });
  });
});
