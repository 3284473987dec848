/** Prints the sizes of the small client and the server, minified and compressed. */
import { bundleModule, compressedSize } from "../scripts/build-client.ts";
import { bundleSize, workerWithoutClient } from "../test/package/pack.ts";
import type { Check } from "./support/check.ts";

const CLIENT_BAR = 6_400;
const SERVER_BAR = 68_700;

export async function benchSizes(): Promise<Check[]> {
  const client = compressedSize(await bundleModule());
  return [
    toCheck("small client", CLIENT_BAR, client),
    toCheck("server Worker bundle without hono", SERVER_BAR, await bundleSize(await workerWithoutClient())),
  ];
}

function toCheck(what: string, bar: number, size: number): Check {
  return {
    what: `${what}, minified and compressed`,
    bar: `${bar} bytes`,
    measured: `${size} bytes`,
    isMet: size <= bar,
  };
}
