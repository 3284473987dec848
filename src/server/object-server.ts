import type { ObjectServer } from "../engine/object-server.ts";
import type { Untyped } from "../shared/untyped.ts";
import type { ServerOptions } from "./api/options.ts";
import { Server } from "./api/server.ts";
import type { Host } from "./host.ts";

/** Creates the Socket.IO server of an object, and connects it to the object's sessions and ticks. */
export function createSocketServer<Io extends Server<Untyped, Untyped, Untyped, Untyped>>(
  options: ServerOptions,
  host: Host,
): ObjectServer<Io> {
  const io = new Server(options, host);
  const { _core: core } = io;
  return {
    api: io as Io,
    get connectTimeout() {
      return io.connectTimeout();
    },
    open: (session) => io.open(session),
    load: (session) => io.load(session),
    onSettled: () => core.onSettled(),
    tick: (now) => core.expiry?.tick(now),
    nextTickAt: (now) => core.expiry?.nextTickAt(now) ?? Number.POSITIVE_INFINITY,
  };
}
