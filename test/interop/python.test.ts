import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { worldOf } from "../contract/world.ts";
import { expected, targets } from "../support/targets.ts";

const PYTHON = "/usr/bin/python3";
const script = fileURLToPath(new URL("./python_client.py", import.meta.url));
const isInstalled =
  spawnSync(PYTHON, ["-c", "import socketio, requests, websocket"], { timeout: 20_000 }).status === 0;
if (!isInstalled)
  console.error(
    "SKIPPED: Debian's python3-socketio, python3-requests and python3-websocket are not all installed, its client is not tested",
  );

/** Runs the script to its end, for at most 40 seconds, and returns what it has observed. */
function talk(url: string, transports: string, count: number): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const child = spawn(PYTHON, [script, url, transports, String(count)], { timeout: 25_000 });
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk));
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk));
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve(JSON.parse(output));
      else reject(new Error(`python3-socketio over ${transports} ended with ${status}: ${errors}${output}`));
    });
  });
}

describe.skipIf(!isInstalled).each(targets)("Debian's python3-socketio client on %s", (target) => {
  const world = worldOf(target, "4.8", "default");

  it.each([
    ["polling", "polling"],
    ["websocket", "websocket"],
    ["polling,websocket", "websocket"],
  ])("holds a conversation over %s", async (transports, transport) => {
    // This client closes the connection when an answer has more than 16 packets, as that of the official server may.
    const count = expected(target, { official: 10, edge: 100 });
    const seen = await talk(world.server.url, transports, count);
    // This client handles each message in a thread of its own, so it may record messages in another order.
    (seen.n as number[]).sort((a, b) => a - b);
    expect(seen).toEqual({
      welcome: expect.arrayContaining(["/", "/custom"]),
      n: Array.from({ length: count }, (_, i) => i),
      echo: [["text", [255, 0], { deep: 1 }]],
      answer: { a: ["ü", null] },
      bytes: [1, 2, 0],
      asked: "python says",
      report: { next: count, wrong: 0 },
      custom: "over there",
      transport,
    });
  });
});
