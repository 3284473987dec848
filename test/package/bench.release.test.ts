import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startWorkerd } from "../../bench/support/servers.ts";
import { root } from "./pack.ts";

const PARTS = ["cold", "echo", "connect", "fan-out", "resident", "polling", "upgrade", "growth"];

it("the benchmarks run, with all of their contestants", { timeout: 240_000 }, () => {
  const { status, stderr } = spawnSync(process.execPath, [
    join(root, "bench/run.ts"),
    ...PARTS,
    "--quick",
    "--compression",
    "off",
  ]);
  expect([status, String(stderr)]).toEqual([0, ""]);
});

describe("a client that offers compression", () => {
  it.each([
    ["gets compression", true, "permessage-deflate"],
    ["gets none with the flag no_web_socket_compression", false, ""],
  ])("%s", async (_, compression, extensions) => {
    const server = await startWorkerd("ours", { compression });
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`);
    try {
      await new Promise((resolve, reject) => {
        socket.once("message", resolve);
        socket.once("error", reject);
      });
      expect(socket.extensions).toBe(extensions);
    } finally {
      socket.terminate();
      await server.stop();
    }
  });
});
