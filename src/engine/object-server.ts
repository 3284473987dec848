import type { Session } from "./session.ts";

/** The server that runs on the sessions of an object: Socket.IO, or bare Engine.IO. */
export interface ObjectServer<Api> {
  /** What user code gets: `io`, or the engine. */
  readonly api: Api;
  /** A session that has joined no namespace after this many ms is closed. Undefined: no limit. */
  readonly connectTimeout: number | undefined;
  /** A session was just opened. Sets `session.consumer`. */
  open(session: Session): void;
  /** A stored session was loaded: its state is rebuilt from `session.stored`, and no user code runs. */
  load(session: Session): void;
  /** A method of the object's class has settled, and may have changed values that it was given. */
  onSettled?(): void;
  /** How many rooms there are. Sessions that sleep are read for it, and none is loaded. */
  countRooms?(): number;
  /** Does what is due at a tick. */
  tick?(now: number): void;
  /** When the next tick has something to do, ms; infinite when there is nothing. */
  nextTickAt?(now: number): number;
}
