import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";
import { createTestHarness, type TestHarness } from "wrangler";
import { launchBrowser } from "../browser/browser.ts";
import { root } from "./pack.ts";

export const DESKTOP = { width: 900, height: 640 };
export const PHONE = { width: 320, height: 640 };
const PATIENCE_MS = 15_000;

/** The folder in which `PICTURES=1` puts screenshots of the pages, for examples/README.md. */
const PICTURES = join(root, "examples/pictures");

/** An example on wrangler's server, and visitors of its page. */
export class Stage {
  readonly url: URL;
  readonly complaints: string[] = [];
  readonly #server: TestHarness;
  readonly #browser: Browser;
  readonly #contexts: BrowserContext[] = [];
  readonly #upgrading = new Set<Page>();

  private constructor(server: TestHarness, url: URL, browser: Browser) {
    this.#server = server;
    this.url = url;
    this.#browser = browser;
  }

  /** @param configPath of a wrangler.toml, from the root of the repository, or from the folder that is named */
  static async open(configPath: string, secrets: Record<string, string> = {}, folder = root): Promise<Stage> {
    const server = createTestHarness({ root: folder, workers: [{ configPath, secrets }] });
    const [{ url }, browser] = await Promise.all([server.listen(), launchBrowser()]);
    return new Stage(server, url, browser);
  }

  /** A visitor opens the page, in a browser profile of its own. */
  async visitor(path = "/", viewport = DESKTOP): Promise<Page> {
    const context = await this.#browser.newContext({ viewport });
    this.#contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("websocket", () => this.#upgrading.add(page));
    await page.goto(new URL(path, this.url).href);
    return page;
  }

  /** Waits until a page is connected by long polling, which is when it opens its WebSocket. */
  async isConnected(page: Page): Promise<void> {
    await expect.poll(() => this.#upgrading.has(page), { timeout: PATIENCE_MS }).toBe(true);
  }

  /** The object is removed from memory, and all clients stay connected. */
  sleep(name = "main"): Promise<void> {
    return this.#server.getWorker().evictDurableObject("SESSIONS", { name, webSockets: "hibernate" });
  }

  /** The object restarts: WebSockets are closed, and clients reconnect by themselves. */
  restart(name = "main"): Promise<void> {
    return this.#server.getWorker().evictDurableObject("SESSIONS", { name, webSockets: "close" });
  }

  /** Fires a cron trigger. */
  async cron(): Promise<void> {
    await this.#server.getWorker().scheduled({ cron: "* * * * *" });
  }

  /** The conditions at the end of each play: no error was thrown, and nothing is wider than a phone. */
  async judge(phone: Page, name: string, best: Page = phone): Promise<void> {
    expect(this.complaints).toEqual([]);
    expect(await phone.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(PHONE.width);
    if (process.env.PICTURES === undefined) return;
    await mkdir(PICTURES, { recursive: true });
    await best.screenshot({ path: join(PICTURES, `${name}.png`) });
    await phone.screenshot({ path: join(PICTURES, `${name}-phone.png`) });
  }

  async close(): Promise<void> {
    await Promise.all(this.#contexts.map((context) => context.close()));
    await this.#browser.close();
    await this.#server.close();
  }
}
