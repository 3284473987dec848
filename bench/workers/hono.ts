import { Hono } from "hono";

/** The bare object behind a Hono app, which shows what the router costs. */
const app = new Hono<{ Bindings: { SESSIONS: DurableObjectNamespace } }>();
app.get("/socket.io/", (c) => c.env.SESSIONS.getByName("main").fetch(c.req.raw));

export { SessionObject } from "./control.ts";
export default app;
