import { Hono } from "hono";
import { clientFiles } from "../client-files.ts";
import { defineServer } from "../index.ts";
import { chatRooms } from "./chat-rooms.ts";
import firstLook from "./first-look.html";
import page from "./page.html";
import smallClient from "./small-client.txt";

const chat = defineServer({ serveClient: clientFiles }, chatRooms);

export class SessionObject extends chat.SessionObject {}

const app = new Hono();

/** Two chats side by side, for a visitor who is alone. */
app.get("/", (c) => c.html(firstLook));

app.get("/chat", (c) => c.html(page));

/** Our own small client, for `/chat?client=small`. */
app.get("/small-client.js", (c) =>
  c.body(smallClient, 200, { "Content-Type": "text/javascript; charset=utf-8" }),
);

app.route("/", chat.app);

export default app;
