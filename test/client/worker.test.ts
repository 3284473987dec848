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
    const connect = (name) => io(url, { forceNew: true, transports, auth: { visitor: name, name, room: "workers" + transports } });
    const socket = connect("robot");
    const welcome = new Promise((resolve) => socket.once("welcome", resolve));
    if (upgrades) await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
    const { you } = await welcome;
    const reader = connect("reader");
    await new Promise((resolve) => reader.once("welcome", resolve));
    const line = new Promise((resolve) => reader.once("line", resolve));
    const room = "workers" + transports;
    const { people } = await socket.timeout(5000).emitWithAck("enter", room, "robot");
    await socket.timeout(5000).emitWithAck("say", room, crypto.randomUUID(), "hello from workerd");
    const { from, text } = await line;
    const transport = socket.io.engine.transport.name;
    socket.disconnect();
    reader.disconnect();
    const names = people.map(({ name }) => name).sort();
    return Response.json({ you: you.name, people: names, from: from.name, text, transport });
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
  { transports: ["polling"], upgrades: false, transport: "polling" },
  { transports: ["websocket"], upgrades: false, transport: "websocket" },
  { transports: ["polling", "websocket"], upgrades: true, transport: "websocket" },
])("lets a Worker talk to the demo over $transports", async ({ transports, upgrades, transport }) => {
  const response = await visitor.dispatchFetch("http://visitor/", {
    method: "POST",
    body: JSON.stringify({ url: url.href, transports, upgrades }),
  });
  expect(await response.json()).toEqual({
    you: "robot",
    people: ["reader", "robot"],
    from: "robot",
    text: "hello from workerd",
    transport,
  });
  expect(complaints).toEqual([]);
});
