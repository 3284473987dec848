import { httpServerHandler } from "cloudflare:node";
import { env } from "cloudflare:workers";
import { createServer } from "node:http";
import express from "express";
import { defineServer } from "socket.io-edge";

const chat = defineServer({}, (io) => {
  io.on("connection", (socket) => {
    socket.on("message", (text) => io.emit("message", text));
  });
});

export class SessionObject extends chat.SessionObject {}

// The routes are as they were. They run in the Worker, so they have no `io`, and emit by way of an emitter.
const app = express();
app.use(express.json());
app.get("/health", (_req, res) => {
  res.json({ ok: true });
});
app.post("/announce", async (req, res) => {
  await chat.emitter(env).emit("message", req.body.text);
  res.status(202).end();
});

// Where the app listened on a port, it is handed to the Worker.
const routes = httpServerHandler(createServer(app));

export default {
  fetch: (request, env, ctx) =>
    new URL(request.url).pathname.startsWith("/socket.io/")
      ? chat.app.fetch(request, env, ctx)
      : routes.fetch(request, env, ctx),
};
