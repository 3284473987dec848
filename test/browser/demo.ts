import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { createTestHarness, type TestHarness } from "wrangler";
import { hasBrowser, launchBrowser } from "./browser.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const PATIENCE_MS = 10_000;

/** One visitor of the demo, in a browser profile of its own. */
export class Visitor {
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

  /** Waits for a message, and returns all messages that are shown by then, as "name: text". */
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

  /** How often the object has woken up, as the page shows it. */
  async wakes(): Promise<number> {
    return Number((await this.page.locator("#wakes").textContent())?.match(/\d+/)?.[0]);
  }

  /** The cost of everything as the page shows it, in dollars. */
  async cost(): Promise<number> {
    return Number((await this.page.locator("#cost").textContent())?.slice(1));
  }

  /** Waits until everything that this visitor has sent has been received. */
  async isHeard(): Promise<void> {
    await expect.poll(() => this.page.locator("#log .pending").count(), { timeout: PATIENCE_MS }).toBe(0);
  }

  async goesTo(room: string): Promise<void> {
    await this.page.getByLabel("Another room").fill(room);
    await this.page.getByLabel("Another room").press("Enter");
  }

  /** Waits until the list of people in the room is the expected one. */
  async seesPeople(wanted: (names: string[]) => boolean): Promise<void> {
    await expect
      .poll(async () => wanted(await this.page.locator("#people li").allTextContents()), {
        timeout: PATIENCE_MS,
      })
      .toBe(true);
  }
}

/** The scripts that the page can use: either client. */
export const scripts = [
  { script: "socket.io-client", query: "?" },
  { script: "our small client", query: "?client=small&" },
];

/**
 * Returns a room that nobody has entered before, because a visitor whose polling page was closed stays listed for a
 * while.
 */
export const newRoom = () => `room ${Math.random().toString(36).slice(2, 8)}`;

/** The demo on wrangler's server, and a browser to visit it. */
export class Demo {
  readonly #server: TestHarness;
  readonly #url: URL;
  readonly #browser: Browser;

  private constructor(server: TestHarness, url: URL, browser: Browser) {
    this.#server = server;
    this.#url = url;
    this.#browser = browser;
  }

  static async start(): Promise<Demo> {
    const server = createTestHarness({ root, workers: [{ configPath: "./wrangler.toml" }] });
    const [{ url }, browser] = await Promise.all([server.listen(), launchBrowser()]);
    return new Demo(server, url, browser);
  }

  async visit(name: string, query: string, room: string): Promise<Visitor> {
    const context = await this.#browser.newContext();
    await context.addInitScript((stored) => localStorage.setItem("name", stored), name);
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(new URL(`/chat${query}#${encodeURIComponent(room)}`, this.#url).href);
    await visitor.seesPeople((names) => names.includes(name));
    return visitor;
  }

  sleepObject(): Promise<void> {
    return this.#server.getWorker().evictDurableObject("SESSIONS", { name: "main", webSockets: "hibernate" });
  }

  get origin(): string {
    return this.#url.origin;
  }

  /** Opens the start page of the demo on a screen of this size. */
  async open(width: number, height: number): Promise<Page> {
    const page = await (await this.#browser.newContext({ viewport: { width, height } })).newPage();
    await page.goto(this.#url.href);
    return page;
  }

  /** Restarts the object, which closes all WebSockets to it. */
  restartObject(): Promise<void> {
    return this.#server.getWorker().evictDurableObject("SESSIONS", { name: "main", webSockets: "close" });
  }

  /** Closes the pages of all visitors. */
  async clear(): Promise<void> {
    await Promise.all(this.#browser.contexts().map((context) => context.close()));
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await this.#server.close();
  }
}

/** Tests of the demo in a browser. `running.demo` is there while they run, and each of them begins without visitors. */
export function describeDemo(tests: (running: { demo: Demo }) => void): void {
  describe.skipIf(!hasBrowser)("the demo in a browser", () => {
    const running = {} as { demo: Demo };
    beforeAll(async () => {
      running.demo = await Demo.start();
    });
    afterEach(() => running.demo.clear());
    afterAll(() => running.demo?.stop());
    tests(running);
  });
}
