import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** `*.workers.test.ts` runs inside workerd; every other test runs on Node, against real servers. */
export default defineConfig({
  test: {
    globalSetup: "./scripts/client-files.ts",
    projects: [
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./test/fixtures/wrangler.toml" } })],
        test: { name: "workers", include: ["test/**/*.workers.test.ts"] },
      },
      {
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.workers.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
