import type { DefaultEventsMap, Server, SetupContext, Socket } from "../index.ts";
import { type Face, History, type Line } from "./history.ts";
import { type Facts, Ledger } from "./ledger.ts";

/** What a visitor sees on entering a room. */
export interface View {
  you: Face;
  people: Face[];
  lines: Line[];
  facts: Facts;
}

export interface ClientEvents {
  /** Moves to a room under a name, and leaves the room before. */
  enter: (room: string, name: string, answer: (view: View) => void) => void;
  /** Contains the room, because it may have been typed offline in another one. The id is created by the page. */
  say: (room: string, id: string, text: string, answer: (at: number, facts: Facts) => void) => void;
  typing: (isTyping: boolean) => void;
}

export interface ServerEvents {
  welcome: (view: View) => void;
  line: (line: Line, facts: Facts) => void;
  typing: (from: Face, isTyping: boolean) => void;
  people: (people: Face[]) => void;
  facts: (facts: Facts) => void;
}

export interface Person extends Face {
  room: string;
}

export type ChatServer = Server<ClientEvents, ServerEvents, DefaultEventsMap, Person>;
type ChatSocket = Socket<ClientEvents, ServerEvents, DefaultEventsMap, Person>;

const LONGEST_NAME = 30;
const LONGEST_ID = 60;
const LONGEST_TEXT = 2000;
/** What the object has done is sent to all pages, but not at each key press. */
const FACTS_EVERY_MS = 1000;

/**
 * Chat rooms. What has to survive a nap is in `socket.data`, in the rooms themselves, or in the object's storage, so
 * nothing is kept in a variable.
 */
export function chatRooms(io: ChatServer, { ctx }: Pick<SetupContext, "ctx">): void {
  const history = new History(ctx.storage.sql);
  const ledger = new Ledger(ctx.storage);
  let toldAt = 0;

  function tellFacts(): void {
    if (Date.now() - toldAt < FACTS_EVERY_MS) return;
    toldAt = Date.now();
    io.volatile.emit("facts", ledger.facts());
  }

  async function tellPeople(room: string): Promise<Face[]> {
    const people = await peopleIn(io, room);
    io.to(room).emit("people", people);
    return people;
  }

  async function enter(socket: ChatSocket, room: unknown, name: unknown): Promise<View> {
    const { data } = socket;
    const previous = data.room;
    data.name = clean(name, LONGEST_NAME) || "somebody";
    data.room = roomOf(room);
    if (previous !== undefined && previous !== data.room) socket.leave(previous);
    socket.join(data.room);
    if (previous !== undefined && previous !== data.room) await tellPeople(previous);
    const you = faceOf(data);
    return { you, people: await tellPeople(data.room), lines: history.of(data.room), facts: ledger.facts() };
  }

  io.on("connection", async (socket) => {
    const transport = () => socket.conn.transport.name;

    socket.on("enter", async (room, name, answer) => {
      ledger.heard(transport());
      answer(await enter(socket, room, name));
      tellFacts();
    });

    socket.on("say", (room, id, text, answer) => {
      const line = {
        id: clean(id, LONGEST_ID),
        from: faceOf(socket.data),
        text: clean(text, LONGEST_TEXT),
        at: Date.now(),
      };
      const rows = line.text === "" || line.id === "" ? 0 : history.add(roomOf(room), line);
      ledger.heard(transport(), rows);
      // No row is written for a repetition, but it is acknowledged, because the page has missed the first answer.
      if (rows > 0) socket.to(roomOf(room)).emit("line", line, ledger.facts());
      answer(line.at, ledger.facts());
      tellFacts();
    });

    socket.on("typing", (isTyping) => {
      ledger.heard(transport());
      socket.volatile.to(socket.data.room).emit("typing", faceOf(socket.data), isTyping === true);
      tellFacts();
    });

    socket.on("disconnect", async () => {
      ledger.heard(transport());
      await tellPeople(socket.data.room);
      tellFacts();
    });

    // After a nap only the listeners above are needed, because everything below has kept its state.
    if (socket.recovered) return;
    const { visitor, name, room } = socket.handshake.auth;
    socket.data.mark = markOf(clean(visitor, LONGEST_ID) || socket.id);
    ledger.connected(transport(), io.engine.clientsCount === 1);
    // This is sent before anything that was typed offline, because this client's packets wait for its listener.
    socket.emit("welcome", await enter(socket, room, name));
    tellFacts();
  });
}

async function peopleIn(io: ChatServer, room: string): Promise<Face[]> {
  const sockets = await io.in(room).fetchSockets();
  const faces = new Map(sockets.map(({ data }) => [data.mark, faceOf(data)]));
  return [...faces.values()].sort((a, b) => a.name.localeCompare(b.name) || a.mark.localeCompare(b.mark));
}

function faceOf({ name, mark }: Face): Face {
  return { name, mark };
}

/**
 * A few letters that only a page which knows the visitor's id can produce. Others see these letters, and not the id.
 */
function markOf(visitor: string): string {
  let hash = 0x811c9dc5;
  for (const char of visitor) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return (hash >>> 0).toString(36).padStart(4, "0").slice(-4);
}

/** Every socket is also in a room that is named by its own id; a prefix keeps visitors out of those rooms. */
function roomOf(name: unknown): string {
  return `room:${(clean(name, LONGEST_NAME) || "lobby").toLowerCase()}`;
}

/** Clients may send anything, whatever the types say. */
function clean(text: unknown, longest: number): string {
  return typeof text === "string" ? text.trim().slice(0, longest) : "";
}
