import { io } from "socket.io-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { ask, connected } from "../support/clients.ts";
import { start } from "../support/targets.ts";

/** Code that mounts a part of its page twice does this, for example React in its strict mode. */
describe("a client that connects, disconnects and connects again at once", () => {
  let server: Running;
  beforeAll(async () => {
    server = await start("edge", "contract");
  });
  afterAll(() => server?.close());

  it.each(["websocket", "polling"])("stays connected, with one socket, over %s", async (transport) => {
    const main = io(server.url, { transports: [transport], forceNew: true, reconnection: false });
    await connected(main);
    const other = main.io.socket("/custom");
    other.disconnect().connect().disconnect().connect();
    await connected(other);
    expect(await ask(other, "echo", "there")).toBe("there");
    expect(await ask(main, "echo", "here too")).toBe("here too");
    main.io._close();
  });
});
