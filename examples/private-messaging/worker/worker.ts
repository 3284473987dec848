import { Hono } from "hono";
import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";
import { requireSecret, signToken } from "../token.ts";
import { type Messenger, privateMessaging } from "./app.ts";

const server = defineServer(
  { cors: { origin: "https://messenger.example" }, serveClient: clientFiles },
  (io: Messenger, { env }) => {
    privateMessaging(io, requireSecret(env.SECRET));
  },
);

export class SessionObject extends server.SessionObject {}

const app = new Hono<{ Bindings: Cloudflare.Env }>();

// For the page that tries this out. Yours asks for a password before it signs anything.
app.post("/login", async (c) => c.text(await signToken(await c.req.text(), requireSecret(c.env.SECRET))));
app.route("/", server.app);

export default app;
