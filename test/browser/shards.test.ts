import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { keyOf } from "../support/shard-keys.ts";
import { hasBrowser, launchBrowser } from "./browser.ts";

const SHARDS = 3;
const index = fileURLToPath(new URL("../../src/index.ts", import.meta.url));
const client = readFileSync(
  new URL("../../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url),
  "utf8",
);

/** A room over three objects, and a page for it that says on which of them it is. */
const PAGE = `<!doctype html><p id="shard"></p><ul id="log"></ul><script>${client}</script><script>
const { searchParams } = new URL(location);
const socket = io({ transports: [searchParams.get("transport")], query: { key: searchParams.get("key") } });
socket.on("shard", (shard) => { document.querySelector("#shard").textContent = "on " + shard; });
socket.on("said", (text) => {
  const line = document.createElement("li");
  line.textContent = text;
  document.querySelector("#log").append(line);
});
</script>`;
const WORKER = `
import { Hono } from "hono";
import { defineServer } from ${JSON.stringify(index)};
const server = defineServer({ shards: ${SHARDS}, shardBy: ({ _query }) => _query.key }, (io, { shard }) => {
  io.on("connection", (socket) => {
    socket.join("room");
    socket.emit("shard", shard);
    socket.on("say", (text) => io.to("room").emit("said", text));
  });
});
export class SessionObject extends server.SessionObject {}
const app = new Hono();
app.get("/", (c) => c.html(${JSON.stringify(PAGE)}));
app.route("/", server.app);
export default app;
`;

describe.skipIf(!hasBrowser)("two pages on different objects of one server", () => {
  let server: Running;
  let browser: Browser;
  beforeAll(async () => {
    server = await startWorker(await bundle(WORKER), undefined, undefined, SHARDS);
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  async function visit(shard: number, transport: string): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(`${server.url}/?transport=${transport}&key=${keyOf(String(shard), SHARDS)}`);
    await page.getByText(`on ${shard}`).waitFor();
    return page;
  }

  const say = (page: Page, text: string) => page.evaluate(`socket.emit("say", ${JSON.stringify(text)})`);
  const lines = (page: Page) => page.locator("#log li").allTextContents();

  it("talk to each other, one of them polling, also when their objects have slept meanwhile", async () => {
    const ann = await visit(0, "polling");
    const bob = await visit(1, "websocket");
    await say(ann, "hello from 0");
    await expect.poll(() => lines(bob)).toEqual(["hello from 0"]);
    await server.evict("hibernate");
    await say(bob, "hello from 1");
    for (const page of [ann, bob])
      await expect.poll(() => lines(page)).toEqual(["hello from 0", "hello from 1"]);
    await server.evict("hibernate", 1);
    await say(ann, "again from 0");
    for (const page of [ann, bob]) {
      await expect.poll(() => lines(page)).toEqual(["hello from 0", "hello from 1", "again from 0"]);
    }
  });
});
