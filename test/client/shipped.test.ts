import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shipModule, shipScript } from "../../scripts/build-client.ts";
import type * as client from "../../src/client/index.ts";
import type { Running } from "../support/app.ts";
import { start } from "../support/targets.ts";
import { interopSuite } from "./interop-suite.ts";

/** Bytes that the whole client may take on its way to a browser. */
const BUDGET = 4_000;

const servers: Running[] = [];
let text: string;
let shipped: typeof client;

beforeAll(async () => {
  text = await shipModule();
  shipped = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  servers.push(await start("official", "interop"), await start("official", "interop", "recovery"));
}, 120_000);

afterAll(() => Promise.all(servers.map((server) => server.close())));

function compressed(code: string): number {
  return gzipSync(code, { level: 9 }).length;
}

describe("the client as it is published", () => {
  it(`weighs at most ${BUDGET} bytes, minified and compressed`, () => {
    expect(compressed(text)).toBeLessThanOrEqual(BUDGET);
  });

  it("gives a page the global `io`, with no more weight", { timeout: 120_000 }, async () => {
    const script = await shipScript();
    const page = { io: undefined as unknown as typeof client & typeof client.io };
    new Function("globalThis", script)(page);
    expect(page.io).toBe(page.io.connect);
    expect([typeof page.io, typeof page.io.Manager, typeof page.io.Socket]).toEqual(
      Array(3).fill("function"),
    );
    expect(compressed(script)).toBeLessThanOrEqual(BUDGET);
  });

  it("leaves nothing of itself to those who use nothing of it", async () => {
    const { outputFiles } = await build({
      stdin: { contents: 'import { protocol } from "client"; console.log(protocol);' },
      plugins: [
        {
          name: "published-client",
          setup({ onResolve, onLoad }) {
            onResolve({ filter: /^client$/ }, () => ({ path: "client", namespace: "published" }));
            onLoad({ filter: /^client$/, namespace: "published" }, () => ({ contents: text }));
          },
        },
      ],
      bundle: true,
      minify: true,
      format: "esm",
      write: false,
    });
    expect(outputFiles[0]!.text.length).toBeLessThan(60);
  });

  it("has the doors of the sources, and nothing else", () => {
    expect(Object.keys(shipped).sort()).toEqual([
      "Manager",
      "Socket",
      "connect",
      "default",
      "io",
      "protocol",
    ]);
  });
});

interopSuite(
  "the published client and Socket.IO on Node",
  () => ({ server: servers[0]!, recovery: servers[1]! }),
  {
    io: () => shipped.io,
  },
);
