import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

/** Lines that are kept. The oldest goes when there are more. */
const KEPT = 5000;
const LONGEST_STROKE = 20_000;

const board = defineServer({ serveClient: clientFiles }, (io, { ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE IF NOT EXISTS strokes (n INTEGER PRIMARY KEY, stroke TEXT)");

  io.on("connection", (socket) => {
    // While somebody draws, others see it at once. What is lost on the way comes with the whole stroke.
    socket.on("drawing", (part) => socket.volatile.broadcast.emit("drawing", part));

    socket.on("stroke", (stroke) => {
      const text = JSON.stringify(stroke);
      if (text.length > LONGEST_STROKE) return;
      sql.exec("INSERT INTO strokes (stroke) VALUES (?)", text);
      sql.exec("DELETE FROM strokes WHERE n <= (SELECT max(n) FROM strokes) - ?", KEPT);
      socket.broadcast.emit("stroke", stroke);
    });

    socket.on("clear", () => {
      sql.exec("DELETE FROM strokes");
      io.emit("board", []);
    });

    const strokes = sql.exec<{ stroke: string }>("SELECT stroke FROM strokes ORDER BY n").toArray();
    socket.emit(
      "board",
      strokes.map(({ stroke }) => JSON.parse(stroke)),
    );
  });
});

export class SessionObject extends board.SessionObject {}
export default board.app;
