import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasBrowser, launchBrowser } from "../browser/browser.ts";
import { packPackage, readmeBlock } from "./pack.ts";
import { findNode, Shell } from "./shell.ts";

const WHOLE_TEST_MS = 600_000;

/** The versions of Node; npm selects another Wrangler and another vitest for each. */
const NODES = [20, 24];

let temporary: string;
let tarball: string;
let browser: Browser | undefined;

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "socket.io-edge-first-hour-"));
  tarball = join(temporary, (await packPackage(temporary)).filename);
  if (hasBrowser) browser = await launchBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await rm(temporary, { recursive: true, force: true });
});

async function shellOf(node: string, name: string): Promise<{ shell: Shell; folder: string }> {
  const folder = join(temporary, name);
  await mkdir(folder);
  return { shell: await Shell.withNode(node, join(folder, "bin")), folder };
}

/** Opens an address in two tabs. A message that is sent in one of them has to appear in both. */
async function twoTabsTalk(url: string): Promise<void> {
  if (browser === undefined) return;
  const context = await browser.newContext({ viewport: { width: 320, height: 640 } });
  const complaints: string[] = [];
  context.on("weberror", (error) => complaints.push(String(error.error())));
  const tabs = [await context.newPage(), await context.newPage()];
  try {
    for (const tab of tabs) await tab.goto(url);
    for (const [i, tab] of tabs.entries()) {
      await tab.getByLabel("Message", { exact: true }).fill(`from tab ${i}`);
      await tab.getByRole("button", { name: "Send" }).click();
      for (const each of tabs) await each.getByText(`from tab ${i}`).waitFor();
    }
    for (const tab of tabs) {
      expect(await tab.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
    }
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
  }
}

describe.each(NODES)("with Node %i", (major) => {
  it.for(major === 20 ? ["ts"] : ["ts", "js"])(
    "the app that `init` writes in %s is installed, checked, tested, shown in two tabs, and could be deployed",
    { timeout: WHOLE_TEST_MS },
    async (language, { skip }) => {
      const node = await findNode(major);
      if (node === undefined) return skip(`there is no Node ${major} on the PATH`);
      const { shell, folder } = await shellOf(node, `${language}-${major}`);
      const flags = language === "js" ? ["--js"] : [];
      const printed = await shell.run(
        folder,
        "npx",
        "--yes",
        "--package",
        tarball,
        "socket.io-edge",
        "init",
        "my-app",
        ...flags,
      );
      expect(printed).toContain("npm run dev");
      const app = join(folder, "my-app");

      // This is the one step that differs from a user's, because this version is not published yet.
      const manifest = await readFile(join(app, "package.json"), "utf8");
      await writeFile(
        join(app, "package.json"),
        manifest.replace(/("socket.io-edge": )".*"/, `$1"file:${tarball}"`),
      );

      await shell.run(app, "npm", "install", "--no-audit", "--no-fund");
      if (language === "ts") await shell.run(app, "npm", "run", "check");
      expect(await shell.run(app, "npm", "test")).toMatch(/Tests\s+1 passed/);
      const deployed = await shell.run(app, "npm", "run", "deploy", "--", "--dry-run");
      expect(deployed).toMatch(/env\.SESSIONS \(SessionObject\)\s+Durable Object/);
      expect(deployed).not.toMatch(/warning/i);

      const server = await shell.start(app, "npm", "run", "dev", "--", "--port", "0");
      await twoTabsTalk(server.url).finally(() => server.stop());
    },
  );
});

it(
  "the README's three files, written by hand, result in a page where two tabs talk",
  async () => {
    const { shell, folder } = await shellOf(process.execPath, "by-hand");
    const files = [
      ["src/worker.ts", "ts"],
      ["wrangler.toml", "toml"],
      ["public/index.html", "html"],
    ] as const;
    for (const [path, language] of files) {
      const block = await readmeBlock(language);
      expect(block.split("\n")[0]).toContain(path);
      await mkdir(join(folder, path, ".."), { recursive: true });
      await writeFile(join(folder, path), block);
    }
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await shell.run(folder, "npm", "install", tarball, "hono", "wrangler", "--no-audit", "--no-fund");
    const server = await shell.start(folder, "npx", "wrangler", "dev", "--port", "0");
    await twoTabsTalk(server.url).finally(() => server.stop());
  },
  WHOLE_TEST_MS,
);
