import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installTarball, type Project, readmeBlock, root, run } from "./pack.ts";

let project: Project;

beforeAll(async () => {
  project = await installTarball();
  await mkdir(join(project.folder, "src"));
  await writeFile(join(project.folder, "src/worker.ts"), await readmeBlock("ts"));
  await writeFile(join(project.folder, "wrangler.toml"), await readmeBlock("toml"));
}, 120_000);

afterAll(() => project?.remove());

/** Runs a module in the installed project in a Node process of its own, and returns what it prints. */
async function runModule(code: string): Promise<string> {
  await writeFile(join(project.folder, "main.js"), code);
  return (await run(process.execPath, ["main.js"], project.folder)).trim();
}

describe("the published package", () => {
  it("passes publint", async () => {
    expect(
      await run("publint", [join(project.folder, "node_modules/socket.io-edge"), "--strict"], root),
    ).toContain("All good!");
  });

  it("has types that match its code for every way to resolve them", async () => {
    // Two findings are ignored: a resolution that knows no subpaths of any package, and imports as CommonJS. The script
    // has no types.
    const flags = [
      "--profile",
      "esm-only",
      "--exclude-entrypoints",
      "socket.io-edge.min.js",
      "--format",
      "json",
    ];
    const report = JSON.parse(await run("attw", [project.tarball, ...flags], root)) as { problems?: object };
    expect(Object.keys(report.problems ?? {})).toEqual(["NoResolution", "CJSResolvesToESM"]);
  });

  it("fails with one sentence when it is loaded with require()", async () => {
    await writeFile(join(project.folder, "old.cjs"), 'require("socket.io-edge");');
    const failure = run(process.execPath, ["old.cjs"], project.folder);
    await expect(failure).rejects.toThrow(
      'Error: socket.io-edge is an ES module that runs in Cloudflare Workers: write `import { defineServer } from "socket.io-edge"`',
    );
  });

  it("has the doors, their types, the docs, the templates and the licence, and no tests, demo, pictures or secrets", () => {
    expect(project.packed).toEqual(
      expect.arrayContaining([
        "dist/index.js",
        "dist/index.d.ts",
        "dist/codec/index.js",
        "dist/codec/index.d.ts",
        "dist/client/index.js",
        "dist/client/index.d.ts",
        "dist/client/index.js.map",
        "dist/testing/index.js",
        "dist/testing/index.d.ts",
        "dist/testing/inside/harness.js",
        "dist/client-files.js",
        "dist/client-files.d.ts",
        "dist/socket.io-edge.min.js",
        "README.md",
        "LICENSE",
        "NOTICE",
        "CHANGELOG.md",
        "templates/app/gitignore",
        "docs/porting.md",
        "examples/chat/worker/wrangler.toml",
      ]),
    );
    // A `.dev.vars` holds a secret.
    const foreign = /^(src|test|bench|dist\/demo)\/|node_modules|\.(png|tgz)$|\/\./;
    expect(project.packed.filter((path) => foreign.test(path))).toEqual([]);
  });

  it("exports its codec for Node", async () => {
    const printed = await runModule(`
      import { encodePacket, PacketType } from "socket.io-edge/codec";
      console.log(JSON.stringify(encodePacket({ type: PacketType.EVENT, nsp: "/", data: ["hello", 1] })));
    `);
    expect(printed).toBe('["2[\\"hello\\",1]"]');
  });

  it("exports its client for Node, and importing it starts nothing that keeps the process running", async () => {
    expect(await runModule('import { io } from "socket.io-edge/client"; console.log(typeof io);')).toBe(
      "function",
    );
  });

  it("exports its test kit for Node, which says what to install when wrangler is missing", async () => {
    const printed = await runModule(`
      import { startServer } from "socket.io-edge/testing";
      await startServer({ worker: "src/worker.ts" }).catch((error) => console.log(error.message));
    `);
    expect(printed).toMatch(/^socket\.io-edge\/testing needs workerd, .*: npm install --save-dev wrangler$/);
  });

  it("exports the official client's files separately", async () => {
    const printed = await runModule(`
      import { clientFiles } from "socket.io-edge/client-files";
      console.log(clientFiles.version, clientFiles.files["socket.io.js"].includes("Socket.IO v" + clientFiles.version));
    `);
    expect(printed).toMatch(/^\d+\.\d+\.\d+ true$/);
  });

  it("answers a handshake in the Worker that the README prints", async () => {
    const bundle = await build({
      entryPoints: [join(project.folder, "src/worker.ts")],
      bundle: true,
      write: false,
      format: "esm",
      external: ["cloudflare:*", "node:*"],
    });
    const toml = await readmeBlock("toml");
    const worker = new Miniflare(
      convertV4MiniflareOptions({
        name: "chat",
        modules: [{ type: "ESModule", path: "worker.js", contents: bundle.outputFiles[0]?.text ?? "" }],
        compatibilityDate: toml.match(/compatibility_date = "(.+)"/)?.[1] ?? "",
        compatibilityFlags: JSON.parse(toml.match(/compatibility_flags = (.+)/)?.[1] ?? "") as string[],
        durableObjects: { SESSIONS: { className: "SessionObject", useSQLite: true } },
      }),
    );
    try {
      const url = new URL("/socket.io/?EIO=4&transport=polling", await worker.ready);
      const answer = await fetch(url);
      expect(await answer.text()).toMatch(
        /^0\{"sid":"[\w-]{22}","upgrades":\["websocket"\],"pingInterval":25000,/,
      );
    } finally {
      await worker.dispose();
    }
  });

  describe("type-checks the README's Worker strictly", () => {
    const options = {
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      target: "ES2023",
      lib: ["ES2023"],
      module: "ESNext",
      moduleResolution: "Bundler",
    };

    async function check(types: string[]): Promise<string> {
      const config = { compilerOptions: { ...options, types }, include: ["src", "*.d.ts"] };
      await writeFile(join(project.folder, "tsconfig.json"), JSON.stringify(config));
      return run("tsc", ["-p", "."], project.folder);
    }

    it("with @cloudflare/workers-types and no other types", async () => {
      const name = "@cloudflare/workers-types";
      await mkdir(join(project.folder, "node_modules/@cloudflare"), { recursive: true });
      await symlink(join(root, "node_modules", name), join(project.folder, "node_modules", name));
      expect(await check([name])).toBe("");
    });

    it("with what `wrangler types` writes", async () => {
      await run("wrangler", ["types"], project.folder);
      expect(await check([])).toBe("");

      const worker = (await readmeBlock("ts")).replace(
        "extends chat.SessionObject {}",
        "extends chat.SessionObject {\n  notify(text: string) { this.io.emit('note', text); }\n}",
      );
      const route =
        "export const notify = (env: Cloudflare.Env) => env.SESSIONS.getByName('main').notify('hello');";
      await writeFile(join(project.folder, "src/worker.ts"), worker);
      await writeFile(join(project.folder, "src/route.ts"), route);
      expect(await check([])).toBe("");

      await writeFile(join(project.folder, "src/worker.ts"), worker.replace('io.emit("', 'io.emti("'));
      await writeFile(join(project.folder, "src/route.ts"), route.replace("'hello'", "1"));
      const wrong = check([]);
      await expect(wrong).rejects.toThrow("Property 'emti' does not exist");
      await expect(wrong).rejects.toThrow(
        "Argument of type 'number' is not assignable to parameter of type 'string'",
      );
    }, 120_000);
  });
});
