import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readmeBlock, root } from "./pack.ts";

const read = (path: string) => readFile(join(root, path), "utf8");

/** A file without its comments, because the text around a block in the README says the same. */
async function bare(path: string): Promise<string> {
  return (await read(path)).replace(/^(\/\/|#) .*\n/gm, "").trim();
}

async function printed(language: "ts" | "toml"): Promise<string> {
  return (await readmeBlock(language)).replace(/^(\/\/|#) .*\n/gm, "").trim();
}

describe("the README", () => {
  it("prints the Worker and the configuration that `init` writes", async () => {
    expect(await printed("ts")).toBe(await bare("templates/ts/src/worker.ts"));
    expect(await printed("toml")).toBe(await bare("templates/app/wrangler.toml"));
  });

  it("links with full addresses, as the page on npm needs them, to files that exist", async () => {
    const { repository, homepage } = JSON.parse(await read("package.json")) as {
      repository: { url: string };
      homepage: string;
    };
    const home = repository.url.replace(/^git\+|\.git$/g, "");
    expect(homepage).toContain(home);

    const readme = await read("README.md");
    const targets = [...readme.matchAll(/\]\(([^)]+)\)|^\[[^\]]+\]: (.+)$/gm)].map(
      (match) => match[1] ?? match[2] ?? "",
    );
    expect(targets.length).toBeGreaterThan(10);
    expect(targets.filter((target) => !/^(https:\/\/|#)/.test(target))).toEqual([]);

    const files = targets
      .filter((target) => target.startsWith(`${home}/`))
      .map((target) => target.slice(home.length));
    expect(
      files.filter((file) => !existsSync(join(root, file.replace(/^\/(blob|tree)\/main\/|#.*$/g, "")))),
    ).toEqual([]);
  });

  it("defines every link that it uses", async () => {
    const text = (await read("README.md")).replace(/^```[\s\S]*?^```/gm, "");
    const used = [...text.matchAll(/\]\[([^\]]+)\]/g)].map((match) => match[1]);
    const defined = [...text.matchAll(/^\[([^\]]+)\]: /gm)].map((match) => match[1]);
    expect([...new Set(used)].sort()).toEqual(defined.sort());
  });
});

describe("NOTICE", () => {
  it("names every package whose code is in the official client's files", async () => {
    const folder = join(root, "node_modules/socket.io-client/dist");
    const notice = await read("NOTICE");
    const maps = (await readdir(folder)).filter((name) =>
      /^socket\.io(\.esm|\.msgpack)?(\.min)?\.js\.map$/.test(name),
    );
    expect(maps.length).toBeGreaterThan(3);
    const packages = new Set<string>();
    for (const map of maps) {
      const { sources } = JSON.parse(await readFile(join(folder, map), "utf8")) as { sources: string[] };
      for (const source of sources) packages.add(packageOf(source));
    }
    expect([...packages].filter((name) => !notice.includes(name))).toEqual([]);
  });

  /**
   * The sources are in node_modules, in a neighbouring package of the authors' repository, or in socket.io-client
   * itself.
   */
  function packageOf(source: string): string {
    const path = source.split("node_modules/").at(-1) ?? source;
    if (path !== source || !path.startsWith("../")) return path.split("/")[0] ?? path;
    const neighbour = path.match(/^\.\.\/\.\.\/([^/]+)/)?.[1] ?? "socket.io-client";
    return neighbour === "socket.io-component-emitter" ? "@socket.io/component-emitter" : neighbour;
  }
});
