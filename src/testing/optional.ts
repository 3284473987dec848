import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

type Require = ReturnType<typeof createRequire>;

/**
 * Node's own `require`, as seen from a file. Jest replaces `node:module` with one that runs packages inside its
 * sandbox, where miniflare cannot work.
 */
export function requireFrom(file: string | URL): Require {
  const own = process.getBuiltinModule?.("node:module") as typeof import("node:module") | undefined;
  return (own?.createRequire ?? createRequire)(file);
}

/** The places in which a package is searched: the project that runs the tests, then the folder of this package. */
function places(): Require[] {
  return [requireFrom(pathToFileURL(`${process.cwd()}/package.json`)), requireFrom(import.meta.url)];
}

function resolve(require: Require, name: string): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}

function find(name: string, extra: Require[] = []): { require: Require; path: string } | undefined {
  for (const require of [...places(), ...extra]) {
    const path = resolve(require, name);
    if (path !== undefined) return { require, path };
  }
  return undefined;
}

/** `require` as seen from wrangler, which depends on versions of miniflare, esbuild and workerd that fit together. */
function fromWrangler(): Require[] {
  const wrangler = find("wrangler");
  if (wrangler === undefined) return [];
  const own = requireFrom(wrangler.path);
  const miniflare = resolve(own, "miniflare");
  return miniflare === undefined ? [own] : [own, requireFrom(miniflare)];
}

/**
 * Returns a package that only this kit needs, so that other users do not have to install it.
 * @throws Error that says what to install
 */
export function loadTool<Tool>(name: "miniflare" | "esbuild" | "wrangler" | "workerd"): Tool {
  const wranglers = fromWrangler();
  for (const require of [...wranglers, ...places()]) {
    const path = resolve(require, name);
    if (path !== undefined) return require(path) as Tool;
  }
  throw new Error(
    `socket.io-edge/testing needs ${name}, which comes with wrangler: npm install --save-dev wrangler`,
  );
}

/**
 * Returns a package of the user's project, in the version that is installed there.
 * @throws Error that says what to install
 */
export async function loadPackage<Package>(name: "socket.io" | "socket.io-client"): Promise<Package> {
  const found = find(name);
  if (found === undefined) {
    throw new Error(`socket.io-edge/testing needs ${name} for this: npm install --save-dev ${name}`);
  }
  return found.require(found.path) as Package;
}
