import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const onNode = { testTimeout: 30_000, hookTimeout: 60_000 };

/**
 * The tests that only a release needs (`npm run test:release`): packing, the soak, all interruptions and the attacks of
 * test/red.
 */
const RELEASE = ["test/**/*.release.test.ts", "test/red/**/*.test.ts"];

/** `*.workers.test.ts` runs inside workerd; every other test runs on Node, against real servers. */
export default defineConfig({
  test: {
    globalSetup: ["./scripts/client-files.ts", "./test/support/prebundle.ts"],
    // Left alone, vitest uses one worker on two cores, and most tests wait for a server: two left a third of both idle.
    maxWorkers: 3,
    reporters: ["default", "./test/support/slow-files.ts"],
    projects: [
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./test/fixtures/wrangler.toml" } })],
        test: {
          name: "workers",
          include: ["test/**/*.workers.test.ts"],
          // Longer than any wait inside a test, so that a test fails with the name of what it waited for.
          testTimeout: 20_000,
          // A runtime for each file would take a third of the time of these tests.
          isolate: false,
          setupFiles: "./test/support/fresh-objects.ts",
        },
      },
      {
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.workers.test.ts", ...RELEASE],
          ...onNode,
        },
      },
      {
        test: { name: "release", include: RELEASE, ...onNode },
      },
    ],
  },
});
