import { describe, it } from "vitest";
import { type Mode, modes } from "../support/clients.ts";
import { targets } from "../support/targets.ts";
import { behaviours } from "./behaviours.ts";
import { worldOf } from "./world.ts";

/** The same suite with each client on another object, because nobody must notice how many objects there are. */
describe.runIf(targets.includes("edge"))("a session of a server over three objects", () => {
  describe.each(Object.keys(modes) as Mode[])("by %s", (mode) => {
    const world = worldOf("edge", "4.8", mode, { shards: 3 });
    it.each(behaviours)("%s", (_sentence, run) => run(world));
  });
});
