import type { EngineRequest } from "../engine/request.ts";

type Origin = boolean | string | RegExp | readonly (string | RegExp)[];
type OriginFunction = (
  origin: string | undefined,
  callback: (error: unknown, origin?: Origin) => void,
) => void;

/** Options of the `cors` package, which Socket.IO takes: https://github.com/expressjs/cors#configuration-options */
export interface CorsOptions {
  /** @default "*" */
  origin?: Origin | OriginFunction;
  /** @default "GET,HEAD,PUT,PATCH,POST,DELETE" */
  methods?: string | readonly string[];
  /** @default what the preflight asks for */
  allowedHeaders?: string | readonly string[];
  headers?: string | readonly string[];
  exposedHeaders?: string | readonly string[];
  credentials?: boolean;
  /** Seconds. */
  maxAge?: number;
  preflightContinue?: boolean;
  /** @default 204 */
  optionsSuccessStatus?: number;
}

export type CorsDelegate = (
  request: EngineRequest,
  callback: (error: unknown, options?: CorsOptions) => void,
) => void;

/** What CORS adds to a request: headers for whatever the answer is, and the answer itself to a preflight. */
export interface CorsResult {
  readonly headers: readonly (readonly [string, string])[];
  readonly preflightStatus: number | undefined;
  /** Whether the request's origin is among those that the options name; undefined where they name none. */
  readonly isNamed: boolean | undefined;
}

export const NO_CORS: CorsResult = { headers: [], preflightStatus: undefined, isNamed: undefined };
const DEFAULT_METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE";

/** Works out the CORS headers of a request. @throws what the user's functions call back as an error */
export async function resolveCors(
  cors: boolean | CorsOptions | CorsDelegate | undefined,
  request: EngineRequest,
): Promise<CorsResult> {
  if (cors === undefined || cors === false) return NO_CORS;
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

/** In a list the asterisk stands for no page in the eyes of a browser, but whoever wrote it meant all of them. */
function isForAll(origin: Origin): boolean {
  return origin === true || [origin].flat().includes("*");
}

function isOriginAllowed(requestOrigin: string, allowed: Origin): boolean {
  if (typeof allowed === "string") return requestOrigin === allowed;
  if (typeof allowed === "boolean") return allowed;
  // `test` of one with the flag g or y would go on where it stopped at somebody else's origin.
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
    // An async function that fails calls back no more.
    Promise.resolve(done).catch(reject);
  });
}
