import { defineServer } from "../../src/index.ts";

/** About 1 kB, as a game or a document might have it. */
function createState() {
  return {
    name: "a game",
    round: 0,
    players: Array.from({ length: 10 }, (_, i) => ({
      id: `player ${i}`,
      score: i,
      moves: ["e4", "e5", "Nf3"],
    })),
    text: "x".repeat(300),
  };
}

/** A message changes a property of 1 kB: by itself, stored by hand, or in `io.data`. */
const server = defineServer({}, (io, { ctx }) => {
  const state = createState();
  io.data.state = createState();
  io.data.games = { first: createState() };
  io.on("connection", (socket) => {
    socket.on("nothing", (n) => {
      state.round = n;
      socket.emit("done");
    });
    socket.on("put", (n) => {
      state.round = n;
      ctx.storage.kv.put("state", state);
      socket.emit("done");
    });
    socket.on("property", (n) => {
      io.data.state.round = n;
      socket.emit("done");
    });
    socket.on("entry", (n) => {
      io.data.games.first.round = n;
      socket.emit("done");
    });
  });
});

export class SessionObject extends server.SessionObject {}

export default server.app;
