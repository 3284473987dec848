import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestHarness, type TestHarness } from "wrangler";
import { bundle } from "../support/edge.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Enters a room of the demo, sends a message there, and answers with what it received and over which transport. */
const VISITOR = `
import { io } from ${JSON.stringify(`${root}src/client/index.ts`)};
export default {
  async fetch(request) {
    const { url, transports, upgrades } = await request.json();
    const socket = io(url, { forceNew: true, transports, auth: { from: "a Worker" } });
    if (upgrades) await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
    const line = new Promise((resolve) => socket.once("line", resolve));
    const people = await socket.timeout(5000).emitWithAck("enter", "workers" + transports, "robot");
    socket.emit("say", "hello from workerd");
    const { from, text } = await line;
    const carrier = socket.io.engine.transport.name;
    socket.disconnect();
    return Response.json({ people, from, text, carrier });
  },
};`;

let demo: TestHarness;
let url: URL;
let visitor: Miniflare;
const complaints: string[] = [];

beforeAll(async () => {
  demo = createTestHarness({ root, workers: [{ configPath: "./wrangler.toml" }] });
  ({ url } = await demo.listen());
  visitor = new Miniflare({
    ...convertV4MiniflareOptions({
      name: "visitor",
      log: new Log(LogLevel.NONE),
      modules: [{ type: "ESModule", path: "visitor.js", contents: await bundle(VISITOR) }],
      compatibilityDate: "2026-10-23",
    }),
    handleStructuredLogs: ({ level, message }) => {
      if (level === "warn" || level === "error") complaints.push(`${level}: ${message}`);
    },
  });
  await visitor.ready;
});

afterAll(async () => {
  await visitor?.dispose();
  await demo?.close();
});

it.each([
  { transports: ["polling"], upgrades: false, carrier: "polling" },
  { transports: ["websocket"], upgrades: false, carrier: "websocket" },
  { transports: ["polling", "websocket"], upgrades: true, carrier: "websocket" },
])("lets a Worker talk to the demo over $transports", async ({ transports, upgrades, carrier }) => {
  const response = await visitor.dispatchFetch("http://visitor/", {
    method: "POST",
    body: JSON.stringify({ url: url.href, transports, upgrades }),
  });
  expect(await response.json()).toEqual({
    people: ["robot"],
    from: "robot",
    text: "hello from workerd",
    carrier,
  });
  expect(complaints).toEqual([]);
});
