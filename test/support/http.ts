import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { within } from "./within.ts";

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface RequestOptions {
  method?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Uint8Array;
  /** How long an answer may take, in ms. */
  ms?: number;
}

export interface Address {
  host: string;
  port: number;
  /** Runs before each request that a test does not start by hand; it may put the server's object to sleep. */
  rest?(): Promise<void>;
}

/** An HTTP request on a connection of its own, which can be cut while it is under way. */
export interface Exchange {
  reply: Promise<Reply>;
  /** Cuts the connection with a TCP reset, which a server behind miniflare can notice (a FIN it cannot). */
  reset(): void;
  /** Settles when the request's bytes have left this process. */
  sent: Promise<void>;
  /** For an open request: settles when the first part of the body was handed to the system. */
  flushed: Promise<void>;
  write(chunk: string): void;
  end(): void;
}

/** Starts a request and returns it while it is under way. With `open: true` the body stays unfinished until `end()`. */
export function begin(
  at: Address,
  path: string,
  options: RequestOptions & { open?: boolean } = {},
): Exchange {
  const { method = "GET", headers = {}, body, ms = 5_000 } = options;
  const isChunked = headers["transfer-encoding"] === "chunked";
  const length =
    body !== undefined && !options.open && !isChunked ? { "content-length": Buffer.byteLength(body) } : {};
  const request = httpRequest({
    host: at.host,
    port: at.port,
    path,
    method,
    headers: { ...length, ...headers },
    agent: false,
  });
  const reply = new Promise<Reply>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        });
      });
    });
  });
  const bounded = within(reply, `answer to ${method} ${path}`, ms);
  bounded.catch(() => {}); // a test that needs the reply awaits it; nobody awaits that of a request that is cut on purpose
  const sent = new Promise<void>((resolve) => request.once("finish", resolve));
  const flushed = new Promise<void>((resolve) => {
    if (options.open) request.write(body ?? "", () => resolve());
    else request.end(body, resolve);
  });
  return {
    reply: bounded,
    sent,
    flushed,
    reset: () => {
      if (request.socket) request.socket.resetAndDestroy();
      else request.once("socket", (socket) => socket.resetAndDestroy());
    },
    write: (chunk) => request.write(chunk),
    end: () => request.end(),
  };
}

/** One request, one answer. */
export async function http(at: Address, path: string, options: RequestOptions = {}): Promise<Reply> {
  await at.rest?.();
  return begin(at, path, options).reply;
}
