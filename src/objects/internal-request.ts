import type { ConnectionError } from "../engine/errors.ts";
import type { RequestRecord } from "../engine/request.ts";
import type { TransportName } from "../engine/state.ts";
import { ENCODED } from "../transports/polling.ts";

/*
 * How the Worker asks an object. It creates a new request that holds the client's request as plain data in one header,
 * so no header, host, path or query of a client has a meaning here.
 */
export type Operation =
  /** A polling handshake. */
  | "open"
  /** A GET of a session: answered with 200 and packets, or with 101 and a channel on which they will come. */
  | "poll"
  | "post"
  /** A handshake over WebSocket. */
  | "socket"
  /** A WebSocket for a session that polls. */
  | "upgrade"
  /** A request that no session can serve. The answer depends only on whether the session exists. */
  | "other"
  /** Listeners want to see a request that was answered: the answer is headers. */
  | "show";

/** During a deploy old Workers call new objects. A Worker of another version is told to try again. */
export const VERSION = 1;

export interface InternalRequest {
  readonly v: typeof VERSION;
  readonly op: Operation;
  readonly sid: string;
  readonly transport: TransportName;
  readonly protocol: 3 | 4;
  /** The client wants binary messages as base64, also over WebSocket. */
  readonly b64: boolean;
  /** Of a handshake: where the client is, and whether it came by https. */
  readonly address?: string;
  readonly secure?: boolean;
  /** Of a handshake: JSON of what the application's `handshakeData` gave, empty for nothing. */
  readonly data?: string;
  /** Of a handshake: which server the object belongs to, and which of its objects it is. */
  readonly name?: string;
  readonly shard?: string;
  /** Of a handshake: another object will be asked if this one is full. */
  readonly passes?: boolean;
  readonly request: RequestRecord;
  /** The record leaves out what no answer depends on. */
  readonly isBrief?: true;
  /** Of "show": JSON of `Wanted`, as the object wrote it. */
  readonly wanted?: string;
}

/** What an object has to tell listeners as soon as it is shown the whole request. */
export interface Wanted {
  /** Why the request was refused, for `connection_error`; left out for `headers`. */
  readonly error?: Omit<ConnectionError<unknown>, "req">;
  /** The answer to an upgrade, which is no matter of the session's transport. */
  readonly isUpgrade?: boolean;
}

const ORIGIN = "https://socket.io-edge";
const HEADER = "sio-request";
/** Tells the Worker the session id of a handshake, for the cookie. */
export const SID_HEADER = "sio-sid";
/** Tells the Worker in how many ms a ping is due for the poll that it holds. */
export const PING_IN_HEADER = "sio-ping-in";
/** Asks the Worker to show the whole request: JSON of `Wanted`. */
export const WANTED_HEADER = "sio-wanted";
/** The session has a WebSocket already: the Worker accepts the new one and closes it, as engine.io does. */
export const CANDIDATE_REFUSED = 409;

/** The object has no room for another session, and others are there to be asked. */
export const SHARD_FULL = 507;

const IS_UPGRADE: ReadonlySet<Operation> = new Set(["poll", "socket", "upgrade"]);
const INTERNAL_HEADERS = [SID_HEADER, PING_IN_HEADER];

/** The arguments of `fetch` for a request that carries `meta`. `body` and `type` are those of a POST. */
export function toInternalRequest(
  meta: InternalRequest,
  body?: BodyInit | null,
  type?: string | null,
): [url: string, init: RequestInit] {
  const url = `${ORIGIN}/${meta.op}`;
  const headers: Record<string, string> = { [HEADER]: toAscii(JSON.stringify(meta)) };
  if (meta.op === "post") {
    if (type != null) headers["content-type"] = type;
    return [url, { method: "POST", headers, body }];
  }
  if (IS_UPGRADE.has(meta.op)) headers.upgrade = "websocket";
  return [url, { headers }];
}

/** Reads what `toInternalRequest` wrote; undefined for any other request. */
export function fromInternalRequest(request: Request): InternalRequest | undefined {
  const header = request.headers.get(HEADER);
  if (header === null || !request.url.startsWith(`${ORIGIN}/`)) return undefined;
  return JSON.parse(header) as InternalRequest;
}

/**
 * Creates the client's response from the object's: mutable, of known length or with its WebSocket, and without internal
 * headers. The body is read here, so that a slow client does not keep the object in memory.
 */
export async function toClientResponse(response: Response): Promise<Response> {
  const { status, headers, webSocket } = response;
  const body = response.body === null ? null : await response.arrayBuffer();
  const own = new Response(body, { ...ENCODED, status, headers, webSocket });
  for (const name of INTERNAL_HEADERS) if (headers.has(name)) own.headers.delete(name);
  return own;
}

/** The header by which an object asks for the whole request. */
export function toWantedHeader(wanted: Wanted): [string, string] {
  return [WANTED_HEADER, toAscii(JSON.stringify(wanted))];
}

/** Header values are bytes, so JSON has to write all other characters as escapes. */
function toAscii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
