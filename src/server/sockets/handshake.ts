import type { Session } from "../../engine/session.ts";
import type { Untyped } from "../../shared/untyped.ts";
import { toPlain } from "../state/plain-copy.ts";
import type { SocketRecord } from "../state/records.ts";

/** What is known of a client from its first request and its CONNECT packet. */
export interface Handshake<Data = Untyped> {
  /** The headers of the first request, by their names in lower case. */
  headers: Record<string, string | undefined>;
  /** When the client connected to the namespace, as text. */
  time: string;
  /** The IP address of the client as Cloudflare saw it. */
  address: string;
  /** Whether the first request had the header `Origin`. */
  xdomain: boolean;
  /** Whether the first request came over HTTPS. */
  secure: boolean;
  /** When the client connected to the namespace, in milliseconds since 1970. */
  issued: number;
  /** The path and the query of the first request. */
  url: string;
  /** The query parameters of the first request. */
  query: Record<string, string | undefined>;
  /** What the client sent as `auth` when it connected to the namespace. It is unchecked. */
  auth: Record<string, Untyped>;
  /** What the option `handshakeData` returned in the Worker. A client cannot write to it. */
  data: Data;
}

/** Creates a new object at each call. Nothing else refers to its parts, because user code may change them. */
export function createHandshake(conn: Session, record: SocketRecord | undefined): Handshake {
  const { firstRequest: request } = conn;
  const { issued = 0, auth } = record ?? {};
  const headers: Record<string, string> = {};
  request.headers.forEach((value, name) => {
    headers[name] = value;
  });
  const { pathname, search } = new URL(request.url);
  return {
    headers,
    time: String(new Date(issued)),
    address: conn.remoteAddress,
    xdomain: headers.origin !== undefined,
    secure: conn.secure,
    issued,
    url: pathname + search,
    query: { ...request._query },
    auth: toPlain(auth ?? {}) as Handshake["auth"],
    data: toPlain(conn.handshakeData),
  };
}
