import type { Server, ServerOptions, Socket } from "../../../src/index.ts";

export const variants: Record<string, ServerOptions> = {
  default: {},
  // With a quarter of the memory, an attack needs a quarter of the time to fill it.
  small: { maxHeldBytes: 14_000_000, maxQueuedBytes: 4_000_000 },
  "small, awake": { maxHeldBytes: 14_000_000, maxQueuedBytes: 4_000_000, hibernation: false },
  "small, recovery": { maxHeldBytes: 14_000_000, maxQueuedBytes: 4_000_000, connectionStateRecovery: {} },
  recovery: { connectionStateRecovery: {} },
  "small, recovery, tidy": {
    maxHeldBytes: 14_000_000,
    connectionStateRecovery: {},
    cleanupEmptyChildNamespaces: true,
  },
  eager: { pingInterval: 5_000 },
  awake: { hibernation: false },
  old: { allowEIO3: true },
  // An upgrade keeps the object awake until it completes.
  hasty: { upgradeTimeout: 500 },
  few: { maxSessions: 30 },
  // An acknowledgement that is never given keeps the object awake for this long.
  noise: { allowEIO3: true, connectionStateRecovery: {}, maxHeldBytes: 14_000_000, maxAwakeTime: 2_000 },
};

type Answer = (...args: unknown[]) => void;

/** An application without checks of its own: it does whatever its clients say. */
export function setup(io: Server): void {
  io.on("connection", serve);
  io.of(/^\/open-/).on("connection", serve);
  io.of(/^\/refused-/).use((_socket, next) => next(new Error("refused")));
  io.of("/slow").on("connection", async (socket) => {
    const wait = new Promise((resolve) => setTimeout(resolve, 3_000));
    socket.on("echo", (value: unknown, answer?: Answer) => answer?.(value));
    socket.on("settled", (answer: Answer) => void wait.then(() => answer()));
    // The listener does this each time it runs, also when it is replayed after a nap.
    await wait;
  });

  function serve(socket: Socket): void {
    socket.on("echo", (value: unknown, answer?: Answer) => {
      if (answer === undefined) socket.emit("echo", value);
      else answer(value);
    });
    socket.on("all", (text: string) => void io.emit("all", text));
    socket.on("all of", (bytes: number, times = 1) => {
      for (let i = 0; i < times; i++) io.except("silence").emit("all", "x".repeat(bytes));
    });
    socket.on("all here", (text: string) => void socket.nsp.emit("all here", text));
    socket.on("all here of", (bytes: number) => void socket.nsp.emit("all here", "x".repeat(bytes)));
    socket.on("count", (answer: Answer) => answer(io.engine.clientsCount));
    socket.on("later", (ms: number, answer: Answer) => void setTimeout(answer, ms));
    socket.on("in", (room: string, text: string) => void socket.nsp.to(room).emit("in", text));
    socket.on("join", (rooms: string[], answer?: Answer) => {
      socket.join(rooms);
      answer?.(socket.rooms.size);
    });
    socket.on("flood me", (times: number, bytes: number) => {
      for (let i = 0; i < times; i++) socket.emit("flood", "x".repeat(bytes));
    });
    socket.on("ask me", (times = 1, ms = 5_000) => {
      for (let i = 0; i < times; i++) socket.timeout(ms).emit("question", i, () => {});
    });
    socket.on("ask for ever", () => void socket.emit("question", () => {}));
    // The event asks for an acknowledgement that its handler never gives.
    socket.on("n", (_answer: Answer) => {});
    socket.on("set", (key: string, value: unknown, answer?: Answer) => {
      socket.data[key] = value;
      answer?.();
    });
    socket.on("unset", (key: string) => {
      delete socket.data[key];
    });
    socket.on("sparse", (index: number, answer?: Answer) => {
      socket.data.cells ??= [];
      socket.data.cells[index] = 1;
      answer?.();
    });
    socket.on("get", (key: string, answer: Answer) => answer(socket.data[key]));
    socket.on("kick", (id: string) => void io.in(id).disconnectSockets(true));
    socket.on("await", (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)));
  }
}
