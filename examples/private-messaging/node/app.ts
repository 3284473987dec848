import type { DefaultEventsMap, Server } from "socket.io";
import { verifyToken } from "../token.ts";

export interface Message {
  from: string;
  to: string;
  text: string;
}

export interface ClientEvents {
  "private message": (to: string, text: string, delivered: (online: boolean) => void) => void;
}

export interface ServerEvents {
  users: (names: string[]) => void;
  "user online": (name: string) => void;
  "user offline": (name: string) => void;
  "private message": (message: Message) => void;
}

export type Messenger = Server<ClientEvents, ServerEvents, DefaultEventsMap, { name: string }>;

/** Messages between two people, each of whom may have several tabs open: a room for every user reaches them all. */
export function privateMessaging(io: Messenger, secret: string): void {
  io.use(async (socket, next) => {
    const name = await verifyToken(socket.handshake.auth.token, secret);
    if (name === undefined) return next(new Error("not signed in"));
    socket.data.name = name;
    next();
  });

  io.on("connection", async (socket) => {
    const { name } = socket.data;

    socket.on("private message", async (to, text, delivered) => {
      socket.to([roomOf(to), roomOf(name)]).emit("private message", { from: name, to, text });
      delivered(await isOnline(io, to));
    });

    socket.on("disconnect", async () => {
      if (!(await isOnline(io, name))) io.emit("user offline", name);
    });

    const isFirstTab = !(await isOnline(io, name));
    socket.join(roomOf(name));
    if (isFirstTab) socket.broadcast.emit("user online", name);
    socket.emit("users", await namesOnline(io));
  });
}

function roomOf(name: string): string {
  return `user:${name}`;
}

/** Presence is read from the connections themselves, so there is no list that could go wrong, or be lost. */
async function isOnline(io: Messenger, name: string): Promise<boolean> {
  const tabs = await io.in(roomOf(name)).fetchSockets();
  return tabs.length > 0;
}

async function namesOnline(io: Messenger): Promise<string[]> {
  const sockets = await io.fetchSockets();
  return [...new Set(sockets.map((socket) => socket.data.name))].sort();
}
