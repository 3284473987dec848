/**
 * A client's request, as hooks, `session.request` and `socket.request` see it: plain data with Fetch `Headers`.
 * A Fetch `Request` cannot be kept across events of a Durable Object.
 */
export interface EngineRequest {
  readonly method: string;
  /** The absolute URL. */
  readonly url: string;
  readonly headers: Headers;
  /** The query, one string a name. It has no prototype. */
  readonly _query: Record<string, string>;
}

/** A request as it travels from the Worker to the object and into storage. */
export interface RequestRecord {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
}

export function toRequest(record: RequestRecord): EngineRequest {
  let query: Record<string, string> | undefined;
  let headers: Headers | undefined;
  return {
    method: record.method,
    url: record.url,
    // Made when somebody looks: most requests are never looked at.
    get headers() {
      headers ??= new Headers(record.headers.map(([name, value]): [string, string] => [name, value]));
      return headers;
    },
    get _query() {
      query ??= toQuery(record.url);
      return query;
    },
  };
}

export function toQuery(url: string): Record<string, string> {
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of new URL(url).searchParams) query[name] = value;
  return query;
}
