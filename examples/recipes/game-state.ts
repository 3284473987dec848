import { type DefaultEventsMap, defineServer } from "socket.io-edge";

interface Game {
  players: string[];
  moves: string[];
}

type Any = DefaultEventsMap;

const server = defineServer<Any, Any, Any, unknown, { data: { games: Map<string, Game> } }>(
  // A game that nobody has touched for a day is removed.
  { dataTtl: { games: 24 * 60 * 60 * 1000 } },
  (io) => {
    // A default: games that were stored win.
    io.data.games ??= new Map();

    io.on("connection", (socket) => {
      socket.on("join", (id: string, name: string, answer: (game: Game) => void) => {
        if (!io.data.games.has(id)) io.data.games.set(id, { players: [], moves: [] });
        const game = io.data.games.get(id) as Game;
        if (!game.players.includes(name)) game.players.push(name);
        socket.join(id);
        answer(game);
      });

      socket.on("move", (id: string, move: string) => {
        if (!socket.rooms.has(id)) return;
        io.data.games.get(id)?.moves.push(move);
        io.to(id).emit("moved", move);
      });
    });
  },
);

export class SessionObject extends server.SessionObject {}

export default server.app;
