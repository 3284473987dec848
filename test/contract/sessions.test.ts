import { describe, it } from "vitest";
import { type Mode, modes } from "../support/clients.ts";
import { targets } from "../support/targets.ts";
import { behaviours } from "./behaviours.ts";
import { worldOf } from "./world.ts";

/** One suite for every set of transports, because an application must not notice which one carries a session. */
describe.each(targets)("a session on %s", (target) => {
  describe.each(Object.keys(modes) as Mode[])("by %s", (mode) => {
    const world = worldOf(target, "4.8", mode);
    it.each(behaviours)("%s", (_sentence, run) => run(world));
  });
});
