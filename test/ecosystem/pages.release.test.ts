import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { TestServer } from "../../src/testing/index.ts";
import { hasBrowser, launchBrowser } from "../browser/browser.ts";
import { Project } from "./project.ts";

const LIMIT_MS = 180_000;
const PATIENCE_MS = 15_000;

const WORKER = `
import { defineServer } from "socket.io-edge";
const server = defineServer({}, (io) => {
  io.on("connection", (socket) => {
    socket.on("message", (text) => io.emit("message", text));
    socket.on("how many", (answer) => answer(io.sockets.sockets.size));
  });
});
export class SessionObject extends server.SessionObject {}
export default server.app;
`;

/** A page by the composable of Vue, as the compiler of templates would write it. */
const VUE = `
import { createApp, h, reactive, ref } from "vue";
import { useSocket } from "./use-socket-vue";
const Chat = {
  setup() {
    const { socket, isConnected } = useSocket();
    const lines = reactive([]);
    socket.on("message", (text) => lines.push(text));
    return () => [
      h("p", isConnected.value ? "connected" : "not connected"),
      h("ul", lines.map((line) => h("li", line))),
      h("input", { "aria-label": "Message", onChange: (event) => socket.emit("message", event.target.value) }),
    ];
  },
};
const isOpen = ref(true);
const leave = () => h("button", { onClick: () => (isOpen.value = false) }, "Leave");
createApp({ setup: () => () => [isOpen.value ? h(Chat) : null, leave()] }).mount("#root");
`;

/** A page by the store of Svelte, subscribed to as the compiler of components would do it. */
const SVELTE = `
import { isConnected, socket } from "./socket-store";
const root = document.getElementById("root");
root.innerHTML = '<p></p><ul></ul><input aria-label="Message" /><button>Leave</button>';
const leave = isConnected.subscribe((value) => {
  root.querySelector("p").textContent = value ? "connected" : "not connected";
});
socket.on("message", (text) => {
  root.querySelector("ul").append(Object.assign(document.createElement("li"), { textContent: text }));
});
root.querySelector("input").onchange = (event) => socket.emit("message", event.target.value);
root.querySelector("button").onclick = leave;
`;

describe.skipIf(!hasBrowser)("pages", () => {
  let project: Project;
  let server: TestServer;
  let browser: Browser;
  let pages: Page[] = [];
  let complaints: string[] = [];

  beforeAll(async () => {
    project = await Project.with({
      react: "^19",
      "react-dom": "^19",
      "socket.io-client": "^4",
      svelte: "^5",
      vue: "^3",
    });
    for (const heading of ["React", "Vue", "Svelte"]) await project.follow(heading);
    await project.write("src/page-vue.js", VUE);
    await project.write("src/page-svelte.js", SVELTE);
    for (const name of ["page.jsx", "page-vue.js", "page-svelte.js"]) {
      await project.bundlePage(`src/${name}`, join("public", `${name}.js`));
      await project.write(`public/${name}.html`, `<div id="root"></div><script src="/${name}.js"></script>`);
    }
    await project.write("src/worker.js", WORKER);
    server = await project.start();
    browser = await launchBrowser();
  }, LIMIT_MS);
  afterEach(async () => {
    for (const page of pages) await page.close();
    [pages, complaints] = [[], []];
  });
  afterAll(async () => {
    await browser?.close();
    await project?.remove();
  });

  async function visit(script: string): Promise<Page> {
    const page = await browser.newPage();
    pages.push(page);
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(`${server.url}/${script}`);
    await page.getByText("connected", { exact: true }).waitFor();
    return page;
  }

  /** Two pages talk, with a nap in between, and each has one connection until it leaves. */
  async function talk(name: string): Promise<void> {
    const counter = await server.client();
    const [ann, bob] = [await visit(`${name}.html`), await visit(`${name}.html`)];
    const howMany = () => counter.emitWithAck("how many");
    await expect.poll(howMany, { timeout: PATIENCE_MS }).toBe(3);
    for (const [i, page] of [ann, bob].entries()) {
      await page.getByLabel("Message").fill(`hello ${i}`);
      await page.getByLabel("Message").press("Enter");
      for (const each of [ann, bob]) {
        await each.getByText(`hello ${i}`).waitFor();
        expect(await each.getByRole("listitem").count()).toBe(i + 1);
      }
      await server.nap();
    }
    await ann.getByRole("button", { name: "Leave" }).click();
    await expect.poll(howMany, { timeout: PATIENCE_MS }).toBe(2);
    counter.disconnect();
    expect(complaints).toEqual([]);
  }

  it(
    "React: in StrictMode a page has one connection, and leaves with its component",
    () => talk("page.jsx"),
    LIMIT_MS,
  );

  it("Vue: a page has one connection, and leaves with its component", () => talk("page-vue.js"), LIMIT_MS);

  it(
    "Svelte: a page has one connection, and leaves with the last subscriber",
    () => talk("page-svelte.js"),
    LIMIT_MS,
  );
});
