/** What the application of the interop suite needs of a server: the official one has it, and so has ours. */
export interface AppSocket {
  id: string;
  recovered: boolean;
  data: Record<string, unknown>;
  rooms: Set<string>;
  handshake: {
    auth: Record<string, unknown>;
    query: Record<string, unknown>;
    headers: Record<string, unknown>;
  };
  conn: { close(): void; transport: { name: string } };
  on(event: string, listener: (...args: never[]) => void): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  join(room: string): unknown;
  disconnect(close?: boolean): unknown;
}

interface AppNamespace {
  on(event: "connection", listener: (socket: AppSocket) => void): unknown;
  use(middleware: (socket: AppSocket, next: (error?: Error) => void) => void): unknown;
  to(room: string): { emit(event: string, ...args: unknown[]): unknown };
}

export interface AppServer {
  of(name: string | RegExp): AppNamespace;
}

type Ack = (...args: unknown[]) => void;

/** The application that every server of the suite runs. */
export function interopApp(io: AppServer): void {
  for (const name of ["/", "/custom", "/auth", /^\/dynamic-\d+$/]) {
    const nsp = io.of(name);
    nsp.on("connection", (socket) => onConnection(nsp, socket));
  }
  io.of("/auth").use((socket, next) => {
    if (socket.handshake.auth.token === "good") return next();
    next(Object.assign(new Error("not authorized"), { data: { code: "BAD_TOKEN" } }));
  });
}

function onConnection(nsp: AppNamespace, socket: AppSocket): void {
  const calls = new Map<string, number>();
  socket.emit("hello", socket.id);
  socket.on("echo", (...args: unknown[]) => {
    const ack = args.at(-1);
    if (typeof ack === "function") ack(...args.slice(0, -1));
    else socket.emit("echo", ...args);
  });
  socket.on("ask", (value: unknown, ack: Ack) => {
    socket.emit("question", value, (...answers: unknown[]) => ack(...answers));
  });
  socket.on("handshake", (ack: Ack) => {
    const { auth, query, headers } = socket.handshake;
    ack({ auth, query, header: headers["x-test"], transport: socket.conn.transport.name });
  });
  socket.on("join", async (room: string, ack: Ack) => {
    await socket.join(room);
    ack();
  });
  socket.on("say", (room: string, ...args: unknown[]) => {
    nsp.to(room).emit("said", ...args);
  });
  socket.on("burst", (count: number) => {
    for (let i = 0; i < count; i++) socket.emit("n", i);
  });
  // Answers only when it has been asked `times` times with the same key.
  socket.on("reluctant", (key: string, times: number, ack: Ack) => {
    const count = (calls.get(key) ?? 0) + 1;
    calls.set(key, count);
    if (count >= times) ack(count);
  });
  socket.on("never", () => {});
  socket.on("kick", (everywhere: boolean) => {
    socket.disconnect(everywhere);
  });
  socket.on("drop", () => socket.conn.close());
}
