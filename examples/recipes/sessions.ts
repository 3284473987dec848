import { Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { type DefaultEventsMap, defineServer } from "socket.io-edge";

interface Session {
  user: string;
  visits: number;
}

type Any = DefaultEventsMap;

const DAY_MS = 24 * 60 * 60 * 1000;

const server = defineServer<Any, Any, Any, { sid: string }, { data: { sessions: Map<string, Session> } }>(
  // A session ends a day after its last change.
  { dataTtl: { sessions: DAY_MS } },
  (io) => {
    io.data.sessions ??= new Map();

    io.use((socket, next) => {
      const sid = /(?:^|; )session=([\w-]+)/.exec(socket.handshake.headers.cookie ?? "")?.[1] ?? "";
      const session = io.data.sessions.get(sid);
      if (session === undefined) return next(new Error("log in first"));
      socket.data.sid = sid;
      // Rooms by which routes reach all tabs of a session, and all sessions of a user.
      socket.join([`session:${sid}`, `user:${session.user}`]);
      next();
    });

    io.on("connection", (socket) => {
      // Whenever it is looked at, the session is as it is now: there is nothing to reload.
      socket.on("visit", (answer: (visits: number) => void) => {
        const session = io.data.sessions.get(socket.data.sid);
        if (session !== undefined) answer(++session.visits);
      });
    });
  },
);

export class SessionObject extends server.SessionObject {
  async logIn(user: string): Promise<string> {
    await this.ready();
    const sid = crypto.randomUUID();
    this.io.data.sessions.set(sid, { user, visits: 0 });
    return sid;
  }

  async whoIs(sid: string): Promise<Session | undefined> {
    await this.ready();
    return this.io.data.sessions.get(sid);
  }

  async logOut(sid: string): Promise<void> {
    await this.ready();
    this.io.data.sessions.delete(sid);
    this.io.in(`session:${sid}`).disconnectSockets(true);
  }
}

const app = new Hono<{ Bindings: Cloudflare.Env }>();
const sessions = (env: Cloudflare.Env) => server.object<SessionObject>(env);

app.post("/login", async (c) => {
  const { user, password } = await c.req.json<{ user: string; password: string }>();
  // Ask your own users here.
  if (password !== c.env.SECRET) return c.text("wrong password", 401);
  const sid = await sessions(c.env).logIn(user);
  setCookie(c, "session", sid, { httpOnly: true, secure: true, sameSite: "Lax", maxAge: DAY_MS / 1000 });
  return c.body(null, 204);
});

app.get("/me", async (c) => {
  const session = await sessions(c.env).whoIs(getCookie(c, "session") ?? "");
  return session === undefined ? c.text("log in first", 401) : c.json(session);
});

app.post("/logout", async (c) => {
  await sessions(c.env).logOut(getCookie(c, "session") ?? "");
  deleteCookie(c, "session", { secure: true });
  return c.body(null, 204);
});

app.post("/kick/:user", async (c) => {
  if (c.req.header("authorization") !== `Bearer ${c.env.SECRET}`) return c.text("not allowed", 403);
  await server
    .emitter(c.env)
    .in(`user:${c.req.param("user")}`)
    .disconnectSockets(true);
  return c.body(null, 204);
});

app.route("/", server.app);

export default app;
