import { Hono } from "hono";
import { defineServer } from "socket.io-edge";
import { verifyToken } from "../private-messaging/token.ts";

/** Pages that may talk to this server. A browser cannot lie about `Origin`; anything else can, hence the token. */
const PAGES = ["https://chat.example", "http://localhost:5173"];

/** Everything in this object is decided in the Worker: who is refused never reaches a Durable Object, and costs one request. */
const server = defineServer(
  {
    cors: { origin: PAGES },
    async allowRequest(request, env) {
      const origin = request.headers.get("Origin");
      if (origin !== null && !PAGES.includes(origin)) return "this page may not connect";

      const token = new URL(request.url).searchParams.get("token");
      const name = await verifyToken(token, env.SECRET ?? "only for your own machine");
      return name !== undefined || "sign in first";
    },
  },
  (io) => {
    io.on("connection", (socket) => {
      socket.on("message", (text) => socket.broadcast.emit("message", text));
    });
  },
);

export class SessionObject extends server.SessionObject {}

const app = new Hono<{ Bindings: Cloudflare.Env }>();

/** Only handshakes are counted: a session that is open polls as often as it likes. An empty `sid` opens one, and the last counts. */
app.use("/socket.io/*", async (c, next) => {
  if (!c.req.queries("sid")?.at(-1)) {
    const { success } = await c.env.HANDSHAKES.limit({ key: c.req.header("cf-connecting-ip") ?? "local" });
    if (!success) return c.text("Too many connections from your address: try again in a minute.", 429);
  }
  return next();
});

app.route("/", server.app);

export default app;
