import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import { bundleModule, bundleScript, compressedSize } from "../../scripts/build-client.ts";
import type * as client from "../../src/client/index.ts";

/** The bytes that the whole client may take when it is sent to a browser. docs/client.md says why it is not less. */
const BUDGET = 6_400;

let text: string;
let bundled: typeof client;

beforeAll(async () => {
  text = await bundleModule();
  bundled = await import(`data:text/javascript,${encodeURIComponent(text)}`);
});

describe("the client, minified", () => {
  it(`takes at most ${BUDGET} bytes compressed, less than half of the official client`, async () => {
    const size = compressedSize(text);
    const officialSize = compressedSize(await bundleModule("socket.io-client"));
    console.log(`small client: ${size} bytes; socket.io-client: ${officialSize} bytes`);
    expect(size).toBeLessThanOrEqual(BUDGET);
    expect(size).toBeLessThan(officialSize / 2);
  });

  it("gives a page the global `io`", async () => {
    const script = await bundleScript();
    const page = { io: undefined as unknown as typeof client & typeof client.io };
    new Function("globalThis", script)(page);
    expect(page.io).toBe(page.io.connect);
    expect([typeof page.io, typeof page.io.Manager, typeof page.io.Socket]).toEqual(
      Array(3).fill("function"),
    );
    expect(compressedSize(script)).toBeLessThanOrEqual(BUDGET);
  });

  it("is removed from a bundle that imports nothing of it", async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: 'import { protocol } from "./src/client/index.ts"; console.log(protocol);',
        resolveDir: ".",
      },
      bundle: true,
      minify: true,
      format: "esm",
      write: false,
    });
    expect(outputFiles[0]!.text.length).toBeLessThan(60);
  });

  it("exports what the sources export, and nothing else", () => {
    expect(Object.keys(bundled).sort()).toEqual([
      "Manager",
      "Socket",
      "connect",
      "default",
      "io",
      "protocol",
    ]);
  });
});
