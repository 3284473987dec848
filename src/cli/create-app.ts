import { cp, mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "./arguments.ts";

/** The root of this package: this file lies two folders below it, as source and as built. */
const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));

/**
 * The names that Cloudflare accepts for a Worker with a subdomain; npm accepts all of them as the name of a package.
 */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

interface PackageFile {
  name: string;
  version: string;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

/**
 * Writes a new app into a folder, which is created if it is missing. The app is named after the folder.
 * @returns the folder's full path.
 * @throws UsageError when the name cannot be that of a Worker, or when something lies in the folder already.
 */
export async function createApp(folder: string, language: "ts" | "js"): Promise<string> {
  const target = resolve(folder);
  const name = basename(target);
  const manifest = await readPackage("templates/app/package.json");
  checkName(name, [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)]);
  await checkEmpty(folder, target);

  await mkdir(target, { recursive: true });
  for (const part of ["app", language]) {
    await cp(join(PACKAGE, "templates", part), target, { recursive: true });
  }
  // npm would treat a `.gitignore` as its own, and not pack it.
  await rename(join(target, "gitignore"), join(target, ".gitignore"));
  await writeFile(join(target, "package.json"), await fillPackage(manifest, name, language));
  for (const file of ["wrangler.toml", "public/index.html"]) {
    const text = await readFile(join(target, file), "utf8");
    await writeFile(
      join(target, file),
      text.replaceAll("my-app", name).replace("worker.ts", `worker.${language}`),
    );
  }
  return target;
}

/** This package's own version. */
export async function ownVersion(): Promise<string> {
  return (await readPackage("package.json")).version;
}

async function readPackage(path: string): Promise<PackageFile> {
  return JSON.parse(await readFile(join(PACKAGE, path), "utf8")) as PackageFile;
}

async function fillPackage(manifest: PackageFile, name: string, language: "ts" | "js"): Promise<string> {
  manifest.name = name;
  manifest.dependencies["socket.io-edge"] = `^${await ownVersion()}`;
  if (language === "js") {
    delete manifest.devDependencies.typescript;
    delete manifest.devDependencies["@types/node"];
    delete manifest.scripts.check;
  }
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function checkName(name: string, taken: readonly string[]): void {
  if (!NAME.test(name)) {
    throw new UsageError(
      `"${name}" cannot be the name of a Worker. Take up to 63 lowercase letters, digits and dashes, without a dash at either end: my-app`,
    );
  }
  if (taken.includes(name)) {
    throw new UsageError(
      `"${name}" is the name of a package that the app uses. Choose another one: my-${name}`,
    );
  }
}

async function checkEmpty(folder: string, target: string): Promise<void> {
  const found = await stat(target).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isDirectory()) throw new UsageError(`${folder} is a file. Choose another name.`);
  const [first, ...others] = (await readdir(target)).filter((name) => name !== ".git");
  if (first === undefined) return;
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  throw new UsageError(
    `${folder} is not empty: it holds ${first}${more}. Nothing was written. Choose another name, or empty the folder.`,
  );
}
