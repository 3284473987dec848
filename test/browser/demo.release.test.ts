import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hasBrowser } from "./browser.ts";
import { Demo, newRoom, scripts } from "./demo.ts";

describe.skipIf(!hasBrowser)("the demo in a browser", () => {
  let demo: Demo;
  beforeAll(async () => {
    demo = await Demo.start();
  });
  afterEach(() => demo.clear());
  afterAll(() => demo?.stop());

  describe.each(scripts)("with $script", ({ query }) => {
    it("lets two people talk, one of them limited to polling", async () => {
      const room = newRoom();
      const ann = await demo.visit("ann", query, room);
      const bob = await demo.visit("bob", `${query}transport=polling`, room);
      await ann.seesPeople((names) => names.join() === "ann,bob");

      await ann.says("hello");
      expect(await bob.reads("hello")).toEqual(["ann: hello"]);
      await bob.says("<b>hi</b>");
      expect(await ann.reads("hi")).toEqual(["ann: hello", "bob: <b>hi</b>"]);

      await ann.shows("connected by WebSocket, upgraded from long-polling");
      await bob.shows("connected by long-polling");
      expect([ann.webSockets, bob.webSockets]).toEqual([1, 0]);
      expect([...ann.complaints, ...bob.complaints]).toEqual([]);
    });

    it("shows who is typing, until the message is there", async () => {
      const room = newRoom();
      const ann = await demo.visit("ann", query, room);
      const bob = await demo.visit("bob", query, room);
      await ann.shows("connected by WebSocket, upgraded from long-polling");
      await ann.page.getByLabel("Message", { exact: true }).fill("thinking");
      await bob.shows("ann is typing…");
      await ann.says("done");
      await bob.reads("done");
      await bob.page.getByText("typing…").waitFor({ state: "detached" });
    });

    it("keeps rooms apart", async () => {
      const [lobby, kitchen] = [newRoom(), newRoom()];
      const ann = await demo.visit("ann", query, lobby);
      const bob = await demo.visit("bob", query, kitchen);
      await ann.says("for the lobby");
      await ann.reads("for the lobby");
      await ann.goesTo(kitchen);
      await bob.seesPeople((names) => names.join() === "ann,bob");
      await ann.says("for the kitchen");
      expect(await bob.reads("for the kitchen")).toEqual(["ann: for the kitchen"]);
    });

    it("connects by WebSocket alone", async () => {
      const room = newRoom();
      const ann = await demo.visit("ann", `${query}transport=websocket`, room);
      await ann.shows("connected by WebSocket");
      await ann.says("no polls");
      expect(await ann.reads("no polls")).toEqual(["ann: no polls"]);
      expect(ann.complaints).toEqual([]);
    });

    it("loses nothing that is emitted while the network is away", async () => {
      const room = newRoom();
      const ann = await demo.visit("ann", query, room);
      const bob = await demo.visit("bob", query, newRoom());
      await bob.shows("connected by WebSocket, upgraded from long-polling");
      await bob.page.context().setOffline(true);
      await bob.shows("not connected");
      // Run by the page: its socket is a new one, so that nothing but this enters a room when it comes back.
      await bob.page.evaluate(`{
        globalThis.other = io({ forceNew: true, reconnectionDelay: 100 });
        other.emit("enter", ${JSON.stringify(room)}, "carl", (people) => { globalThis.heard = people; });
        other.emit("say", "from the tunnel");
      }`);
      await bob.page.context().setOffline(false);
      expect(await ann.reads("from the tunnel")).toEqual(["carl: from the tunnel"]);
      await bob.shows("connected by WebSocket, upgraded from long-polling");
      await bob.page.waitForFunction("globalThis.heard");
      expect(await bob.page.evaluate("heard")).toEqual(["ann", "carl"]);
    });

    it("takes a person off the list who closes the page", async () => {
      const room = newRoom();
      const ann = await demo.visit("ann", query, room);
      const bob = await demo.visit("bob", query, room);
      await ann.seesPeople((names) => names.join() === "ann,bob");
      await bob.shows("connected by WebSocket, upgraded from long-polling");
      await bob.page.close();
      await ann.seesPeople((names) => names.join() === "ann");
    });
  });
});
