import { cp } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestServer } from "../../src/testing/index.ts";
import { hasBrowser, launchBrowser } from "../browser/browser.ts";
import { nextEvent } from "../support/clients.ts";
import { Project } from "./project.ts";

const LIMIT_MS = 180_000;
const PATIENCE_MS = 15_000;
const PASSWORD: string = crypto.randomUUID();
/** Long enough for what is under way, and short for what never ends. */
const NAP_MS = 3_000;

/** The Worker of the recipe, with the timer that it avoids. */
const UNMODIFIED = `
import { instrument } from "@socket.io/admin-ui";
import { defineServer } from "socket.io-edge";
const server = defineServer({}, (io) => instrument(io, { auth: false }));
export class SessionObject extends server.SessionObject {}
export default server.app;
`;

describe.skipIf(!hasBrowser)("@socket.io/admin-ui", () => {
  let project: Project;
  let browser: Browser;
  let hash: string;

  beforeAll(async () => {
    project = await Project.with({ "@socket.io/admin-ui": "^0.5" });
    const ui = join(project.folder, "node_modules/@socket.io/admin-ui/ui/dist");
    await cp(ui, join(project.folder, "public/admin"), { recursive: true });
    const bcrypt = createRequire(join(project.folder, "package.json"))("bcryptjs");
    hash = (bcrypt as { hashSync(text: string, rounds: number): string }).hashSync(PASSWORD, 4);
    browser = await launchBrowser();
  }, LIMIT_MS);
  afterAll(async () => {
    await browser?.close();
    await project?.remove();
  });

  async function logIn(server: TestServer) {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(`${server.url}/admin/`);
    await page.getByLabel("Server URL").fill(server.url);
    await page.getByLabel("Username").fill("admin");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Connect", exact: true }).click();
    return page;
  }

  it(
    "shows clients and their events, disconnects them, and lets the object sleep when it is closed",
    async () => {
      await project.follow("Admin UI");
      const server = await project.start({ vars: { ADMIN_HASH: hash }, napTimeout: NAP_MS });
      const ann = await server.client({ auth: { name: "ann" } });
      await server.nap();
      const page = await logIn(server);
      const open = (name: string) =>
        page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
      const numberOf = (name: string) =>
        page.getByRole("row").filter({ hasText: name }).getByRole("cell").nth(1);
      await numberOf("WebSocket").getByText("2").waitFor();
      await page.getByRole("row").filter({ hasText: "/admin" }).getByText("1").waitFor();

      await open("Events");
      ann.emit("message", "hello");
      expect(await nextEvent(ann, "message")).toEqual(["ann: hello"]);
      for (const type of ["Event received", "Event sent"]) {
        await page.getByRole("row").filter({ hasText: type }).getByText("message").waitFor();
      }
      await expect(server.nap()).rejects.toThrow(/timer/);

      await open("Sockets");
      const row = page.getByRole("row").filter({ hasText: ann.id });
      const left = nextEvent(ann, "disconnect");
      await row.getByRole("button").click();
      expect((await left)[0]).toBe("io server disconnect");
      // The click has opened the details of the socket as well.
      await open("Sockets");
      await expect.poll(() => row.count(), { timeout: PATIENCE_MS }).toBe(0);
      await page.close();
      await server.nap();
      const bob = await server.client({ auth: { name: "bob" } });
      await server.nap();
      bob.emit("message", "hello again");
      expect(await nextEvent(bob, "message")).toEqual(["bob: hello again"]);
      expect(server.logs).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    "keeps the object awake by its timer when it is used without the recipe",
    async () => {
      await project.write("src/worker.js", UNMODIFIED);
      const server = await project.start({ napTimeout: NAP_MS });
      await server.client();
      await expect(server.nap()).rejects.toThrow(/timer/);
    },
    LIMIT_MS,
  );
});
