import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Socket } from "engine.io-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { type Mode, modeOptions, modes } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { Inbox, within } from "../support/within.ts";

const root = new URL("../../", import.meta.url);

/** The Worker that docs/engine.md shows, with these sources. */
async function documented(): Promise<string> {
  const page = await readFile(new URL("docs/engine.md", root), "utf8");
  const code = /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  return code.replace('"socket.io-edge"', JSON.stringify(fileURLToPath(new URL("src/index.ts", root))));
}

const COUNT = 500;

/** The official engine.io-client with `defineEngine` alone, as docs/engine.md shows it. */
describe.each(Object.keys(modes) as Mode[])("engine.io-client by %s", (mode) => {
  let server: Running;
  beforeAll(async () => {
    server = await startWorker(await bundle(await documented()));
  });
  afterAll(() => server?.close());

  it.each(["awake", "asleep"])("is echoed by an object that is %s between its messages", async (state) => {
    const client = new Socket(server.url, { ...modeOptions(mode), path: "/engine.io" });
    client.binaryType = "arraybuffer";
    const messages = new Inbox<string | ArrayBuffer>();
    client.on("message", (data: string | ArrayBuffer) => messages.push(data));
    const name = mode === "polling" ? "polling" : "websocket";
    const ready = new Promise<void>((resolve) => {
      if (mode === "default") client.on("upgrade", () => resolve());
      else client.on("open", () => resolve());
    });
    await within(ready, "connection");
    expect(client.transport.name).toBe(name);
    for (const text of ["hello", "ü文🎈", ""]) {
      if (state === "asleep") await server.evict("hibernate");
      client.send(text);
      // An empty message has no data at all, with the official server as well.
      expect((await messages.next()) ?? "").toBe(text);
    }
    if (state === "asleep") await server.evict("hibernate");
    client.send(new Uint8Array([0, 128, 255]));
    expect([...new Uint8Array((await messages.next()) as ArrayBuffer)]).toEqual([0, 128, 255]);
    for (let i = 0; i < COUNT; i++) client.send(String(i));
    for (let i = 0; i < COUNT; i++) expect(await messages.next()).toBe(String(i));
    const closed = new Promise<string>((resolve) => client.on("close", (reason: string) => resolve(reason)));
    client.close();
    expect(await within(closed, "close")).toBe("forced close");
  });
});
