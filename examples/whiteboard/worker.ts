import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

/** How many strokes are kept. The oldest is removed when there are more. */
const KEPT = 5000;
const MOST_POINTS = 1000;

interface Stroke {
  colour: string;
  width: number;
  points: [number, number][];
}

const board = defineServer({ serveClient: clientFiles }, (io, { ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE IF NOT EXISTS strokes (n INTEGER PRIMARY KEY, stroke TEXT)");

  io.on("connection", (socket) => {
    // While somebody draws, others see it at once. What gets lost on the way comes with the whole stroke.
    socket.on("drawing", (part) => {
      if (isStroke(part)) socket.volatile.broadcast.emit("drawing", part);
    });

    socket.on("stroke", (stroke) => {
      if (!isStroke(stroke)) return;
      sql.exec("INSERT INTO strokes (stroke) VALUES (?)", JSON.stringify(stroke));
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

/** Clients may send anything, and what is stored here is drawn by every page. */
function isStroke(value: unknown): value is Stroke {
  const { colour, width, points } = (value ?? {}) as Partial<Record<keyof Stroke, unknown>>;
  if (typeof colour !== "string" || !/^#[0-9a-f]{6}$/i.test(colour)) return false;
  if (typeof width !== "number" || !Array.isArray(points) || points.length > MOST_POINTS) return false;
  return points.every((point) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite));
}

export class SessionObject extends board.SessionObject {}
export default board.app;
