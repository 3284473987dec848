import { io } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { describeDemo, newRoom, scripts } from "./demo.ts";

describeDemo((running) => {
  describe.each(scripts)("with $script", ({ query }) => {
    it("lets two people talk when one of them can only poll", async () => {
      const room = newRoom();
      const ann = await running.demo.visit("ann", query, room);
      const bob = await running.demo.visit("bob", `${query}transport=polling`, room);
      await ann.seesPeople((names) => names.join() === "ann,bob");

      await ann.says("hello");
      expect(await bob.reads("hello")).toEqual(["ann: hello"]);
      await bob.says("<b>hi</b>");
      expect(await ann.reads("hi")).toEqual(["ann: hello", "bob: <b>hi</b>"]);

      await ann.shows("WebSocket, upgraded from long-polling");
      await bob.shows("long-polling");
      expect([ann.webSockets, bob.webSockets]).toEqual([1, 0]);
      expect([...ann.complaints, ...bob.complaints]).toEqual([]);
    });

    it("shows who is typing until the message arrives", async () => {
      const room = newRoom();
      const ann = await running.demo.visit("ann", query, room);
      const bob = await running.demo.visit("bob", query, room);
      await ann.shows("WebSocket, upgraded from long-polling");
      await ann.page.getByLabel("Message", { exact: true }).fill("thinking");
      await bob.shows("ann is typing…");
      await ann.says("done");
      await bob.reads("done");
      await bob.page.getByText("typing…").waitFor({ state: "detached" });
    });

    it("shows a message only in the room in which it was sent", async () => {
      const [lobby, kitchen] = [newRoom(), newRoom()];
      const ann = await running.demo.visit("ann", query, lobby);
      const bob = await running.demo.visit("bob", query, kitchen);
      await ann.says("for the lobby");
      await ann.reads("for the lobby");
      await ann.goesTo(kitchen);
      await bob.seesPeople((names) => names.join() === "ann,bob");
      await ann.says("for the kitchen");
      expect(await bob.reads("for the kitchen")).toEqual(["ann: for the kitchen"]);
    });

    it("connects by WebSocket without polling first", async () => {
      const room = newRoom();
      const ann = await running.demo.visit("ann", `${query}transport=websocket`, room);
      await ann.shows("WebSocket");
      await ann.says("no polls");
      expect(await ann.reads("no polls")).toEqual(["ann: no polls"]);
      expect(ann.complaints).toEqual([]);
    });

    it("loses neither what is typed while the network is down nor what others say meanwhile", async () => {
      const room = newRoom();
      const ann = await running.demo.visit("ann", query, room);
      const bob = await running.demo.visit("bob", query, room);
      await bob.shows("WebSocket, upgraded from long-polling");
      await bob.page.context().setOffline(true);
      await bob.shows("not connected");
      await bob.says("from the tunnel");
      await bob.says("still there?");
      await ann.says("bob?");
      await ann.isHeard();
      await bob.page.context().setOffline(false);
      const all = ["ann: bob?", "bob: from the tunnel", "bob: still there?"];
      expect(await ann.reads("still there?")).toEqual(all);
      await bob.isHeard();
      expect(await bob.reads("bob?")).toEqual(all);
    });

    it("shows earlier messages to a newcomer after the object has restarted", async () => {
      const room = newRoom();
      const ann = await running.demo.visit("ann", query, room);
      await ann.says("first");
      await ann.says("second");
      await ann.isHeard();
      await ann.page.close();
      await running.demo.restartObject();
      const bob = await running.demo.visit("bob", query, room);
      expect(await bob.reads("second")).toEqual(["ann: first", "ann: second"]);
    });

    it("marks people who have the same name, and no others", async () => {
      const room = newRoom();
      const ann = await running.demo.visit("ann", query, room);
      const otherAnn = await running.demo.visit("ann", query, room);
      const bob = await running.demo.visit("bob", query, room);
      await ann.says("I am Ann");
      await otherAnn.says("so am I");
      await bob.reads("so am I");
      const marked = await bob.page
        .locator("#people li.twin")
        .evaluateAll((people) => people.map((one) => [one.textContent, one.getAttribute("data-mark")]));
      expect(marked.map(([name]) => name)).toEqual(["ann", "ann"]);
      expect(marked[0]?.[1]).not.toBe(marked[1]?.[1]);
      expect(await ann.page.locator("#log .mine p").allTextContents()).toEqual(["I am Ann"]);
    });

    it("shows whether the object sleeps, how often it woke, the round trip time and the cost", async () => {
      const bob = await running.demo.visit("bob", query, newRoom());
      await bob.page.clock.install();
      await bob.says("awake?");
      const object = bob.page.locator("#object");
      await expect.poll(() => object.textContent()).toBe("awake");
      await bob.isHeard();
      expect(await bob.page.locator("#trip").textContent()).toMatch(/^\d+ ms$/);
      const [wakes, cost] = [await bob.wakes(), await bob.cost()];
      expect(cost).toBeGreaterThan(0);
      expect(cost).toBeLessThan(0.01);

      await bob.page.clock.fastForward(11_000);
      expect(await object.textContent()).toBe("asleep");
      await running.demo.sleepObject();
      await bob.says("awake again?");
      await expect.poll(() => object.textContent()).toBe("awake");
      await expect.poll(() => bob.wakes()).toBe(wakes + 1);
      expect(await bob.cost()).toBeGreaterThan(cost);
    });

    it("removes a person who closes the page from the list", async () => {
      const room = newRoom();
      const ann = await running.demo.visit("ann", query, room);
      const bob = await running.demo.visit("bob", query, room);
      await ann.seesPeople((names) => names.join() === "ann,bob");
      await bob.shows("WebSocket, upgraded from long-polling");
      await bob.page.close();
      await ann.seesPeople((names) => names.join() === "ann");
    });
  });

  it("keeps a message once that is sent again because its acknowledgement was lost", async () => {
    const room = newRoom();
    const ann = await running.demo.visit("ann", "?", room);
    const socket = io(running.demo.origin, {
      auth: { visitor: "carl's page", name: "carl", room },
      forceNew: true,
    });
    for (let i = 0; i < 2; i++) {
      await socket.timeout(10_000).emitWithAck("say", room, "one id", "only once");
    }
    await socket.timeout(10_000).emitWithAck("say", room, "another id", "and this");
    socket.disconnect();
    const said = ["carl: only once", "carl: and this"];
    expect(await ann.reads("and this")).toEqual(said);
    const bob = await running.demo.visit("bob", "?", room);
    expect(await bob.reads("and this")).toEqual(said);
  });

  it("opens as two tabs side by side that can talk to each other", async () => {
    const page = await running.demo.open(1280, 800);
    const [ann, bob] = [page.frameLocator("iframe[title*=Ann]"), page.frameLocator("iframe[title*=Bob]")];
    await ann.getByLabel("Message", { exact: true }).fill("hello, other tab");
    await ann.getByRole("button", { name: "Send" }).click();
    await bob.getByRole("log").getByText("hello, other tab").waitFor();
    expect(await bob.locator("#log .from").last().textContent()).toBe("ann");
  });

  it("fills the screen of a phone with the conversation, and does not overflow at a width of 320 px", async () => {
    const page = await running.demo.open(320, 640);
    await page.waitForURL("**/chat");
    const text = page.getByLabel("Message", { exact: true });
    await text.fill(`a word that is too long: ${"w".repeat(200)}`);
    await text.press("Enter");
    const log = page.getByRole("log");
    await log.getByText("a word that is too long").waitFor();
    expect((await log.boundingBox())?.height).toBeGreaterThan(450);
    const width = () =>
      page.evaluate("Math.max(...[...document.querySelectorAll('body, body *')].map((e) => e.scrollWidth))");
    expect(await width()).toBeLessThanOrEqual(320);

    await page.getByRole("button", { name: "lobby" }).click();
    await page.getByRole("link", { name: "workshop" }).waitFor();
    expect(await width()).toBeLessThanOrEqual(320);
    await page.getByRole("link", { name: "workshop" }).click();
    await page.getByRole("button", { name: "workshop" }).waitFor();
    await text.waitFor();
  });
});
