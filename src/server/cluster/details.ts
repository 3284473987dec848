import type { SocketDetails } from "../rooms/adapter.ts";
import { toPlain } from "../state/plain-copy.ts";

/** A socket, as far as it can be told. */
interface Told {
  readonly id: string;
  readonly handshake: unknown;
  readonly rooms: Iterable<string>;
  readonly data: unknown;
}

/** What another object is told of a socket: a copy, since what is given out may be tracked and cannot travel. */
export function toDetails({ id, handshake, rooms, data }: Told): SocketDetails {
  const details = { id, handshake: { ...(handshake as object) }, rooms: [...rooms], data };
  return structuredClone(toPlain(details)) as SocketDetails;
}
