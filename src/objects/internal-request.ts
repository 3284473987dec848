import type { ConnectionError } from "../engine/errors.ts";
import type { RequestRecord } from "../engine/request.ts";
import type { TransportName } from "../engine/state.ts";
import { ENCODED } from "../transports/polling.ts";

/*
 * What the Worker asks an object. The request is made anew: nothing of a client's request but plain data inside one
 * header travels on, so no header, host, path or query of a client can mean anything here.
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
  /** A request that no session can serve: only whether the session exists decides the answer. */
  | "other"
  /** Listeners want to see a request that was answered: the answer is headers. */
  | "show";

/** Old Workers meet new objects during a deploy: who does not speak this version is asked to come again. */
export const VERSION = 1;

export interface InternalRequest {
  readonly v: typeof VERSION;
  readonly op: Operation;
  readonly sid: string;
  readonly transport: TransportName;
  readonly protocol: 3 | 4;
  /** The client wants binary as base64, also over WebSocket. */
  readonly b64: boolean;
  /** Of a handshake: where the client is, and whether it came by https. */
  readonly address?: string;
  readonly secure?: boolean;
  /** Of a handshake: JSON of what the application's `handshakeData` gave, empty for nothing. */
  readonly data?: string;
  /** Of a handshake: which server the object belongs to, and which of its objects it is. */
  readonly name?: string;
  readonly shard?: string;
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
/** Tells the Worker in how many ms the poll it holds is due for a ping. */
export const PING_IN_HEADER = "sio-ping-in";
/** Asks the Worker to show the whole request: JSON of `Wanted`. */
export const WANTED_HEADER = "sio-wanted";
/** The session has a WebSocket already: the Worker accepts the new one and closes it, as engine.io does. */
export const CANDIDATE_REFUSED = 409;

const IS_UPGRADE: ReadonlySet<Operation> = new Set(["poll", "socket", "upgrade"]);
const INTERNAL_HEADERS = [SID_HEADER, PING_IN_HEADER];

/** Sends an object the request that carries `meta`. */
export function askObject(
  object: DurableObjectStub,
  meta: InternalRequest,
  body?: BodyInit | null,
  type?: string,
): Promise<Response> {
  const url = `${ORIGIN}/${meta.op}`;
  const headers: Record<string, string> = { [HEADER]: toAscii(JSON.stringify(meta)) };
  if (meta.op === "post") {
    if (type !== undefined) headers["content-type"] = type;
    return object.fetch(url, { method: "POST", headers, body });
  }
  if (IS_UPGRADE.has(meta.op)) headers.upgrade = "websocket";
  return object.fetch(url, { headers });
}

/** Reads what `askObject` wrote; undefined for a request that is not ours. */
export function fromInternalRequest(request: Request): InternalRequest | undefined {
  const header = request.headers.get(HEADER);
  if (header === null || !request.url.startsWith(`${ORIGIN}/`)) return undefined;
  return JSON.parse(header) as InternalRequest;
}

/**
 * A response for the client: mutable, of known length or with its WebSocket, without what is between Worker and object.
 * The body is read here, so that a slow client does not keep the object awake.
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

/** Header values are bytes; JSON may write every other character as an escape. */
function toAscii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
