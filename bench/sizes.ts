/** What the small client and the server weigh, minified and compressed. */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { shipModule } from "../scripts/build-client.ts";
import type { Check } from "./support/check.ts";

const CLIENT_BAR = 4_000;
const SERVER_BAR = 36_000;

const QUICK_START = `import { defineServer } from "../src/index.ts";
const chat = defineServer({ cors: { origin: "*" } }, (io) => {
  io.on("connection", (socket) => {
    socket.on("message", (text) => io.emit("message", text));
  });
});
export class SessionObject extends chat.SessionObject {}
export default chat.app;`;

export async function benchSizes(): Promise<Check[]> {
  const { outputFiles } = await build({
    stdin: { contents: QUICK_START, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*", "hono", "hono/*"],
    write: false,
  });
  return [
    toCheck("small client", CLIENT_BAR, await shipModule()),
    toCheck("server Worker bundle without hono", SERVER_BAR, outputFiles[0]?.contents ?? ""),
  ];
}

function toCheck(what: string, bar: number, contents: string | Uint8Array): Check {
  const size = gzipSync(contents, { level: 9 }).length;
  return {
    what: `${what}, minified and compressed`,
    bar: `${bar} bytes`,
    measured: `${size} bytes`,
    isMet: size <= bar,
  };
}
