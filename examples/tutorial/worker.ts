import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

const server = defineServer({ connectionStateRecovery: {}, serveClient: clientFiles }, (io, { ctx }) => {
  const { sql } = ctx.storage;
  sql.exec(
    "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, client_offset TEXT UNIQUE, content TEXT)",
  );

  io.on("connection", (socket) => {
    socket.on("chat message", (msg, clientOffset, callback) => {
      const [row] = sql.exec<{ id: number }>(
        "INSERT INTO messages (content, client_offset) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id",
        String(msg),
        String(clientOffset),
      );
      // No row means that this message was inserted before, and that only its acknowledgement got lost.
      if (row !== undefined) io.emit("chat message", msg, row.id);
      callback();
    });

    if (!socket.recovered) {
      const offset = Number(socket.handshake.auth.serverOffset ?? 0);
      const rows = sql.exec<{ id: number; content: string }>(
        "SELECT id, content FROM messages WHERE id > ?",
        offset,
      );
      for (const { id, content } of rows) socket.emit("chat message", content, id);
    }
  });
});

export class SessionObject extends server.SessionObject {}
export default server.app;
