import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { type StartOptions, startServer, type TestServer } from "../../src/testing/index.ts";
import { readmeBlock, root, run } from "../package/pack.ts";

/** Artillery takes two minutes on a busy machine. */
const INSTALLATION_MS = 600_000;
const PAGE = join(root, "docs/ecosystem.md");

/** A project outside this repository, with packages of the registry and the files that docs/ecosystem.md prints. */
export class Project {
  readonly folder: string;
  readonly #servers: TestServer[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Installs packages from the npm registry, in the newest versions of the ranges that are given.
   * @throws Error when npm cannot install them: what is not tried does not pass
   */
  static async with(packages: Record<string, string>): Promise<Project> {
    const project = new Project(await mkdtemp(join(tmpdir(), "socket.io-edge-ecosystem-")));
    const wanted = Object.entries(packages).map(([name, range]) => `${name}@${range}`);
    await project.write("package.json", '{ "private": true, "type": "module" }');
    try {
      const command = ["install", ...wanted, "--ignore-scripts", "--no-audit", "--no-fund"];
      await run("npm", command, project.folder, INSTALLATION_MS);
    } catch (error) {
      await project.remove();
      throw new Error(`npm could not install ${wanted.join(", ")}, so nothing was tried`, { cause: error });
    }
    await project.#linkThisPackage();
    await mkdir(join(project.folder, "public"), { recursive: true });
    return project;
  }

  /** Writes the files that a section of the page prints: code blocks whose first line is a comment with a path. */
  async follow(heading: string): Promise<void> {
    const page = await readFile(PAGE, "utf8");
    const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
    const blocks = [...section.matchAll(/^```\w+\n(?:\/\/|#) (\S+)\n([\s\S]*?)^```$/gm)];
    if (blocks.length === 0) throw new Error(`docs/ecosystem.md prints no file in its section "${heading}"`);
    for (const [, path = "", text = ""] of blocks) {
      await this.write(path, text);
    }
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.folder, path)), { recursive: true });
    await writeFile(join(this.folder, path), text);
  }

  /**
   * Bundles the Worker src/worker.ts or src/worker.js with wrangler, as a deploy does, and runs that bundle. The
   * configuration is that of the README; what the page prints of wrangler.toml is added.
   */
  async start(options: Partial<StartOptions> = {}): Promise<TestServer> {
    const inFolder = (path: string) => join(this.folder, path);
    const main = existsSync(inFolder("src/worker.ts")) ? "src/worker.ts" : "src/worker.js";
    const common = (await readmeBlock("toml")).replace("src/worker.ts", main);
    const own = existsSync(inFolder("wrangler.toml"))
      ? await readFile(inFolder("wrangler.toml"), "utf8")
      : "";
    await this.write("wrangler.dev.toml", `${common}\n${own}`);
    await run(
      "wrangler",
      ["deploy", "--dry-run", "--outdir", "dist", "--config", "wrangler.dev.toml"],
      this.folder,
    );
    const server = await startServer({
      config: pathToFileURL(inFolder("wrangler.dev.toml")),
      worker: pathToFileURL(inFolder("dist/worker.js")),
      ...options,
    });
    this.#servers.push(server);
    return server;
  }

  /** Bundles a script for the page in public/, as the bundler of an app does. */
  async bundlePage(entry: string, outfile: string): Promise<void> {
    await build({
      absWorkingDir: this.folder,
      entryPoints: [entry],
      outfile,
      bundle: true,
      jsx: "automatic",
      define: { "process.env.NODE_ENV": '"development"' },
      logLevel: "silent",
    });
  }

  async remove(): Promise<void> {
    for (const server of this.#servers) await server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The sources take the place of the published files, and hono that of the user's own. */
  async #linkThisPackage(): Promise<void> {
    const exports = { ".": "./src/index.ts", "./client": "./src/client/index.ts" };
    await this.write(
      "node_modules/socket.io-edge/package.json",
      JSON.stringify({ name: "socket.io-edge", type: "module", exports }),
    );
    await symlink(join(root, "src"), join(this.folder, "node_modules/socket.io-edge/src"));
    await symlink(join(root, "node_modules/hono"), join(this.folder, "node_modules/hono"));
  }
}
