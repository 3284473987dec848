import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { ask, clients, connected, modeOptions, modes, nextEvent } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { http } from "../support/http.ts";

/** A server for each tenant, which returns on request what it has recorded of one. */
const WORKER = `
import { Hono } from "hono";
import { defineServer } from "../../src/index.ts";

let asked = [];
const names = {
  number: () => 7,
  empty: () => "",
  nothing: () => undefined,
  long: () => "x".repeat(257),
  surrogate: () => "\\ud800",
  throw: () => { throw new Error("secret of the log"); },
};
const server = defineServer(
  {
    allowRequest: ({ _query }) => _query.tenant !== "forbidden",
    handshakeData: async ({ _query }) => ({ tenant: _query.tenant, from: "handshakeData" }),
    name: async (request, env, data) => {
      asked.push([request.url.includes("tenant"), "SESSIONS" in env, data]);
      return names[data.tenant]?.() ?? (data.tenant in names ? undefined : data.tenant);
    },
  },
  (io, { name, shard }) => {
    io.on("connection", (socket) => {
      socket.join("room");
      socket.on("who", (answer) => answer({ name, shard }));
      socket.on("say", (text) => io.to("room").emit("said", text));
    });
  },
);
export class SessionObject extends server.SessionObject {
  async announce(text) {
    await this.ready();
    this.io.emit("announced", this.name, text);
    return this.io.engine.clientsCount;
  }
}
const app = new Hono();
app.get("/asked", (c) => { const was = asked; asked = []; return c.json(was); });
app.get("/announce/:name", async (c) => c.json(await server.object(c.env, { name: c.req.param("name") }).announce("hear")));
app.get("/emit/:name", async (c) => {
  await server.emitter(c.env, { name: c.req.param("name") }).emit("emitted");
  return c.text("done");
});
app.route("/", server.app);
export default app;
`;

let server: Running;
beforeAll(async () => {
  server = await startWorker(await bundle(WORKER));
});
afterAll(() => server?.close());

const get = async (path: string) => (await fetch(server.url + path)).text();

async function join(tenant: string, mode: keyof typeof modes = "default") {
  const socket = clients["4.8"](server.url, { ...modeOptions(mode), query: { tenant }, forceNew: true });
  const heard: unknown[][] = [];
  socket.onAny((...event) => heard.push(event));
  await connected(socket);
  return { socket, heard };
}

describe("the option name", () => {
  it.each(Object.keys(modes) as (keyof typeof modes)[])(
    "gives each name a server of its own (%s)",
    async (mode) => {
      const [ann, bob, eve] = await Promise.all([join("red", mode), join("red", mode), join("blue", mode)]);
      expect(await ask(ann.socket, "who")).toEqual({ name: "red", shard: "0" });
      expect(await ask(eve.socket, "who")).toEqual({ name: "blue", shard: "0" });
      const said = nextEvent(bob.socket, "said");
      ann.socket.emit("say", "hello");
      expect(await said).toEqual(["hello"]);
      expect(await get("/announce/red")).toBe("2");
      expect(await get("/emit/red")).toBe("done");
      expect(await get("/announce/blue")).toBe("1");
      await ask(ann.socket, "who");
      await ask(eve.socket, "who");
      expect(ann.heard).toEqual([["said", "hello"], ["announced", "red", "hear"], ["emitted"]]);
      expect(eve.heard).toEqual([["announced", "blue", "hear"]]);
      for (const { socket } of [ann, bob, eve]) socket.disconnect();
    },
  );

  it("is called once per handshake, after allowRequest and with the result of handshakeData", async () => {
    await get("/asked");
    const { socket } = await join("green", "polling");
    await ask(socket, "who");
    socket.disconnect();
    expect(JSON.parse(await get("/asked"))).toEqual([
      [true, true, { tenant: "green", from: "handshakeData" }],
    ]);
    const { status } = await http(server, "/socket.io/?EIO=4&transport=polling&tenant=forbidden");
    expect(status).toBe(403);
    expect(await get("/asked")).toBe("[]");
  });

  it.each(["number", "empty", "nothing", "long", "surrogate"])(
    "refuses a client with 400 when the name that it returns is invalid (%s)",
    async (tenant) => {
      const { status, body } = await http(server, `/socket.io/?EIO=4&transport=polling&tenant=${tenant}`);
      expect([status, body]).toEqual([400, '{"code":3,"message":"Bad request"}']);
    },
  );

  it("refuses a client with 403, without the reason, when it throws", async () => {
    const { status, body } = await http(server, "/socket.io/?EIO=4&transport=polling&tenant=throw");
    expect([status, body]).toEqual([403, '{"code":4,"message":"Forbidden"}']);
  });
});
