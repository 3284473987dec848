import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

export const root = fileURLToPath(new URL("../../", import.meta.url));

const exec = promisify(execFile);

/** Runs one of the tools of this repository, and shows what it printed if it fails. */
export async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  timeout = 120_000,
): Promise<string> {
  const PATH = `${join(root, "node_modules/.bin")}:${process.env.PATH}`;
  const env = { ...process.env, PATH, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" };
  try {
    const { stdout } = await exec(command, args, { cwd, env, maxBuffer: 1 << 26, timeout });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(" ")} failed\n${stdout}\n${stderr}`, { cause: error });
  }
}

export interface Project {
  readonly folder: string;
  /** The packed package. */
  readonly tarball: string;
  /** Paths inside the tarball, without npm's `package/`. */
  readonly packed: readonly string[];
  remove(): Promise<void>;
}

/** Packs this package from a copy of the sources, so that other tests do not see dist/ appear and disappear. */
export async function packPackage(to: string): Promise<Packed> {
  const copy = await mkdtemp(join(tmpdir(), "socket.io-edge-copy-"));
  try {
    const { files } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { files: string[] };
    const published = files.filter((name) => name !== "dist" && !name.startsWith("!"));
    for (const name of [...SOURCES, ...published]) {
      await cp(join(root, name), join(copy, name), { recursive: true });
    }
    await symlink(join(root, "node_modules"), join(copy, "node_modules"));
    return await pack(copy, to);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** The files from which the package is built, besides those that are published unchanged. */
const SOURCES = [
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "src",
  "scripts",
  "README.md",
  "LICENSE",
];

/** Packs this package and installs the tarball, without a network, into an empty project together with hono. */
export async function installTarball(): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), "socket.io-edge-"));
  const tarball = await packPackage(folder);
  const hono = await pack(join(root, "node_modules/hono"), folder, "--ignore-scripts");

  const dependencies = { "socket.io-edge": `file:./${tarball.filename}`, hono: `file:./${hono.filename}` };
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module", dependencies }),
  );
  await run("npm", ["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"], folder);
  return {
    folder,
    tarball: join(folder, tarball.filename),
    packed: tarball.files.map((file) => file.path),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface Packed {
  filename: string;
  files: { path: string }[];
}

/** npm prints the output of scripts before the JSON, and newer versions key the results by package name. */
async function pack(from: string, to: string, ...flags: string[]): Promise<Packed> {
  const printed = await run("npm", ["pack", from, "--json", "--pack-destination", to, ...flags], from);
  const results = JSON.parse(printed.slice(printed.search(/^[[{]/m))) as Record<string, Packed>;
  const [packed] = Object.values(results);
  if (packed === undefined) throw new Error(`npm pack named no tarball: ${printed}`);
  return packed;
}

/** The first block of code in the README in a language, which a reader would copy. */
export async function readmeBlock(language: "ts" | "toml" | "html"): Promise<string> {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const block = readme.match(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``))?.[1];
  if (block === undefined) throw new Error(`README.md has no ${language} block`);
  return block;
}

/** The size of a Worker as it is sent to Cloudflare, minified and compressed, without hono. */
export async function bundleSize(contents: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*", "hono", "hono/*"],
    write: false,
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

/** The README's Worker, without the official client that it serves. */
export async function workerWithoutClient(): Promise<string> {
  const worker = await readmeBlock("ts");
  return worker.replace(/^import .*client-files";\n/m, "").replace("{ serveClient: clientFiles }", "{}");
}
