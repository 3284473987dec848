import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hasBrowser } from "./browser.ts";
import { Demo, newRoom, scripts } from "./demo.ts";

/** The main steps of the demo; the release tests cover the rest. */
describe.skipIf(!hasBrowser)("the demo in a browser", () => {
  let demo: Demo;
  beforeAll(async () => {
    demo = await Demo.start();
  });
  afterEach(() => demo.clear());
  afterAll(() => demo?.stop());

  describe.each(scripts)("with $script", ({ query }) => {
    it("works on when the object sleeps between two messages", async () => {
      const room = newRoom();
      const ann = await demo.visit("ann", query, room);
      const bob = await demo.visit("bob", `${query}transport=polling`, room);
      await ann.shows("WebSocket, upgraded from long-polling");
      await demo.sleepObject();
      await ann.says("awake?");
      expect(await bob.reads("awake?")).toEqual(["ann: awake?"]);
      await demo.sleepObject();
      await bob.says("awake.");
      expect(await ann.reads("awake.")).toEqual(["ann: awake?", "bob: awake."]);
      await demo.sleepObject();
      await ann.page.close();
      await bob.seesPeople((names) => names.join() === "bob");
      expect([...ann.complaints, ...bob.complaints]).toEqual([]);
    });
  });
});
