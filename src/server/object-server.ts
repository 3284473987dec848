import type { ObjectServer } from "../engine/object-server.ts";
import type { Untyped } from "../shared/untyped.ts";
import type { ServerOptions } from "./api/options.ts";
import { Server, type ServerInternals } from "./api/server.ts";
import { createMeshServer } from "./cluster/mesh-server.ts";
import type { Host } from "./host.ts";
import { createExpiry } from "./recovery/expiry.ts";
import { handshakeOf } from "./recovery/recovery.ts";
import type { RecoveryRecord } from "./recovery/recovery-store.ts";
import { Connection, openConnection } from "./sockets/connection.ts";

/** Creates the Socket.IO server of an object, and connects it to the object's sessions and ticks. */
export function createSocketServer<Io extends Server<Untyped, Untyped, Untyped, Untyped>>(
  options: ServerOptions,
  host: Host,
): ObjectServer<Io> {
  const io = new Server(options, host);
  const internals = io._internals;
  const { context, namespaces } = internals;
  host.serveMesh?.(createMeshServer(context, namespaces));
  const { recoveryStore } = context;
  const expiry = recoveryStore && createExpiry(recoveryStore, host, (record) => expire(internals, record));
  return {
    api: io as Io,
    get connectTimeout() {
      return io.connectTimeout();
    },
    open: (session) => void io.onconnection(session),
    load: (session) => openConnection(context, namespaces, session).onLoaded(),
    onSettled: () => context.onSettled(),
    countRooms: () => context.rooms.countRooms(),
    tick: (now) => {
      expiry?.tick(now);
      context.data.tick(now);
    },
    nextTickAt: (now) => Math.min(context.data.nextTickAt, expiry?.nextTickAt(now) ?? Infinity),
  };
}

/**
 * The client of a record did not come back in time. When its connection ended with a restart of the object, its
 * `disconnect` listeners have not run yet, so they run now.
 */
export function expire(
  { context, namespaces }: ServerInternals,
  record: RecoveryRecord,
): Promise<void> | void {
  const { host, recovery } = context;
  if (record.isOver || recovery === undefined) return;
  host.observe?.({ type: "recovery", code: "NOT_BACK", nsp: record.nsp, missed: 0 });
  const session = host.endedSession(record.session, handshakeOf(record));
  const connection = new Connection(context, namespaces, session, [recovery.toSocketRecord(record)]);
  return connection.closed("transport close");
}
