import type { ObjectServer } from "../engine/object-server.ts";
import type { Untyped } from "../shared/untyped.ts";
import type { ServerOptions } from "./api/options.ts";
import { Server } from "./api/server.ts";
import type { Host } from "./host.ts";
import { RecoveryExpiry } from "./recovery/expiry.ts";

/** Creates the Socket.IO server of an object, and connects it to the object's sessions and ticks. */
export function createSocketServer<Io extends Server<Untyped, Untyped, Untyped, Untyped>>(
  options: ServerOptions,
  host: Host,
): ObjectServer<Io> {
  const io = new Server(options, host);
  const { context } = io._internals;
  const { recoveryStore } = context;
  const expiry = recoveryStore && new RecoveryExpiry(recoveryStore, host, (record) => io.expire(record));
  return {
    api: io as Io,
    get connectTimeout() {
      return io.connectTimeout();
    },
    open: (session) => io.open(session),
    load: (session) => io.load(session),
    onSettled: () => context.onSettled(),
    tick: (now) => expiry?.tick(now),
    nextTickAt: (now) => expiry?.nextTickAt(now) ?? Number.POSITIVE_INFINITY,
  };
}
