import type { BroadcastFlags, Room } from "../api/socket-types.ts";

/** Whom a broadcast, or an operation on many sockets, is for. */
export interface BroadcastOptions {
  /** Whoever is in at least one of these; everybody in the namespace when it is empty. */
  rooms: Set<Room>;
  /** Whoever is in one of these is left out. */
  except?: Set<Room>;
  flags?: BroadcastFlags;
}
