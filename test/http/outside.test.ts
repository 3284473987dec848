import { fileURLToPath } from "node:url";
import { io, type Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { ask, connected } from "../support/clients.ts";
import { bundle, startWorker } from "../support/edge.ts";

const index = fileURLToPath(new URL("../../src/index.ts", import.meta.url));

/** A Worker that keeps what belongs to an instance of its object in variables of the module, and uses it elsewhere. */
const WORKER = `
import { Hono } from "hono";
import { defineServer } from ${JSON.stringify(index)};

const kept = {};
const actions = {
  "io.emit": () => kept.io.emit("news"),
  "io.to.emit": () => kept.io.to("room").emit("news"),
  "an operator that was kept": () => kept.operator.emit("news"),
  "io.of.emit": () => kept.io.of("/chat").emit("news"),
  "io.emitWithAck": () => kept.io.timeout(100).emitWithAck("news"),
  "io.fetchSockets": () => kept.io.fetchSockets(),
  "io.socketsJoin": () => kept.io.socketsJoin("room"),
  "io.disconnectSockets": () => kept.io.disconnectSockets(true),
  "socket.emit": () => kept.socket.emit("news"),
  "socket.broadcast.emit": () => kept.socket.broadcast.emit("news"),
  "socket.join": () => kept.socket.join("another"),
  "socket.disconnect": () => kept.socket.disconnect(),
  "socket.data": () => { kept.socket.data.name = "spoilt"; },
  "io.data": () => kept.io.data.games,
  "io.data.name = ...": () => { kept.io.data.name = "spoilt"; },
  "a Map of io.data": () => kept.games.set("a", 1),
  "socket.conn.send": () => kept.socket.conn.send("4"),
  "socket.conn.close": () => kept.socket.conn.close(),
  "io.close": () => kept.io.close(),
  "io.engine.close": () => kept.io.engine.close(),
  "io.engine.clientsCount": () => kept.io.engine.clientsCount,
  "io.engine.clients": () => kept.io.engine.clients,
  "io.sockets.sockets.size": () => kept.io.sockets.sockets.size,
  "io.sockets.sockets.get": () => kept.io.sockets.sockets.get("id"),
  "io.sockets.adapter.rooms": () => kept.io.sockets.adapter.rooms,
  "io.on": () => kept.io.on("connection", () => {}),
  "io.use": () => kept.io.use(() => {}),
  "io.of": () => kept.io.of("/late"),
  "socket.on": () => kept.socket.on("late", () => {}),
  "this.ready": () => kept.object.ready(),
  "this.io": () => kept.object.io,
};

const chat = defineServer({}, (io) => {
  kept.io ??= io;
  io.data.games ??= new Map();
  kept.games ??= io.data.games;
  kept.operator ??= io.to("room");
  io.of("/chat").on("connection", (socket) => {
    socket.join("room");
    socket.on("sync", (ack) => ack("done"));
    socket.on("keep", (ack) => {
      kept.socket = socket;
      ack();
    });
  });
});
async function act(name) {
  try {
    await actions[name]();
    return "done";
  } catch (error) {
    return error.message;
  }
}
export class SessionObject extends chat.SessionObject {
  keep() { kept.object = this; }
  act(name) { return act(name); }
}
export class Other extends chat.SessionObject {}
const app = new Hono();
app.get("/route", async (c) => c.text(await act(c.req.query("action"))));
app.get("/method", async (c) => c.text(await c.env.SESSIONS.getByName(c.req.query("object")).act(c.req.query("action"))));
app.get("/keep", async (c) => {
  await c.env.SESSIONS.getByName(c.req.query("object")).keep();
  return c.text("kept");
});
app.get("/ready", async (c) => {
  await c.env.SESSIONS.getByName(c.req.query("object")).ready();
  return c.text("ready");
});
app.route("/", chat.app);
export default app;
`;

const actions = {
  "io.emit": 'io of namespace "/"',
  "io.to.emit": 'io of namespace "/"',
  "an operator that was kept": 'io of namespace "/"',
  "io.of.emit": 'io of namespace "/chat"',
  "io.emitWithAck": 'io of namespace "/"',
  "io.fetchSockets": 'io of namespace "/"',
  "io.socketsJoin": 'io of namespace "/"',
  "io.disconnectSockets": 'io of namespace "/"',
  "socket.emit": 'a socket of namespace "/chat"',
  "socket.broadcast.emit": 'io of namespace "/chat"',
  "socket.join": 'a socket of namespace "/chat"',
  "socket.disconnect": 'a socket of namespace "/chat"',
  "socket.data": "io, a socket or a session",
  "io.data": 'io.data of namespace "/"',
  "io.data.name = ...": 'io.data of namespace "/"',
  "a Map of io.data": "io.data",
  "socket.conn.send": "a session",
  "socket.conn.close": "a session",
  "io.close": "io",
  "io.engine.close": "the engine",
  "io.engine.clientsCount": "the engine",
  "io.engine.clients": "the engine",
  "io.sockets.sockets.size": "io",
  "io.sockets.sockets.get": "io",
  "io.sockets.adapter.rooms": 'io of namespace "/"',
  "io.on": "io or a socket",
  "io.use": "io or a socket",
  "io.of": "io or a socket",
  "socket.on": "io or a socket",
};

describe.each(["websocket", "polling"] as const)(
  "what belongs to an instance and is used outside of it (%s)",
  (transport) => {
    let server: Running;
    let socket: Socket;
    const heard: unknown[][] = [];

    beforeAll(async () => {
      server = await startWorker(await bundle(WORKER));
      socket = io(`${server.url}/chat`, { transports: [transport], forceNew: true });
      await connected(socket);
      socket.onAny((...args) => heard.push(args));
      await ask(socket, "keep");
    });
    afterEach(async () => {
      // No client has received anything, and none has been disconnected.
      expect(await ask(socket, "sync")).toBe("done");
      expect(heard).toEqual([]);
      expect(server.complaints).toEqual([]);
    });
    afterAll(async () => {
      socket?.disconnect();
      await server?.close();
    });

    const get = async (path: string) => (await fetch(server.url + path)).text();
    const toMessage = (what: string, object = "main") =>
      `${what} was used outside the instance of object "${object}" that it belongs to: in a route, in another object, or ` +
      "after that instance had ended. Do not keep it in a variable of a module. Where it was used, call " +
      "server.emitter(env), or call a method of the object's class";

    it.each(Object.entries(actions))(
      "in a route: %s throws, and the error says what to write instead",
      async (action, what) => {
        expect(await get(`/route?action=${encodeURIComponent(action)}`)).toBe(toMessage(what));
      },
    );

    it.each(["this.ready", "this.io"])(
      "in a route: %s of an object that is not yet set up throws without harm",
      async (action) => {
        const object = `of ${action}`;
        await get(`/keep?object=${object}`);
        const message = await get(`/route?action=${action}`);
        expect(message).toContain(toMessage("this.io, this.engine or this.ready()", object));
        expect(await get(`/ready?object=${object}`)).toBe("ready");
      },
    );

    it.each(["io.emit", "socket.emit", "io.disconnectSockets"] as const)(
      "in another object: %s throws",
      async (action) => {
        expect(await get(`/method?object=other&action=${action}`)).toBe(toMessage(actions[action]));
      },
    );

    it.each(["io.to.emit", "socket.emit", "socket.disconnect", "io.engine.clientsCount", "io.on"] as const)(
      "in a later instance of the same object: %s throws",
      async (action) => {
        await server.evict("hibernate");
        expect(await get(`/method?object=main&action=${action}`)).toBe(toMessage(actions[action]));
      },
    );
  },
);
