import { type DefaultEventsMap, defineServer, type Server } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";
import { COLUMNS, drop, isWon, ROWS } from "./rules.ts";

interface Match {
  /** From the lower left, row by row: 0 and 1 are the players, null is free. */
  board: (0 | 1 | null)[];
  turn: 0 | 1;
  winner: 0 | 1 | "nobody" | null;
  /** The secrets of the two who play. Whoever comes later watches. */
  seats: string[];
}

type Game = Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, unknown, { data: { match: Match } }>;

const DAY = 24 * 60 * 60 * 1000;

const emptyBoard = () => Array<null>(COLUMNS * ROWS).fill(null);

const game = defineServer(
  {
    serveClient: clientFiles,
    // Each match is a server with an object of its own, wherever its first player is.
    name({ _query: { match } }) {
      if (/^[a-z0-9-]{1,40}$/.test(match ?? "")) return `match ${match}`;
      throw new Error("a match is named by letters, digits and dashes");
    },
    dataTtl: { match: DAY },
  },
  (io: Game) => {
    // A default: what was stored wins, after a nap and after a deploy.
    io.data.match ??= { board: emptyBoard(), turn: 0, winner: null, seats: [] };

    const tell = () => {
      const { seats, ...visible } = io.data.match;
      io.emit("match", { ...visible, players: seats.length });
    };

    io.on("connection", (socket) => {
      const player = String(socket.handshake.auth.player);
      const seat = () => io.data.match.seats.indexOf(player);

      socket.on("move", (column) => {
        const { board, turn, winner, seats } = io.data.match;
        if (winner !== null || seats.length < 2 || seat() !== turn) return;
        const place = drop(board, Number(column));
        if (place === undefined) return;
        board[place] = turn;
        const isFull = board.every((disc) => disc !== null);
        io.data.match.winner = isWon(board, place) ? turn : isFull ? "nobody" : null;
        io.data.match.turn = turn === 0 ? 1 : 0;
        tell();
      });

      socket.on("again", () => {
        if (io.data.match.winner === null || seat() < 0) return;
        io.data.match.board = emptyBoard();
        io.data.match.winner = null;
        tell();
      });

      if (seat() < 0 && io.data.match.seats.length < 2) io.data.match.seats.push(player);
      socket.emit("seat", seat());
      tell();
    });
  },
);

export class SessionObject extends game.SessionObject {}
export default game.app;
