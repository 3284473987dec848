import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { bundleSize, readmeBlock, root, workerWithoutClient } from "./pack.ts";

/**
 * The size of the README's Worker as it is sent to Cloudflare, without hono, which most apps contain anyway. The first
 * bar was 25,000; docs/design.md says what was measured and why it changed. The bar shows what is added by accident.
 */
const BUDGET = 68_700;

it(`the server adds at most ${BUDGET} bytes, minified and compressed, to a Worker`, async () => {
  const size = await bundleSize(await workerWithoutClient());
  console.log(`server Worker bundle without hono: ${size} bytes`);
  expect(size).toBeLessThanOrEqual(BUDGET);
  const readme = await readFile(join(root, "README.md"), "utf8");
  const stated = Number(readme.match(/the server is (\d+) kB then/)?.[1]);
  expect(Math.abs(stated - size / 1000), "what README.md says of it, in kB").toBeLessThan(3);
});

it("the server includes the official client's files only when they are imported", async () => {
  const withClient = await bundleSize(await readmeBlock("ts"));
  expect(withClient).toBeGreaterThan((await bundleSize(await workerWithoutClient())) + 200_000);
});
