import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

const SHOWN = 100;
const LONGEST_TEXT = 2000;
const LONGEST_NAME = 40;

interface Message {
  [column: string]: string | number;
  number: number;
  name: string;
  text: string;
  at: number;
}

const chat = defineServer({ serveClient: clientFiles }, (io, { ctx }) => {
  const { sql } = ctx.storage;
  sql.exec(
    "CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY, name TEXT, text TEXT, at INTEGER)",
  );

  io.on("connection", (socket) => {
    const { name, after = 0 } = socket.handshake.auth;

    socket.on("say", (text) => {
      const said = String(text).slice(0, LONGEST_TEXT);
      const message = sql
        .exec<Message>(
          "INSERT INTO messages (name, text, at) VALUES (?, ?, ?) RETURNING *",
          String(name).slice(0, LONGEST_NAME),
          said,
          Date.now(),
        )
        .one();
      sql.exec("DELETE FROM messages WHERE number <= ?", message.number - SHOWN);
      io.emit("messages", [message]);
    });

    // Whoever comes, or comes back, gets what it has not seen. After a nap of the object this is not sent again.
    socket.emit(
      "messages",
      sql.exec<Message>("SELECT * FROM messages WHERE number > ? ORDER BY number", Number(after)).toArray(),
    );
  });
});

export class SessionObject extends chat.SessionObject {}
export default chat.app;
