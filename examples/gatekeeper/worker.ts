import { Hono } from "hono";
import { type DefaultEventsMap, defineServer, type Server } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";
import { requireSecret, signToken, verifyToken } from "../private-messaging/token.ts";

/** Pages that may talk to this server. A browser cannot lie about `Origin`; anything else can, hence the token. */
const PAGES = ["https://chat.example", "http://localhost:5173"];

type Chat = Server<
  DefaultEventsMap,
  DefaultEventsMap,
  DefaultEventsMap,
  unknown,
  { handshake: { name: string } }
>;

/**
 * Everything about who may come in is decided in the Worker: who is refused never reaches a Durable Object, and costs
 * one request.
 */
const server = defineServer(
  {
    cors: { origin: PAGES },
    serveClient: clientFiles,
    async allowRequest(request, env, c) {
      const origin = request.headers.get("Origin");
      if (origin !== null && !PAGES.includes(origin)) return "this page may not connect";

      const name = await verifyToken(request._query.token, requireSecret(env.SECRET));
      c.set("name", name);
      return name !== undefined || "sign in first";
    },
    handshakeData: (_request, _env, c) => ({ name: c.var.name }),
  },
  (io: Chat) => {
    io.on("connection", (socket) => {
      const { name } = socket.handshake.data;
      socket.on("message", (text) => socket.broadcast.emit("message", name, text));
    });
  },
);

export class SessionObject extends server.SessionObject {}

const app = new Hono<{ Bindings: Cloudflare.Env }>();

const MINUTE = 60_000;
const TOO_MANY = "Too many connections from your address: try again in a minute.";

/** Addresses that guess session ids, and until when they have to wait. Each instance of the Worker knows its own. */
const guessing = new Map<string, number>();

/**
 * Handshakes are counted, and so is every request that a session refuses: its id may be made up. A session that is open
 * polls as often as it likes.
 */
app.use("/socket.io/*", async (c, next) => {
  const key = c.req.header("cf-connecting-ip") ?? "local";
  const mayAgain = async () => (await c.env.HANDSHAKES.limit({ key })).success;
  const opensSession = !c.req.query("sid");

  if ((guessing.get(key) ?? 0) > Date.now()) return c.text(TOO_MANY, 429);
  if (opensSession && !(await mayAgain())) return c.text(TOO_MANY, 429);
  await next();
  if (!opensSession && c.res.status === 400 && !(await mayAgain())) {
    if (guessing.size >= 10_000) guessing.clear();
    guessing.set(key, Date.now() + MINUTE);
  }
});

// For the page that tries this out. Yours asks for a password before it signs anything.
app.post("/login", async (c) => c.text(await signToken(await c.req.text(), requireSecret(c.env.SECRET))));
app.route("/", server.app);

export default app;
