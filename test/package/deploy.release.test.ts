import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root, run } from "./pack.ts";

it.each([
  "wrangler.toml",
  "examples/chat/worker/wrangler.toml",
  "examples/chat-history/wrangler.toml",
  "examples/dashboard/wrangler.toml",
  "examples/devices/wrangler.toml",
  "examples/game/wrangler.toml",
  "examples/tutorial/wrangler.toml",
  "examples/whiteboard/wrangler.toml",
  "examples/private-messaging/worker/wrangler.toml",
  "examples/gatekeeper/wrangler.toml",
])("wrangler would deploy %s", async (config) => {
  const outdir = await mkdtemp(join(tmpdir(), "socket.io-edge-deploy-"));
  try {
    const printed = await run(
      "wrangler",
      ["deploy", "--dry-run", "--outdir", outdir, "--config", config],
      root,
    );
    expect(printed).toMatch(/env\.SESSIONS \(SessionObject\)\s+Durable Object/);
    expect(printed).not.toContain("WARNING");
    expect(await readdir(outdir)).toContain("worker.js");
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
});
