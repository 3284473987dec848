import { fileURLToPath } from "node:url";
import type { Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import {
  ask,
  type ClientVersion,
  clients,
  connected,
  type Mode,
  modeOptions,
  transportOf,
} from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { within } from "../support/within.ts";

const index = fileURLToPath(new URL("../../src/index.ts", import.meta.url));

/** A server whose setup function fails while its database is down, before it registers its middleware. */
const WORKER = `
import { Hono } from "hono";
import { Adapter, defineServer } from ${JSON.stringify(index)};

let isDown = false;
let tries = 0;
class Fragile extends Adapter {
  constructor(nsp) {
    super(nsp);
    if (isDown === "adapter") throw new Error("no adapter");
  }
}
const options = {
  cors: { origin: "https://page.example", credentials: true },
  checkOrigin: false,
  connectionStateRecovery: {},
  adapter: Fragile,
};
const chat = defineServer(options, async (io) => {
  io.on("connection", (socket) => socket.on("who", (ack) => ack(socket.data.name)));
  if (isDown) tries++;
  if (isDown === "setup") throw new Error("no database");
  await Promise.resolve();
  io.use((socket, next) => {
    socket.data.name = socket.handshake.auth.name;
    next(socket.data.name ? undefined : new Error("who?"));
  });
});
export class SessionObject extends chat.SessionObject {}
const app = new Hono();
app.post("/down/:what", (c) => {
  isDown = c.req.param("what");
  return c.body(null);
});
app.post("/up", (c) => {
  isDown = false;
  return c.body(null);
});
app.post("/emit", async (c) => {
  try {
    await chat.emitter(c.env).emit("news");
    return c.text("done");
  } catch (error) {
    return c.text(error.message + JSON.stringify(Object.keys(error)) + Boolean(error.stack?.includes("setup")));
  }
});
app.route("/", chat.app);
export default app;
`;

const CLIENTS: [ClientVersion, Mode][] = [
  ["4.8", "default"],
  ["4.8", "polling"],
  ["4.8", "websocket"],
  ["3.1", "default"],
  ["3.1", "websocket"],
  ["small", "polling"],
  ["small", "websocket"],
];

describe.each(["setup", "adapter"])("stock clients of an object whose %s fails", (what) => {
  let server: Running;
  let sockets: Socket[] = [];
  const post = async (path: string) => (await fetch(server.url + path, { method: "POST" })).text();

  beforeAll(async () => {
    server = await startWorker(await bundle(WORKER));
  });
  beforeEach(async () => {
    await post("/up");
    await server.evict("hibernate");
  });
  afterEach(async () => {
    for (const socket of sockets) socket.disconnect();
    sockets = [];
  });
  afterAll(() => server?.close());

  function join(version: ClientVersion, mode: Mode): { socket: Socket; heard: string[] } {
    const options = { ...modeOptions(mode), auth: { name: "ann" }, forceNew: true, reconnectionDelay: 200 };
    const socket = clients[version](server.url, options);
    sockets.push(socket);
    const heard: string[] = [];
    socket.on("disconnect", (reason) => heard.push(reason));
    return { socket, heard };
  }

  /** Waits for the upgrade, which would keep the object in memory. */
  async function upgraded(socket: Socket, mode: Mode): Promise<void> {
    if (mode === "default") await expect.poll(() => transportOf(socket)).toBe("websocket");
  }

  /** Waits until the connection has ended and the attempt to reconnect is refused. */
  async function isTurnedAway(socket: Socket, who: string): Promise<void> {
    const left = new Promise((resolve) => socket.once("disconnect", resolve));
    const tried = new Promise((resolve) => socket.io.once("reconnect_attempt", resolve));
    const refused = new Promise((resolve) => socket.io.once("reconnect_error", resolve));
    socket.emit("who", () => {});
    await within(left, `end of the connection of ${who}`);
    await within(tried, `attempt of ${who} to come back`);
    await within(refused, `refusal of ${who}`);
    expect(socket.connected, who).toBe(false);
  }

  /** The pause that the failure has caused ends first. */
  async function comesBack(socket: Socket, who: string): Promise<void> {
    const back = new Promise<void>((resolve) => socket.once("connect", () => resolve()));
    if (!socket.connected) await within(back, `new connection of ${who}`, 15_000);
    expect(await ask(socket, "who"), who).toBe("ann");
  }

  it("reconnect by themselves through the middleware once it works, whatever their version and transport", async () => {
    const all = CLIENTS.map(([version, mode]) => ({
      who: `${version} (${mode})`,
      mode,
      ...join(version, mode),
    }));
    await Promise.all(all.map(({ socket }) => connected(socket)));
    await Promise.all(all.map(({ socket, mode }) => upgraded(socket, mode)));
    await post(`/down/${what}`);
    await server.evict("hibernate");
    await Promise.all(all.map(({ socket, who }) => isTurnedAway(socket, who)));
    await post("/up");
    await Promise.all(all.map(({ socket, who }) => comesBack(socket, who)));
    await Promise.all(all.map(({ socket, mode }) => upgraded(socket, mode)));
    for (const { heard, who } of all) {
      expect(heard, who).toEqual([expect.stringMatching(/^transport (close|error)$/)]);
    }
  });

  it("get a 503 that a page may read, and no WebSocket that is accepted and then closed", async () => {
    await post(`/down/${what}`);
    await server.evict("hibernate");
    const headers = { origin: "https://page.example" };
    const url = `${server.url}/socket.io/?EIO=4&transport=`;
    const polling = await fetch(`${url}polling`, { headers });
    expect([polling.status, await polling.text()]).toEqual([503, ""]);
    expect(polling.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    expect(polling.headers.get("access-control-allow-origin")).toBe("https://page.example");
    const { socket } = join("4.8", "websocket");
    const opened: string[] = [];
    socket.io.on("open", () => opened.push("open"));
    const error = await within(
      new Promise<Error>((resolve) => socket.once("connect_error", resolve)),
      "error",
    );
    expect(error.message).toBe("websocket error");
    expect(opened).toEqual([]);
    expect(await post("/emit")).toMatch(
      /^socket\.io-edge: this object serves nobody, since its setup function failed \(no (database|adapter)\); it is tried again/,
    );
  });
});
