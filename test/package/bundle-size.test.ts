import { expect, it } from "vitest";
import { bundleSize, readmeBlock } from "./pack.ts";

/**
 * What the README's Worker weighs on the way to Cloudflare, without hono, which an app has anyway. The first bar was
 * 25,000: docs/design.md says what was measured and why it moved. It is there to notice what is added by accident.
 */
const BUDGET = 50_500;

it(`adds at most ${BUDGET} bytes, minified and compressed, to a Worker`, async () => {
  const size = await bundleSize(await readmeBlock("ts"));
  console.log(`server Worker bundle without hono: ${size} bytes`);
  expect(size).toBeLessThanOrEqual(BUDGET);
});

it("does not carry the official client's files unless they are imported", async () => {
  const quickStart = await readmeBlock("ts");
  const withFiles = `import { clientFiles } from "socket.io-edge/client-files";\n${quickStart.replace("{ cors", "{ serveClient: clientFiles, cors")}`;
  expect(await bundleSize(withFiles)).toBeGreaterThan((await bundleSize(quickStart)) + 200_000);
});
