import type { Server, ServerOptions } from "../../../src/index.ts";
import { setup as believe } from "./believer.ts";

export const variants: Record<string, ServerOptions> = { default: {} };

let tries = 0;

/** Fails twice in this process, after it has registered some of its listeners. */
export function setup(io: Server): void {
  believe(io);
  if (++tries <= 2) throw new Error("the database is away");
  io.use((socket, next) =>
    next(socket.handshake.auth.token === "let me in" ? undefined : new Error("refused")),
  );
}
