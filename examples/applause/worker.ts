import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

/** What a page may send up. */
const FACES = new Set(["★", "♪", "☺", "✓", "♥"]);
/** Hands that clap within this time are shown together, ms: four messages a second, however large the audience is. */
const TOGETHER_MS = 250;

/**
 * One room for everybody who watches a show: more than one object takes, so the server is spread over four of them.
 * What `io` says reaches all, and each object counts the hands of its own clients.
 */
const show = defineServer({ shards: 4, serveClient: clientFiles }, (io, { shard }) => {
  let hands: Record<string, number> = {};

  io.on("connection", (socket) => {
    socket.emit("seat", shard);

    socket.on("clap", (face) => {
      if (!FACES.has(face)) return;
      // The first hand starts the clock. It keeps the object awake for no longer than that.
      if (Object.keys(hands).length === 0) setTimeout(tell, TOGETHER_MS);
      hands[face] = (hands[face] ?? 0) + 1;
    });

    socket.on("audience", async (answer) => {
      const sockets = await io.timeout(2_000).fetchSockets();
      if (typeof answer === "function") answer(sockets.length);
    });
  });

  function tell(): void {
    // Who is not ready this moment misses some hands, and nothing waits for them.
    io.volatile.emit("clapped", hands);
    hands = {};
  }
});

export class SessionObject extends show.SessionObject {}
export default show.app;
