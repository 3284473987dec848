import type { PendingPacket } from "../../codec/index.ts";
import type { KeptRecord } from "./kept-values.ts";

/** The version of the records below: old and new code meet during a deploy. */
const VERSION = 1;

/** A room that a socket was in, and its moments of coming and going. */
export interface LeftRoom {
  readonly room: string;
  readonly from: number;
  readonly to: number;
}

/** A socket as it survives: plain data. */
export interface SocketRecord {
  readonly id: string;
  readonly nsp: string;
  /** When it connected, ms. No two things in an object happen at one moment, so this is also their order. */
  readonly at: number;
  /** `handshake.issued`. */
  readonly issued: number;
  auth?: unknown;
  readonly rooms: string[];
  /** When it joined each of them; left out where there is none but its own, joined as it connected. */
  joins?: number[];
  /** The dynamic namespace that its namespace is a child of. */
  readonly parent?: string;
  /** The secret by which its client asks for recovery; none once it may not come back. */
  pid?: string;
  /** From when on it may have missed packets; when it connected, if left out. */
  readonly since?: number;
  /** Rooms that it left not long ago: of what was said meanwhile it may have missed some. */
  left?: LeftRoom[];
  /** What was before that is not known any more. */
  leftSince?: number;
  kept?: KeptRecord;
  /** How often a `once` listener of its `connection` listener fired, by event: a replay leaves those out. */
  fired?: Record<string, number>;
}

/** Without what is not there: thousands of these are read at once, and every property takes its time. */
export function toLean(record: SocketRecord): SocketRecord {
  const lean: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) if (value !== undefined) lean[key] = value;
  return lean as unknown as SocketRecord;
}

/** A connection's sockets as they survive. */
export interface ClientRecord {
  readonly v: typeof VERSION;
  readonly sockets: SocketRecord[];
  /** What is half received. It has rows of its own now; records that an earlier version of this code wrote may have it. */
  readonly pending?: PendingPacket;
  /** What user code changed in `socket.request`, by its keys. */
  readonly request?: Record<string, unknown>;
}

/** Without what is not there, as {@link toLean}. */
export function toClientRecord(
  sockets: SocketRecord[],
  request: Record<string, unknown> | undefined,
): ClientRecord {
  return request === undefined ? { v: VERSION, sockets } : { v: VERSION, sockets, request };
}

/** The record in what was stored; undefined where nothing was, or where another version of the code wrote it. */
export function fromStored(stored: unknown): ClientRecord | undefined {
  const record = stored as ClientRecord | null | undefined;
  return record?.v === VERSION ? record : undefined;
}
