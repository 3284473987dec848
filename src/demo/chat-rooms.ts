import type { DefaultEventsMap, Server } from "../index.ts";

export interface Line {
  from: string;
  text: string;
  at: number;
}

export interface ClientEvents {
  /** Goes to a room, leaving the one before; answers with who is there. */
  enter: (room: string, name: string, answer: (people: string[]) => void) => void;
  say: (text: string) => void;
  typing: (isTyping: boolean) => void;
}

export interface ServerEvents {
  line: (line: Line) => void;
  typing: (name: string, isTyping: boolean) => void;
  people: (names: string[]) => void;
}

export interface Person {
  name: string;
  room?: string;
}

export type ChatServer = Server<ClientEvents, ServerEvents, DefaultEventsMap, Person>;

const LONGEST_NAME = 30;
const LONGEST_TEXT = 2000;

/** Chat rooms. All that has to survive a nap lies in `socket.data` and in the rooms themselves, so nothing is kept in a variable. */
export function chatRooms(io: ChatServer): void {
  io.on("connection", (socket) => {
    socket.on("enter", async (room, name, answer) => {
      const previous = socket.data.room;
      socket.data.name = clean(name, LONGEST_NAME) || "somebody";
      socket.data.room = roomOf(clean(room, LONGEST_NAME) || "lobby");
      if (previous !== undefined && previous !== socket.data.room) {
        socket.leave(previous);
        await tellPeople(io, previous);
      }
      socket.join(socket.data.room);
      answer(await tellPeople(io, socket.data.room));
    });

    socket.on("say", (text) => {
      const { name, room } = socket.data;
      const said = clean(text, LONGEST_TEXT);
      if (room !== undefined && said !== "")
        io.to(room).emit("line", { from: name, text: said, at: Date.now() });
    });

    socket.on("typing", (isTyping) => {
      const { name, room } = socket.data;
      if (room !== undefined) socket.volatile.to(room).emit("typing", name, isTyping === true);
    });

    socket.on("disconnect", async () => {
      if (socket.data.room !== undefined) await tellPeople(io, socket.data.room);
    });
  });
}

/** Every socket is also in a room named by its own id: a prefix keeps visitors out of those. */
function roomOf(name: string): string {
  return `room:${name.toLowerCase()}`;
}

/** Clients may send anything, whatever the types say. */
function clean(text: unknown, longest: number): string {
  return typeof text === "string" ? text.trim().slice(0, longest) : "";
}

async function tellPeople(io: ChatServer, room: string): Promise<string[]> {
  const sockets = await io.in(room).fetchSockets();
  const names = sockets.map((socket) => socket.data.name).sort();
  io.to(room).emit("people", names);
  return names;
}
