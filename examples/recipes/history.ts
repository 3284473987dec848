import { defineServer } from "socket.io-edge";

const server = defineServer({}, (io, { ctx }) => {
  const { sql } = ctx.storage;
  sql.exec(`
    CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, room TEXT, name TEXT, text TEXT);
    CREATE INDEX IF NOT EXISTS messages_of_room ON messages (room, id);
  `);

  io.on("connection", (socket) => {
    socket.on("join", (room: string, name: string) => {
      socket.data.name = name;
      socket.join(room);
      const last = sql.exec(
        "SELECT name, text FROM (SELECT * FROM messages WHERE room = ? ORDER BY id DESC LIMIT 100) ORDER BY id",
        room,
      );
      socket.emit("history", last.toArray());
    });

    socket.on("message", (room: string, text: string) => {
      if (!socket.rooms.has(room)) return;
      const { name } = socket.data;
      sql.exec("INSERT INTO messages (room, name, text) VALUES (?, ?, ?)", room, name, text);
      // What is older than the last hundred.
      sql.exec(
        "DELETE FROM messages WHERE room = ?1 AND id <= (SELECT id FROM messages WHERE room = ?1 ORDER BY id DESC LIMIT 1 OFFSET 100)",
        room,
      );
      io.to(room).emit("message", { name, text });
    });
  });
});

export class SessionObject extends server.SessionObject {}

export default server.app;
