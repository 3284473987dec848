import type { Frame } from "../../codec/index.ts";
import type { SocketDetails } from "../rooms/adapter.ts";
import { toPlain } from "../state/plain-copy.ts";

/** The part of a socket that other objects can be given. */
interface Told {
  readonly id: string;
  readonly handshake: unknown;
  readonly rooms: Iterable<string>;
  readonly data: unknown;
}

/** Copies a value as it is now, because it is sent later, and tracked values cannot be sent. @throws DataCloneError */
export function toTravel<T>(value: T): T {
  return structuredClone(toPlain(value)) as T;
}

/** Describes a socket to another object. */
export function toDetails({ id, handshake, rooms, data }: Told): SocketDetails {
  return toTravel({ id, handshake: { ...(handshake as object) }, rooms: [...rooms], data }) as SocketDetails;
}

/**
 * Copies the bytes among frames: they are sent later, when the sender may have changed them, and the platform sends the
 * whole buffer that a view is a part of.
 */
export function copyBytes(frames: readonly Frame[]): readonly Frame[] {
  return frames.map((frame) => (typeof frame === "string" ? frame : new Uint8Array(frame)));
}
