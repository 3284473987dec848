import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

/** What a page may send up. */
const FACES = new Set(["★", "♪", "☺", "✓", "♥"]);
/**
 * Hands that clap within this time are shown together, ms: four messages a second, however large the audience is. Those
 * who come within it are told the same count, since a count asks every object.
 */
const TOGETHER_MS = 250;

interface Audience {
  people: number;
  /** False when an object did not answer in time, so that there are more. */
  isWhole: boolean;
}

/**
 * One room for everybody who watches a show: more than one object takes, so the server is spread over four of them.
 * What `io` says reaches all, and each object counts its own clients and their hands.
 */
const show = defineServer({ shards: 4, serveClient: clientFiles }, (io, { shard }) => {
  let hands: Record<string, number> = {};
  let audience: Promise<Audience> | undefined;
  let countedAt = 0;

  io.on("connection", (socket) => {
    socket.emit("seat", shard);

    socket.on("clap", (face) => {
      if (!FACES.has(face)) return;
      // The first hand starts the clock. It keeps the object awake for no longer than that.
      if (Object.keys(hands).length === 0) setTimeout(tell, TOGETHER_MS);
      hands[face] = (hands[face] ?? 0) + 1;
    });

    socket.on("audience", async (answer) => {
      if (typeof answer !== "function") return;
      if (audience === undefined || Date.now() - countedAt > TOGETHER_MS) {
        countedAt = Date.now();
        audience = count();
      }
      answer(await audience);
    });
  });

  // The number is enough: `fetchSockets` would bring the details of everybody here.
  io.on("count", (answer: (people: number) => void) => answer(io.engine.clientsCount));

  async function count(): Promise<Audience> {
    const here = io.engine.clientsCount;
    try {
      return { people: sum([here, ...(await io.serverSideEmitWithAck("count"))]), isWhole: true };
    } catch (error) {
      // An object has not answered, and the error has what the others did.
      const { responses = [] } = error as { responses?: number[] };
      return { people: sum([here, ...responses]), isWhole: false };
    }
  }

  function tell(): void {
    // Who is not ready this moment misses some hands, and nothing waits for them.
    io.volatile.emit("clapped", hands);
    hands = {};
  }
});

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

export class SessionObject extends show.SessionObject {}
export default show.app;
