import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { installTarball, type Project, root, run } from "../package/pack.ts";

/** This is not a dev dependency, because one test would need 280 packages. */
const JEST = "jest@30.5.2";
/** The newest version of each that fit together. */
const NODE_20 = ["node@20.20.2", "wrangler@4.86.0"];
const LIMIT = 180_000;

const LINKED = ["wrangler", "vitest", "@cloudflare/vitest-plugin", "socket.io", "socket.io-client"];

/** The app that the page tests. Its users are in a variable of the module, as in pasted code, or in the sockets. */
const APP = {
  pasted: `
const users = new Map();

export default (io) => {
  io.on("connection", (socket) => {
    users.set(socket.id, "somebody");
    socket.on("message", (text) => io.emit("message", text));
    socket.on("users", (answer) => answer([...users.values()]));
  });
};
`,
  mended: `
export default (io) => {
  io.on("connection", (socket) => {
    socket.data.name = "somebody";
    socket.on("message", (text) => io.emit("message", text));
    socket.on("users", async (answer) => answer((await io.fetchSockets()).map(({ data }) => data.name)));
  });
};
`,
};

/** The page's test for inside workerd, with a test in place of its own that loses state by a nap. */
function losing(test: string): string {
  return test.slice(0, test.indexOf('test("')).concat(`
test("a nap loses the variables of the module", async () => {
  const [ann, bob] = [1, 2].map(() => io("http://chat", { transports: [Fetch], forceNew: true }));
  await vi.waitUntil(() => ann.connected && bob.connected);
  expect(await ann.emitWithAck("users")).toHaveLength(2);
  await nap();
  expect(await ann.emitWithAck("users")).toHaveLength(1);
});
`);
}

const WORKER = `
import { defineServer } from "socket.io-edge";
import app from "./app.js";

const chat = defineServer({}, app);
export class SessionObject extends chat.SessionObject {}
export default chat.app;
`;

let project: Project;

/** The blocks of docs/testing.md that name a file, by its name. */
async function blocks(): Promise<Map<string, string>> {
  const page = await readFile(join(root, "docs/testing.md"), "utf8");
  const found = page.matchAll(/```(?:ts|js)\n\/\/ (\S+)\n([\s\S]*?)```/g);
  return new Map([...found].map(([, name = "", text = ""]) => [name, text]));
}

async function write(path: string, text: string): Promise<void> {
  const file = join(project.folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

beforeEach(() => write("src/app.js", APP.mended));

beforeAll(async () => {
  project = await installTarball();
  await run(
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-dev", JEST],
    project.folder,
  );
  await mkdir(join(project.folder, "node_modules/@cloudflare"), { recursive: true });
  for (const name of LINKED) {
    await symlink(join(root, "node_modules", name), join(project.folder, "node_modules", name));
  }
  for (const [name, text] of await blocks()) await write(name, text);
  await write("src/app.js", APP.mended);
  await write("src/worker.ts", WORKER);
  const readme = await readFile(join(root, "README.md"), "utf8");
  await write("wrangler.toml", readme.match(/```toml\n([\s\S]*?)```/)?.[1] ?? "");
}, LIMIT);

afterAll(() => project?.remove());

describe("the examples in docs/testing.md, with the packed package", () => {
  const exec = (command: string, ...args: string[]) => run(command, args, project.folder);
  const node = () => join(root, "node_modules/node/bin/node");

  it(
    "run with vitest",
    async () => {
      expect(await exec("vitest", "run", "test/chat.test.ts")).toContain("1 passed");
    },
    LIMIT,
  );

  it(
    "run with node:test",
    async () => {
      expect(await exec(node(), "--test", "test/chat.test.mjs")).toMatch(/pass 1\n/);
    },
    LIMIT,
  );

  it(
    "run with jest and ES modules",
    async () => {
      const jest = join(project.folder, "node_modules/jest/bin/jest.js");
      const args = [
        "--experimental-vm-modules",
        jest,
        "--rootDir=jest",
        "--testMatch=**/*.mjs",
        "--transform={}",
      ];
      await exec(node(), ...args);
    },
    LIMIT,
  );

  it(
    "run inside workerd, with Cloudflare's plugin",
    async () => {
      expect(await exec("vitest", "run", "--config", "vitest.workers.config.ts")).toContain("1 passed");
      await write("src/app.js", APP.pasted);
      await write("workers/chat.test.ts", losing((await blocks()).get("workers/chat.test.ts") ?? ""));
      expect(await exec("vitest", "run", "--config", "vitest.workers.config.ts")).toContain("1 passed");
    },
    LIMIT,
  );

  it(
    "compare with Node, and report what a nap loses",
    async () => {
      expect(await exec("vitest", "run", "test/port.test.ts")).toContain("1 passed");
      await write("src/app.js", APP.pasted);
      await expect(exec("vitest", "run", "test/port.test.ts")).rejects.toThrow(
        /with a nap between any two steps[\s\S]*a variable of a module: users \(src\/app\.js:2\)/,
      );
    },
    LIMIT,
  );

  it(
    "run on Node 20, where wrangler cannot put an object to sleep, and wait until the runtime does",
    async () => {
      const old = join(project.folder, "old");
      await mkdir(old);
      await writeFile(
        join(old, "package.json"),
        JSON.stringify({ private: true, type: "module", allowScripts: { node: true } }),
      );
      await run("npm", ["install", "--no-audit", "--no-fund", ...NODE_20], old);
      const test = (await blocks()).get("test/chat.test.mjs") ?? "";
      await writeFile(join(old, "chat.test.mjs"), test.replace("src/worker.ts", "../src/worker.ts"));
      const printed = await run(join(old, "node_modules/node/bin/node"), ["--test", "chat.test.mjs"], old);
      expect(printed).toMatch(/pass 1\n/);
    },
    LIMIT,
  );
});
