import { Hono } from "hono";
import { defineServer } from "socket.io-edge";

const server = defineServer({}, (io) => {
  io.on("connection", (socket) => {
    socket.on("watch", (sensor: string) => socket.join(`sensor:${sensor}`));
  });
});

export class SessionObject extends server.SessionObject {}

const app = new Hono<{ Bindings: Cloudflare.Env }>();

app.post("/readings/:sensor", async (c) => {
  if (c.req.header("authorization") !== `Bearer ${c.env.SECRET}`) return c.text("not allowed", 403);
  const { celsius } = await c.req.json<{ celsius: unknown }>();
  if (typeof celsius !== "number") return c.text("celsius has to be a number", 400);
  const sensor = c.req.param("sensor");
  await server.emitter(c.env).to(`sensor:${sensor}`).emit("reading", { sensor, celsius });
  return c.body(null, 202);
});

app.route("/", server.app);

export default {
  fetch: app.fetch,
  // The same from a cron trigger; a queue consumer does it in its method `queue`.
  async scheduled(event: ScheduledController, env: Cloudflare.Env): Promise<void> {
    await server.emitter(env).emit("hourly", event.scheduledTime);
  },
};
