import type { SocketDetails } from "../rooms/adapter.ts";
import { toPlain } from "../state/plain-copy.ts";

/** The part of a socket that other objects can be given. */
interface Told {
  readonly id: string;
  readonly handshake: unknown;
  readonly rooms: Iterable<string>;
  readonly data: unknown;
}

/** Describes a socket to another object. It is a copy, because tracked values cannot be sent. */
export function toDetails({ id, handshake, rooms, data }: Told): SocketDetails {
  const details = { id, handshake: { ...(handshake as object) }, rooms: [...rooms], data };
  return structuredClone(toPlain(details)) as SocketDetails;
}
