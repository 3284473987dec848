import type { Session } from "../../engine/session.ts";
import type { Untyped } from "../../shared/untyped.ts";
import { toPlain } from "../state/plain-copy.ts";
import type { SocketRecord } from "../state/records.ts";

/** What is known of a client from its first request and its CONNECT packet. */
export interface Handshake<Data = Untyped> {
  /** Of the first request, by lower-case name. */
  headers: Record<string, string | undefined>;
  /** When it was made, as text. */
  time: string;
  /** The client's address as Cloudflare saw it. */
  address: string;
  /** Whether the request had an Origin. */
  xdomain: boolean;
  secure: boolean;
  /** When it was made, ms. */
  issued: number;
  /** Path and query of the first request. */
  url: string;
  /** Query of the first request. */
  query: Record<string, string | undefined>;
  /** What the client gave as `auth`. */
  auth: Record<string, Untyped>;
  /** What the option `handshakeData` found out about the client in the Worker; nothing a client sends gets here. */
  data: Data;
}

/** Anew at each call, with nothing in it that anything else refers to: user code may change it. */
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
    auth: toPlain(auth ?? {}) as Record<string, Untyped>,
    data: toPlain(conn.handshakeData),
  };
}
