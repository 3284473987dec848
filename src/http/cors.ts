import type { EngineRequest } from "../engine/request.ts";

type Origin = boolean | string | RegExp | readonly (string | RegExp)[];
type OriginFunction = (
  origin: string | undefined,
  callback: (error: unknown, origin?: Origin) => void,
) => void;

/**
 * Options of the `cors` package, which Socket.IO takes as well. A browser keeps the response from a page whose origin
 * is not allowed; the request itself is served.
 * @see https://github.com/expressjs/cors#configuration-options
 */
export interface CorsOptions {
  /**
   * The origins whose pages may connect: one, a list, regular expressions, `true` for the request's own origin, or a
   * function that calls back with one of these.
   * @default "*"
   */
  origin?: Origin | OriginFunction;
  /** The methods that a preflight allows. @default "GET,HEAD,PUT,PATCH,POST,DELETE" */
  methods?: string | readonly string[];
  /** The request headers that a preflight allows. @default those that the preflight asks for */
  allowedHeaders?: string | readonly string[];
  /** Another name of `allowedHeaders`. */
  headers?: string | readonly string[];
  /** The response headers that a page may read. @default none besides the safelisted ones */
  exposedHeaders?: string | readonly string[];
  /** Whether requests may carry cookies; `origin` has to name origins then. @default false */
  credentials?: boolean;
  /** How long a browser may keep the answer to a preflight, seconds. @default the browser's own value */
  maxAge?: number;
  /** `true` passes preflights on instead of answering them. @default false */
  preflightContinue?: boolean;
  /** The status of the answer to a preflight. @default 204 */
  optionsSuccessStatus?: number;
}

/** Calls back with the options for one request, or with an error, which refuses it with 400 and code 3. */
export type CorsDelegate = (
  request: EngineRequest,
  callback: (error: unknown, options?: CorsOptions) => void,
) => void;

/** What CORS adds to the response of a request; a preflight is answered with it alone. */
export interface CorsResult {
  readonly headers: readonly (readonly [string, string])[];
  readonly preflightStatus: number | undefined;
  /** Whether the options name the request's origin; undefined when they allow every origin. */
  readonly isNamed: boolean | undefined;
}

export const NO_CORS: CorsResult = { headers: [], preflightStatus: undefined, isNamed: undefined };
const DEFAULT_METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE";

/** Works out the CORS headers of a request. @throws what the user's functions call back as an error */
export async function resolveCors(
  cors: true | CorsOptions | CorsDelegate,
  request: EngineRequest,
): Promise<CorsResult> {
  const options = typeof cors === "function" ? await toPromise(cors, request) : cors === true ? {} : cors;
  const given = options?.origin ?? "*";
  const requestOrigin = request.headers.get("origin") ?? undefined;
  const origin = typeof given === "function" ? await toPromise(given, requestOrigin) : given;
  const isAsked = typeof cors === "function" || typeof given === "function";
  if (!origin) return isAsked ? { ...NO_CORS, isNamed: false } : NO_CORS;
  return toResult({ ...options, origin }, request, requestOrigin);
}

function toResult(
  options: CorsOptions & { origin: Origin },
  request: EngineRequest,
  requestOrigin: string | undefined,
): CorsResult {
  const { origin } = options;
  const isAllowed = requestOrigin !== undefined && isOriginAllowed(requestOrigin, origin);
  const headers: [string, string][] = originHeaders(origin, isAllowed ? requestOrigin : undefined);
  if (options.credentials === true) headers.push(["access-control-allow-credentials", "true"]);
  const isPreflight = request.method === "OPTIONS";
  if (isPreflight) headers.push(...preflightHeaders(options, request));
  const exposed = toList(options.exposedHeaders);
  if (exposed) headers.push(["access-control-expose-headers", exposed]);
  const isAnswered = isPreflight && options.preflightContinue !== true;
  const preflightStatus = isAnswered ? (options.optionsSuccessStatus ?? 204) : undefined;
  return { headers, preflightStatus, isNamed: isForAll(origin) ? undefined : isAllowed };
}

/** `allowed`: the request's origin, if the options allow it. */
function originHeaders(origin: Origin, allowed: string | undefined): [string, string][] {
  const name = typeof origin === "string" ? origin : allowed;
  const headers: [string, string][] = name === undefined ? [] : [["access-control-allow-origin", name]];
  if (name !== "*") headers.push(["vary", "Origin"]);
  return headers;
}

/** A browser takes an asterisk in a list literally, but whoever wrote it meant every origin. */
function isForAll(origin: Origin): boolean {
  return origin === true || [origin].flat().includes("*");
}

function isOriginAllowed(requestOrigin: string, allowed: Origin): boolean {
  if (typeof allowed === "string") return requestOrigin === allowed;
  if (typeof allowed === "boolean") return allowed;
  // `test` with the flag g or y would start where it stopped at the last request's origin; `search` does not.
  if (allowed instanceof RegExp) return requestOrigin.search(allowed) >= 0;
  return allowed.some((item) => isOriginAllowed(requestOrigin, item));
}

function preflightHeaders(options: CorsOptions, request: EngineRequest): [string, string][] {
  const headers: [string, string][] = [
    ["access-control-allow-methods", toList(options.methods) || DEFAULT_METHODS],
  ];
  const allowed = options.allowedHeaders ?? options.headers;
  if (allowed === undefined) headers.push(["vary", "Access-Control-Request-Headers"]);
  const list = toList(allowed) ?? request.headers.get("access-control-request-headers");
  if (list) headers.push(["access-control-allow-headers", list]);
  if (options.maxAge !== undefined) headers.push(["access-control-max-age", String(options.maxAge)]);
  return headers;
}

function toList(value: string | readonly string[] | undefined): string | undefined {
  return value === undefined || typeof value === "string" ? value : value.join(",");
}

function toPromise<A, T>(
  fn: (argument: A, callback: (error: unknown, value?: T) => void) => void,
  argument: A,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const done: unknown = fn(argument, (error, value) => (error ? reject(error) : resolve(value)));
    // An async function that throws does not call back.
    Promise.resolve(done).catch(reject);
  });
}
