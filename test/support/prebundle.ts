import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of `library.js`, `breakable.js` and a bundle of each application of test/fixtures/apps. */
    bundles: string;
  }
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** As wrangler bundles a Worker. */
export const forWorkers = {
  bundle: true,
  format: "esm",
  target: "es2024",
  conditions: ["workerd", "worker", "browser"],
  external: ["cloudflare:*", "node:*", "workerd:*"],
  logLevel: "silent",
} satisfies BuildOptions;

async function bundleAll(folder: string): Promise<void> {
  const apps = path("../fixtures/apps");
  const names = (await readdir(apps)).filter((name) => name.endsWith(".ts"));
  await Promise.all([
    build({ ...forWorkers, entryPoints: [path("../../src/index.ts")], outfile: join(folder, "library.js") }),
    build({ ...forWorkers, entryPoints: [path("breakable.ts")], outfile: join(folder, "breakable.js") }),
    build({
      ...forWorkers,
      entryPoints: names.map((name) => join(apps, name)),
      outdir: join(folder, "apps"),
    }),
  ]);
}

/**
 * This is vitest's globalSetup. It bundles this project and the applications once for all test files: a test file that
 * starts twenty servers would otherwise bundle twenty times.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "socket.io-edge-bundles-"));
  await bundleAll(folder);
  project.provide("bundles", folder);
  project.onTestsRerun(() => bundleAll(folder));
  return () => rm(folder, { recursive: true });
}
