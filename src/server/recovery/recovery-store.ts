import type { SessionId } from "../../shared/ids.ts";

/** What is stored of a socket so that its client can come back to it. */
export interface RecoveryRecord {
  /** The secret that the client shows when it returns. */
  pid: string;
  /** The socket's id. */
  sid: string;
  nsp: string;
  rooms: string[];
  data: unknown;
  /** The session that carries the socket, or carried it. */
  session: SessionId;
  /**
   * When the connection ended, ms; null while it lives. A restart of the object runs no `disconnect`, so the store
   * fills in the moment of the restart when it finds that the session is gone.
   */
  at: number | null;
  /** The socket's `disconnect` listeners have run, so nothing is left to do when its time is over. */
  isOver: boolean;
}

/** A packet that a client may have missed. */
export interface RecoveryEntry {
  /** When the packet was sent, as text that sorts in the order of time. */
  offset: string;
  /** The event and its arguments, without the offset; left out when they were too large to be stored. */
  packet?: unknown[];
  rooms: string[];
  except: string[];
}

/** Stores the records and the packets of connection state recovery. Writes may wait until the end of the turn. */
export interface RecoveryStore {
  /** Something will be saved or appended in this turn: what is sent from now on waits until that is stored. */
  willWrite(): void;
  save(record: RecoveryRecord): void;
  find(nsp: string, pid: string): RecoveryRecord | undefined;
  remove(nsp: string, pid: string): void;
  append(nsp: string, entry: RecoveryEntry): void;
  /** The packets of a namespace with a later offset, oldest first. */
  since(nsp: string, offset: string): Iterable<RecoveryEntry>;
  /** The offset of the newest packet of a namespace; undefined when none is stored. */
  latest(nsp: string): string | undefined;
  /** Packets up to this offset may have been removed because there were too many; "" when none were. */
  lostBefore(): string;
  /**
   * How long the end of a connection may go unnoticed at most, ms. Packets are stored for that much longer than the
   * time in which clients may return.
   */
  readonly quietMs: number;
  /**
   * Removes some of what nobody can come back to any more, and returns the records among it. Records whose `disconnect`
   * listeners have yet to run stay while `mayTell` is false.
   */
  prune(now: number, mayTell: boolean): RecoveryRecord[];
  /** When there is something to prune, ms; infinite when nothing is stored for anybody who is away. */
  nextPruneAt(now: number): number;
  /** Whether somebody's `disconnect` is due. */
  readonly isAnybodyDue: boolean;
}
