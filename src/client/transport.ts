import type { Frame } from "../codec/index.ts";
import type {
  DisconnectDescription,
  DisconnectReason,
  EngineOptions,
  TransportError,
  TransportName,
} from "./types.ts";

/** A frame on its way out; only a Blob's owner can wait for its bytes. */
export type OutgoingFrame = Frame | Blob;

/** What carries frames. A name with `_` at its end belongs to this folder alone: the build shortens it. */
export interface Transport {
  readonly name: TransportName;
  /** Whether `send_` may be called; `onDrain_` says when it may be called again. */
  writable: boolean;
  send_(frames: readonly OutgoingFrame[]): void;
  /** Ends it: told to the server if `isGraceful`, else at once. */
  close_(isGraceful?: boolean): void;
  /** Reads no more; resolves when nothing is under way. Polling only. */
  pause_?(): Promise<unknown>;
  /** Goes on after a pause, or instead of it. */
  resume_?(): void;
}

/** What a transport tells the engine. */
export interface TransportHost {
  /** The address of the next request. */
  url_(): string;
  onOpen_(): void;
  onFrame_(frame: Frame | ArrayBuffer): void;
  onDrain_(): void;
  onEnd_(reason: DisconnectReason, description: DisconnectDescription): void;
}

export type OpenTransport = (options: EngineOptions, host: TransportHost) => Transport;

/** The error of a transport, with the fields of the original. */
export function transportError(message: string, description?: unknown, context?: unknown): TransportError {
  return Object.assign(new Error(message), { type: "TransportError" as const, description, context });
}
