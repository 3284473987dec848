import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "./pack.ts";

it("docs/recipes.md prints the Workers of examples/recipes", async () => {
  const page = await readFile(join(root, "docs/recipes.md"), "utf8");
  const printed = [...page.matchAll(/```[jt]s\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, name, code]) => [
    name,
    code,
  ]);
  const folder = join(root, "examples/recipes");
  const names = (await readdir(folder)).filter((name) => /\.[jt]s$/.test(name));
  const files = names.map(async (name) => [name, await readFile(join(folder, name), "utf8")]);
  expect(Object.fromEntries(printed)).toEqual(Object.fromEntries(await Promise.all(files)));
});
