import { describe, expect, it } from "vitest";
import { describeDemo, newRoom, scripts } from "./demo.ts";

/** The main steps of the demo; the release tests cover the rest. */
describeDemo((running) => {
  describe.each(scripts)("with $script", ({ query }) => {
    it("works on when the object sleeps between two messages", async () => {
      const room = newRoom();
      const ann = await running.demo.visit("ann", query, room);
      const bob = await running.demo.visit("bob", `${query}transport=polling`, room);
      await ann.shows("WebSocket, upgraded from long-polling");
      await running.demo.sleepObject();
      await ann.says("awake?");
      expect(await bob.reads("awake?")).toEqual(["ann: awake?"]);
      await running.demo.sleepObject();
      await bob.says("awake.");
      expect(await ann.reads("awake.")).toEqual(["ann: awake?", "bob: awake."]);
      await running.demo.sleepObject();
      await ann.page.close();
      await bob.seesPeople((names) => names.join() === "bob");
      expect([...ann.complaints, ...bob.complaints]).toEqual([]);
    });
  });
});
