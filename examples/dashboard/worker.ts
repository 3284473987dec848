import { Hono } from "hono";
import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

/** Numbers that are kept, of all series together. */
const KEPT = 200;

interface Sample {
  [column: string]: string | number;
  series: string;
  at: number;
  value: number;
}

const dashboard = defineServer({ serveClient: clientFiles }, (io, { ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE IF NOT EXISTS samples (n INTEGER PRIMARY KEY, series TEXT, at INTEGER, value REAL)");

  // What `serverSideEmit` of an emitter says is heard here, in the object, and by no client.
  io.on("sample", (sample: Sample) => {
    sql.exec(
      "INSERT INTO samples (series, at, value) VALUES (?, ?, ?)",
      sample.series,
      sample.at,
      sample.value,
    );
    sql.exec("DELETE FROM samples WHERE n <= (SELECT max(n) FROM samples) - ?", KEPT);
    io.emit("sample", sample);
  });

  io.on("connection", (socket) => {
    socket.emit("samples", sql.exec<Sample>("SELECT series, at, value FROM samples ORDER BY n").toArray());
  });
});

export class SessionObject extends dashboard.SessionObject {}

const report = (env: Cloudflare.Env, series: string, value: number) =>
  dashboard.emitter(env).serverSideEmit("sample", { series, at: Date.now(), value });

const app = new Hono<{ Bindings: Cloudflare.Env }>();

// Anything that can make a request can report: a shop, another Worker, curl. Yours would ask for a token here.
app.post("/report/:series{[a-z]{1,20}}", async (c) => {
  const value = Number((await c.req.text()) || Number.NaN);
  if (!Number.isFinite(value))
    return c.text("Send a number: curl -d 42 http://localhost:8787/report/visitors", 400);
  await report(c.env, c.req.param("series"), value);
  return c.text("thank you", 202);
});

app.post("/notify", async (c) => {
  await dashboard.emitter(c.env).emit("notification", (await c.req.text()).slice(0, 200));
  return c.text("thank you", 202);
});

app.route("/", dashboard.app);

export default {
  fetch: app.fetch,
  /** Each minute: how many look at this dashboard. Nobody has to ask, and the object sleeps in between. */
  async scheduled(_controller, env) {
    const watching = await dashboard.emitter(env).fetchSockets();
    await report(env, "watching", watching.length);
  },
} satisfies ExportedHandler<Cloudflare.Env>;
