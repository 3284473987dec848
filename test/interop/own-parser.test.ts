import { io, type Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Decoder, Encoder } from "../fixtures/apps/own-parser.ts";
import type { Running } from "../support/app.ts";
import { ask, connected, type Mode, modeOptions, modes, nextEvent, upgraded } from "../support/clients.ts";
import { start, targets } from "../support/targets.ts";

/** A parser of the application on both ends, whose decoder is asynchronous and may emit several packets. */
describe.each(targets)("a parser with an asynchronous decoder on %s", (target) => {
  let server: Running;
  let sockets: Socket[] = [];

  beforeAll(async () => {
    server = await start(target, "own-parser");
  });
  afterEach(() => {
    for (const socket of sockets) socket.disconnect();
    sockets = [];
  });
  afterAll(() => server?.close());

  async function join(mode: Mode): Promise<Socket> {
    const parser = { Encoder, Decoder };
    const socket = io(server.url, { parser, forceNew: true, reconnection: false, ...modeOptions(mode) });
    sockets.push(socket);
    await connected(socket);
    if (mode === "default") await upgraded(socket);
    return socket;
  }

  it.each(Object.keys(modes) as Mode[])(
    "carries acknowledgements, and events in order, over %s, also with sleep in between",
    async (mode) => {
      const socket = await join(mode);
      await server.evict("hibernate");
      expect(await ask(socket, "echo", 1)).toBe(1);
      await server.evict("hibernate");
      const echoed: unknown[] = [];
      socket.on("echo", (value) => echoed.push(value));
      for (let i = 0; i < 5; i++) socket.emit("echo", i);
      expect(await ask(socket, "echo", "last")).toBe("last");
      expect(echoed).toEqual([0, 1, 2, 3, 4]);
      socket.once("question", (question, answer) => answer(`${question}: yes`));
      expect(await ask(socket, "ask and wait", "really")).toBe("really: yes");
    },
  );

  it("takes several packets from one message", async () => {
    const socket = await join("websocket");
    const second = nextEvent(socket, "echo");
    const packets = [7, 8].map((value) => ({ type: 2, nsp: "/", data: ["echo", value] }));
    const seen: unknown[] = [];
    socket.on("echo", (value) => seen.push(value));
    (socket.io.engine as unknown as { write(text: string): void }).write(JSON.stringify(packets));
    await second;
    expect(await ask(socket, "echo", 9)).toBe(9);
    expect(seen).toEqual([7, 8]);
  });
});
