import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createTestHarness, type TestHarness } from "wrangler";
import { hasBrowser, launchBrowser } from "./browser.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const PATIENCE_MS = 10_000;

/** One visitor of the demo, in a browser profile of its own. */
class Visitor {
  readonly page: Page;
  readonly complaints: string[] = [];
  webSockets = 0;

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.on("websocket", () => (this.webSockets += 1));
  }

  async says(text: string): Promise<void> {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.getByRole("button", { name: "Send" }).click();
  }

  /** Waits for a message and gives all that are shown by then, as "name: text". */
  async reads(text: string): Promise<string[]> {
    const lines = this.page.getByRole("log").locator("li");
    await lines.filter({ hasText: text }).first().waitFor();
    return lines.evaluateAll((items) =>
      items.map(
        (item) => `${item.querySelector(".from")?.textContent}: ${item.querySelector("p")?.textContent}`,
      ),
    );
  }

  shows(text: string): Promise<void> {
    return this.page.getByText(text, { exact: true }).first().waitFor();
  }

  async goesTo(room: string): Promise<void> {
    await this.page.getByLabel("Another room").fill(room);
    await this.page.getByLabel("Another room").press("Enter");
  }

  /** Waits until the list of those in the room is as wanted. */
  async seesPeople(wanted: (names: string[]) => boolean): Promise<void> {
    await expect
      .poll(async () => wanted(await this.page.locator("#people li").allTextContents()), {
        timeout: PATIENCE_MS,
      })
      .toBe(true);
  }
}

describe.skipIf(!hasBrowser)("the demo in a browser", () => {
  let server: TestHarness;
  let url: URL;
  let browser: Browser;

  beforeAll(async () => {
    server = createTestHarness({ root, workers: [{ configPath: "./wrangler.toml" }] });
    ({ url } = await server.listen());
    browser = await launchBrowser();
  });

  afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  async function visit(name: string, query: string, room: string): Promise<Visitor> {
    const context = await browser.newContext();
    await context.addInitScript((stored) => localStorage.setItem("name", stored), name);
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(new URL(`/${query}#${encodeURIComponent(room)}`, url).href);
    await visitor.seesPeople((names) => names.includes(name));
    return visitor;
  }

  function sleepObject(): Promise<void> {
    return server.getWorker().evictDurableObject("SESSIONS", { name: "main", webSockets: "hibernate" });
  }

  const scripts = [
    { script: "socket.io-client", query: "?" },
    { script: "our small client", query: "?client=small&" },
  ];

  describe.each(scripts)("with $script", ({ query }) => {
    /** A room nobody was in before: a visitor whose polling page was closed is missed only after a while. */
    const newRoom = () => `room ${Math.random().toString(36).slice(2, 8)}`;

    it("lets two people talk, one of them limited to polling", async () => {
      const room = newRoom();
      const ann = await visit("ann", query, room);
      const bob = await visit("bob", `${query}transport=polling`, room);
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
      const ann = await visit("ann", query, room);
      const bob = await visit("bob", query, room);
      await ann.shows("connected by WebSocket, upgraded from long-polling");
      await ann.page.getByLabel("Message", { exact: true }).fill("thinking");
      await bob.shows("ann is typing…");
      await ann.says("done");
      await bob.reads("done");
      await bob.page.getByText("typing…").waitFor({ state: "detached" });
    });

    it("keeps rooms apart", async () => {
      const [lobby, kitchen] = [newRoom(), newRoom()];
      const ann = await visit("ann", query, lobby);
      const bob = await visit("bob", query, kitchen);
      await ann.says("for the lobby");
      await ann.reads("for the lobby");
      await ann.goesTo(kitchen);
      await bob.seesPeople((names) => names.join() === "ann,bob");
      await ann.says("for the kitchen");
      expect(await bob.reads("for the kitchen")).toEqual(["ann: for the kitchen"]);
    });

    it("notices nothing when the object sleeps between two messages", async () => {
      const room = newRoom();
      const ann = await visit("ann", query, room);
      const bob = await visit("bob", `${query}transport=polling`, room);
      await ann.shows("connected by WebSocket, upgraded from long-polling");
      await sleepObject();
      await ann.says("awake?");
      expect(await bob.reads("awake?")).toEqual(["ann: awake?"]);
      await sleepObject();
      await bob.says("awake.");
      expect(await ann.reads("awake.")).toEqual(["ann: awake?", "bob: awake."]);
      await sleepObject();
      await ann.page.close();
      await bob.seesPeople((names) => names.join() === "bob");
      expect([...ann.complaints, ...bob.complaints]).toEqual([]);
    });

    it("connects by WebSocket alone", async () => {
      const room = newRoom();
      const ann = await visit("ann", `${query}transport=websocket`, room);
      await ann.shows("connected by WebSocket");
      await ann.says("no polls");
      expect(await ann.reads("no polls")).toEqual(["ann: no polls"]);
      expect(ann.complaints).toEqual([]);
    });

    it("loses nothing that is emitted while the network is away", async () => {
      const room = newRoom();
      const ann = await visit("ann", query, room);
      const bob = await visit("bob", query, newRoom());
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
      const ann = await visit("ann", query, room);
      const bob = await visit("bob", query, room);
      await ann.seesPeople((names) => names.join() === "ann,bob");
      await bob.shows("connected by WebSocket, upgraded from long-polling");
      await bob.page.close();
      await ann.seesPeople((names) => names.join() === "ann");
    });
  });
});
