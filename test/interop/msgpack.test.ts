import { io, type Socket } from "socket.io-client";
import parser from "socket.io-msgpack-parser";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { ask, connected, type Mode, modeOptions, modes, nextEvent, upgraded } from "../support/clients.ts";
import { start, targets } from "../support/targets.ts";

const bytes = Buffer.from([0, 1, 127, 128, 255]);

/** The unmodified parser on both ends, used as its README says. */
describe.each(targets)("socket.io-msgpack-parser on %s", (target) => {
  let server: Running;
  let sockets: Socket[] = [];

  beforeAll(async () => {
    server = await start(target, "msgpack");
  });
  afterEach(() => {
    for (const socket of sockets) socket.disconnect();
    sockets = [];
  });
  afterAll(() => server?.close());

  async function join(mode: Mode, nsp = "/", auth = {}): Promise<Socket> {
    const options = { parser, auth, forceNew: true, reconnection: false, ...modeOptions(mode) };
    const socket = io(server.url + nsp, options);
    sockets.push(socket);
    await connected(socket);
    if (mode === "default") await upgraded(socket);
    return socket;
  }

  const sleep = () => server.evict("hibernate");

  describe.each(Object.keys(modes) as Mode[])("over %s", (mode) => {
    it("carries events, bytes and acknowledgements both ways, with sleep between any two steps", async () => {
      const socket = await join(mode);
      await sleep();
      const echoed = nextEvent(socket, "echo");
      socket.emit("echo", "zwölf 😀", { deep: [bytes, null, 1.5] }, bytes);
      expect(await echoed).toEqual(["zwölf 😀", { deep: [bytes, null, 1.5] }, bytes]);
      await sleep();
      expect(await ask(socket, "echo", bytes, 2)).toEqual(bytes);
      await sleep();
      socket.once("question", (question, answer) => answer([question, "yes"]));
      expect(await ask(socket, "ask and wait", bytes)).toEqual([bytes, "yes"]);
      await sleep();
      expect(await ask(socket, "echo", "still here")).toBe("still here");
    });

    it("carries broadcasts to several clients, and the refusal of a middleware with its data", async () => {
      const [ann, bob] = [await join(mode), await join(mode)];
      await sleep();
      const heard = [nextEvent(ann, "said"), nextEvent(bob, "said")];
      ann.emit("all", bytes);
      for (const args of await Promise.all(heard)) expect(args).toEqual([bytes]);
      const refused = join(mode, "/admin", { token: "wrong" });
      await expect(refused).rejects.toMatchObject({ message: "not authorized", data: { token: "wrong" } });
    });

    it("carries a disconnect from either side", async () => {
      const socket = await join(mode);
      await sleep();
      const left = nextEvent(socket, "disconnect");
      socket.emit("kick", false);
      expect((await left)[0]).toBe("io server disconnect");
    });
  });
});
