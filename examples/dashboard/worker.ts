import { Hono } from "hono";
import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

const KEPT = 60;

interface Sample {
  [column: string]: string | number;
  at: number;
  visitors: number;
}

const dashboard = defineServer({ serveClient: clientFiles }, (io, { ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE IF NOT EXISTS samples (n INTEGER PRIMARY KEY, at INTEGER, visitors REAL)");

  // What `serverSideEmit` of an emitter says is heard here, in the object, and by no client.
  io.on("sample", (sample: Sample) => {
    sql.exec("INSERT INTO samples (at, visitors) VALUES (?, ?)", sample.at, sample.visitors);
    sql.exec("DELETE FROM samples WHERE n <= (SELECT max(n) FROM samples) - ?", KEPT);
    io.emit("sample", sample);
  });

  io.on("connection", (socket) => {
    socket.emit("samples", sql.exec<Sample>("SELECT at, visitors FROM samples ORDER BY n").toArray());
  });
});

export class SessionObject extends dashboard.SessionObject {}

const app = new Hono<{ Bindings: Cloudflare.Env }>();

// Anything that can make a request can report: a shop, another Worker, curl. Yours would ask for a token here.
app.post("/visitors", async (c) => {
  const { visitors } = await c.req.json<{ visitors: unknown }>();
  if (typeof visitors !== "number") return c.text('Send JSON: { "visitors": 42 }', 400);
  await dashboard.emitter(c.env).serverSideEmit("sample", { at: Date.now(), visitors });
  return c.text("thank you", 202);
});

app.post("/notify", async (c) => {
  await dashboard.emitter(c.env).emit("notification", (await c.req.text()).slice(0, 200));
  return c.text("thank you", 202);
});

app.route("/", dashboard.app);

export default {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    await dashboard.emitter(env).emit("notification", `It is ${new Date().toISOString().slice(11, 16)} UTC`);
  },
} satisfies ExportedHandler<Cloudflare.Env>;
