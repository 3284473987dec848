import { describe, expect, it } from "vitest";
import { behaviours } from "../contract/behaviours.ts";
import { worldOf } from "../contract/world.ts";
import { ask, type Mode, modes, transportOf, upgraded } from "../support/clients.ts";
import { targets } from "../support/targets.ts";

/** The suite of the stock clients, run with the small client. */
describe.each(targets)("the small client on %s", (target) => {
  describe.each(Object.keys(modes) as Mode[])("by %s", (mode) => {
    const world = worldOf(target, "small", mode);

    it("ends on the transport that was requested", async () => {
      const socket = await world.connect();
      if (mode === "default") await upgraded(socket);
      expect(transportOf(socket)).toBe(mode === "polling" ? "polling" : "websocket");
      expect(await ask(socket, "echo", "here")).toBe("here");
    });

    it.each(behaviours)("%s", (_sentence, run) => run(world));
  });
});
