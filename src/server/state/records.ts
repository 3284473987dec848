import type { PendingPacket } from "../../codec/index.ts";

/** The version of the records below. During a deploy, code may find records of an older or a newer version. */
const VERSION = 1;

/** A room that a socket was in, and from when to when. */
export interface RoomStay {
  readonly room: string;
  readonly from: number;
  readonly to: number;
}

/** What is stored of what user code put on a socket. */
export interface KeptRecord {
  data?: unknown;
  /** Properties that user code assigned to the socket. */
  own?: Record<string, unknown>;
  /** What user code changed in `socket.handshake`, by its keys. */
  handshake?: Record<string, unknown>;
  /** Keys that were deleted, which a replay must not bring back. */
  gone?: { data: string[]; own: string[] };
}

/** What is stored of a socket: plain data. */
export interface SocketRecord {
  readonly id: string;
  readonly nsp: string;
  /** When it connected, ms. No two events of an object have the same moment, so this is also their order. */
  readonly at: number;
  /** `handshake.issued`. */
  readonly issued: number;
  auth?: unknown;
  readonly rooms: string[];
  /** When it joined each of them; left out when its own room, which it joined as it connected, is the only one. */
  joins?: number[];
  /** The dynamic namespace whose child its namespace is. */
  readonly parent?: string;
  /** The secret with which its client asks for recovery; left out once the client may not come back. */
  pid?: string;
  /** From when on its client may have missed packets; left out when that is the moment it connected. */
  readonly since?: number;
  /** Rooms that it left not long ago: its client may have missed packets that were sent to these before. */
  left?: RoomStay[];
  /** From when on `left` is complete; left out when it always was. */
  leftSince?: number;
  kept?: KeptRecord;
  /** How many `once` listeners that `connection` listeners added have fired, by event: a replay leaves these out. */
  fired?: Record<string, number>;
}

/** A record without its undefined properties: thousands of records are read at once, and each property takes time. */
export function toLean(record: SocketRecord): SocketRecord {
  const lean: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) if (value !== undefined) lean[key] = value;
  return lean as unknown as SocketRecord;
}

/** What is stored of a connection and its sockets. */
export interface ClientRecord {
  readonly v: typeof VERSION;
  readonly sockets: SocketRecord[];
  /** The part of a packet that has arrived. Only records of older code have it: today it has rows of its own. */
  readonly pending?: PendingPacket;
  /** What user code changed in `socket.request`, by its keys. */
  readonly request?: Record<string, unknown>;
}

/** A record without undefined properties, for the same reason as {@link toLean}. */
export function toClientRecord(
  sockets: SocketRecord[],
  request: Record<string, unknown> | undefined,
): ClientRecord {
  return request === undefined ? { v: VERSION, sockets } : { v: VERSION, sockets, request };
}

/** The record in what was stored; undefined when nothing was stored, or when another version of this code wrote it. */
export function fromStored(stored: unknown): ClientRecord | undefined {
  const record = stored as ClientRecord | null | undefined;
  return record?.v === VERSION ? record : undefined;
}
