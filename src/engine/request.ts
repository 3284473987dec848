import { setOwn } from "../shared/set-own.ts";

/**
 * A client's request, as hooks, `session.request` and `socket.request` see it: plain data with Fetch `Headers`.
 * A Fetch `Request` cannot be kept across events of a Durable Object.
 */
export interface EngineRequest {
  method: string;
  /** The absolute URL. */
  url: string;
  headers: Headers;
  /** The query, one string a name. */
  _query: Record<string, string>;
  /**
   * Where code for Node looks for the client's address, and whether it came by https; `connection` is the older name.
   */
  readonly socket: RequestSocket;
  readonly connection: RequestSocket;
}

/** What is left of the socket that a request of Node has. */
interface RequestSocket {
  remoteAddress: string;
  encrypted: boolean;
}

/** A request as it travels from the Worker to the object and into storage. */
export interface RequestRecord {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** `headers`: the same as the record's, where somebody has them already. */
export function toRequest(record: RequestRecord, headers?: Headers): EngineRequest {
  return new RecordedRequest(record, headers);
}

/** Most requests are never looked at, so their parts are made when somebody does. */
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
      // Cloudflare sets this header itself, whatever the client sent.
      remoteAddress: this.headers.get("cf-connecting-ip") ?? "",
      encrypted: this.#record.url.startsWith("https:"),
    };
    return this.#socket;
  }

  get connection(): RequestSocket {
    return this.socket;
  }
}

/** One header of a record; undefined when it has none of that name, which is in lower case. */
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

/** Every request comes through here, and hardly any has an escape: asking the platform each time is slow. */
function decode(text: string): string {
  return /[%+]/.test(text) ? (new URLSearchParams(`=${text}`).get("") ?? "") : text;
}
