import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseArguments } from "../../src/cli/arguments.ts";
import { createApp } from "../../src/cli/create-app.ts";
import { root } from "./pack.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "socket.io-edge-init-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs the command line from its source, in the folder of this test. */
function cli(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const main = join(root, "src/cli/main.ts");
  return spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: "utf8" });
}

const inApp = (path: string) => readFile(join(folder, path), "utf8");

async function filesOf(app: string): Promise<string[]> {
  const entries = await readdir(join(folder, app), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(join(folder, app).length + 1)).sort();
}

const OURS = [".gitignore", "package.json", "public/index.html", "wrangler.toml"];

describe("socket.io-edge init", () => {
  it("writes an app in TypeScript, named after its folder, and prints the next steps", async () => {
    const { status, stdout, stderr } = cli("init", "apps/tea-room");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("cd apps/tea-room\n  npm install\n  npm run dev ");
    expect(await filesOf("apps/tea-room")).toEqual(
      [...OURS, "src/worker.ts", "test/chat.test.ts", "tsconfig.json"].sort(),
    );
    expect(await inApp("apps/tea-room/wrangler.toml")).toMatch(
      /^name = "tea-room"\nmain = "src\/worker\.ts"\n/,
    );
    expect(await inApp("apps/tea-room/public/index.html")).toContain("<h1>tea-room</h1>");
    expect(JSON.parse(await inApp("apps/tea-room/package.json"))).toMatchObject({
      name: "tea-room",
      private: true,
    });
  });

  it("writes the same app in JavaScript", async () => {
    await createApp(join(folder, "tea-room"), "js");
    expect(await filesOf("tea-room")).toEqual([...OURS, "src/worker.js", "test/chat.test.js"].sort());
    expect(await inApp("tea-room/wrangler.toml")).toContain('main = "src/worker.js"');
    expect(await inApp("tea-room/package.json")).not.toMatch(/typescript|@types|tsc/);
    expect(await inApp("tea-room/src/worker.js")).toBe(
      await readFile(join(root, "templates/ts/src/worker.ts"), "utf8"),
    );
  });

  it("depends on version ranges, and on its own version", async () => {
    await createApp(join(folder, "tea-room"), "ts");
    const { dependencies, devDependencies } = JSON.parse(await inApp("tea-room/package.json")) as Record<
      string,
      Record<string, string>
    >;
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
    expect(dependencies?.["socket.io-edge"]).toBe(`^${version}`);
    for (const range of Object.values({ ...dependencies, ...devDependencies })) {
      expect(range).toMatch(/^\^\d+\.\d+\.\d+( \|\| \^\d+\.\d+\.\d+)*$/);
    }
  });

  it("fills an empty folder, also the current one", async () => {
    await mkdir(join(folder, "here/.git"), { recursive: true });
    await createApp(join(folder, "here"), "ts");
    expect(await inApp("here/wrangler.toml")).toContain('name = "here"');
  });

  it("changes neither a folder that is not empty nor a file", async () => {
    await mkdir(join(folder, "full"));
    for (const name of ["a.txt", "b.txt", "c.txt"]) await writeFile(join(folder, "full", name), name);
    expect(cli("init", "full")).toMatchObject({
      status: 1,
      stdout: "",
      stderr:
        "full is not empty: it holds a.txt and 2 more. Nothing was written. Choose another name, or empty the folder.\n",
    });
    expect(await filesOf("full")).toEqual(["a.txt", "b.txt", "c.txt"]);
    expect(cli("init", "full/a.txt").stderr).toContain('"a.txt" cannot be the name of a Worker');
    await writeFile(join(folder, "taken"), "");
    expect(cli("init", "taken")).toMatchObject({
      status: 1,
      stderr: "taken is a file. Choose another name.\n",
    });
  });

  it("refuses a name that a Worker cannot have, and says which names are allowed", async () => {
    for (const name of ["My-App", "my_app", "-app", "app-", "a".repeat(64), "größe", "my app", "my.app"]) {
      await expect(createApp(join(folder, name), "ts")).rejects.toThrow(
        `"${name}" cannot be the name of a Worker. Take up to 63 lowercase letters`,
      );
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it("refuses the name of a package that the app installs", async () => {
    await expect(createApp(join(folder, "hono"), "ts")).rejects.toThrow("Choose another one: my-hono");
  });
});

describe("socket.io-edge", () => {
  it.each([
    [["init"], "Name the folder to make: npx socket.io-edge init my-app"],
    [["init", "a", "b"], "One folder at a time, please; these are 2: a, b"],
    [["init", "--ts", "a"], "There is no option --ts."],
    [["start"], 'There is no command "start".'],
  ])("says what is wrong with %j", (args, message) => {
    expect(() => parseArguments(args)).toThrow(message);
  });

  it.each([[[]], [["--help"]], [["help"]], [["init", "-h"]]])(
    "explains itself when it is called with %j",
    (args) => {
      expect(parseArguments(args)).toEqual({ name: "help" });
    },
  );

  it("prints its version, and its usage", async () => {
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
    expect(cli("--version").stdout).toBe(`${version}\n`);
    expect(cli().stdout).toMatch(/^Usage: npx socket.io-edge init/);
  });
});

interface Manifest {
  version: string;
  dependencies?: Record<string, string>;
}

it("the examples, the lock file and the changelog name the version of the package", async () => {
  const read = async (file: string) => JSON.parse(await readFile(join(root, file), "utf8")) as Manifest;
  const { version } = await read("package.json");
  expect((await read("package-lock.json")).version).toBe(version);
  expect(await readFile(join(root, "CHANGELOG.md"), "utf8")).toContain(`\n## [${version}]`);
  for (const name of await readdir(join(root, "examples"))) {
    const manifest = await read(`examples/${name}/package.json`).catch(() => undefined);
    const range = manifest?.dependencies?.["socket.io-edge"];
    if (range !== undefined) expect([name, range]).toEqual([name, `^${version}`]);
  }
});
