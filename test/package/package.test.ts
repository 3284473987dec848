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

/** Runs a module in the installed project, as its own Node process, and gives what it prints. */
async function runModule(code: string): Promise<string> {
  await writeFile(join(project.folder, "main.js"), code);
  return (await run(process.execPath, ["main.js"], project.folder)).trim();
}

describe("the published package", () => {
  it("has the doors, their types, the docs and the licence, and neither tests nor the demo", () => {
    expect(project.packed).toEqual(
      expect.arrayContaining([
        "dist/index.js",
        "dist/index.d.ts",
        "dist/codec/index.js",
        "dist/codec/index.d.ts",
        "dist/client/index.js",
        "dist/client/index.d.ts",
        "dist/client-files.js",
        "dist/client-files.d.ts",
        "dist/socket.io-edge.min.js",
        "README.md",
        "LICENSE",
        "docs/porting.md",
      ]),
    );
    expect(project.packed.filter((path) => /^(src|test|bench|dist\/demo|node_modules)\//.test(path))).toEqual(
      [],
    );
  });

  it("gives its codec to Node", async () => {
    const printed = await runModule(`
      import { encodePacket, PacketType } from "socket.io-edge/codec";
      console.log(JSON.stringify(encodePacket({ type: PacketType.EVENT, nsp: "/", data: ["hello", 1] })));
    `);
    expect(printed).toBe('["2[\\"hello\\",1]"]');
  });

  it("gives its client to Node, which ends by itself because an import starts nothing", async () => {
    expect(await runModule('import { io } from "socket.io-edge/client"; console.log(typeof io);')).toBe(
      "function",
    );
  });

  it("gives the official client's files to those who ask", async () => {
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
    const worker = new Miniflare(
      convertV4MiniflareOptions({
        name: "chat",
        modules: [{ type: "ESModule", path: "worker.js", contents: bundle.outputFiles[0]?.text ?? "" }],
        compatibilityDate: "2026-10-23",
        compatibilityFlags: ["enable_request_signal"],
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

  it("type-checks the README's Worker strictly, with Cloudflare's types and no others", async () => {
    await mkdir(join(project.folder, "node_modules/@cloudflare"), { recursive: true });
    await symlink(
      join(root, "node_modules/@cloudflare/workers-types"),
      join(project.folder, "node_modules/@cloudflare/workers-types"),
    );
    const options = {
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      target: "ES2023",
      lib: ["ES2023"],
      module: "ESNext",
      moduleResolution: "Bundler",
      types: ["@cloudflare/workers-types"],
    };
    await writeFile(
      join(project.folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: options, include: ["src"] }),
    );
    expect(await run("tsc", ["-p", "."], project.folder)).toBe("");

    const wrong = (await readmeBlock("ts")).replace("(text) => io.emit", "(text: string) => io.emti");
    await writeFile(join(project.folder, "src/wrong.ts"), wrong);
    await expect(run("tsc", ["-p", "."], project.folder)).rejects.toThrow(/Property 'emti' does not exist/);
  });
});
