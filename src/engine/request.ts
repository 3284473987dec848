import { setOwn } from "../shared/set-own.ts";

/**
 * A client's request, as functions of the options, `session.request` and `socket.request` receive it: plain data with
 * Fetch `Headers`. A Fetch `Request` cannot be kept across events of a Durable Object.
 */
export interface EngineRequest {
  method: string;
  /** The absolute URL. */
  url: string;
  headers: Headers;
  /** The query, with one string for each name: the last one, as on Node. */
  _query: Record<string, string>;
  /**
   * Has the client's address, and whether the request came over https, where code for Node looks for them. `connection`
   * is the older name.
   */
  readonly socket: RequestSocket;
  readonly connection: RequestSocket;
}

/** The part of Node's socket that exists here. */
interface RequestSocket {
  remoteAddress: string;
  encrypted: boolean;
}

/** A request as the Worker sends it to the object, and as it is stored. */
export interface RequestRecord {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** `headers`: those of the record, where they exist as an object already. */
export function toRequest(record: RequestRecord, headers?: Headers): EngineRequest {
  return new RecordedRequest(record, headers);
}

/** A request whose parts are created when they are read: most never are. */
class RecordedRequest implements EngineRequest {
  method: string;
  url: string;
  readonly #record: RequestRecord;
  #headers: Headers | undefined;
  #query: Record<string, string> | undefined;
  #socket: RequestSocket | undefined;

  constructor(record: RequestRecord, headers: Headers | undefined) {
    this.method = record.method;
    this.url = record.url;
    this.#record = record;
    this.#headers = headers;
  }

  get headers(): Headers {
    this.#headers ??= new Headers(
      this.#record.headers.map(([name, value]): [string, string] => [name, value]),
    );
    return this.#headers;
  }

  set headers(value: Headers) {
    this.#headers = value;
  }

  get _query(): Record<string, string> {
    this.#query ??= toQuery(this.#record.url);
    return this.#query;
  }

  set _query(value: Record<string, string>) {
    this.#query = value;
  }

  get socket(): RequestSocket {
    this.#socket ??= {
      // Cloudflare overwrites this header, whatever the client sent.
      remoteAddress: this.headers.get("cf-connecting-ip") ?? "",
      encrypted: this.#record.url.startsWith("https:"),
    };
    return this.#socket;
  }

  get connection(): RequestSocket {
    return this.socket;
  }
}

/** A header of a record; undefined when it has none. `name` is in lower case. */
export function headerOf({ headers }: RequestRecord, name: string): string | undefined {
  return headers.find(([key]) => key === name)?.[1];
}

export function toQuery(url: string): Record<string, string> {
  const query: Record<string, string> = {};
  const start = url.indexOf("?") + 1;
  if (start === 0) return query;
  for (const pair of url.slice(start).split("#", 1)[0]!.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = equals < 0 ? pair : pair.slice(0, equals);
    setOwn(query, decode(name), equals < 0 ? "" : decode(pair.slice(equals + 1)));
  }
  return query;
}

/** Hardly any query has an escape, and the platform's decoder is slow to call for each request. */
function decode(text: string): string {
  return /[%+]/.test(text) ? (new URLSearchParams(`=${text}`).get("") ?? "") : text;
}
