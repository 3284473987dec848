import type { Context } from "hono";
import type { EngineError } from "../engine/errors.ts";
import type { ObservedEvent } from "../engine/observed.ts";
import type { ResolvedEngineOptions } from "../engine/options.ts";
import type { EngineRequest } from "../engine/request.ts";
import type { ShardsOption } from "../objects/placement/shards.ts";
import type { Untyped } from "../shared/untyped.ts";
import type { CorsDelegate, CorsOptions } from "./cors.ts";
import type { ClientFiles } from "./serve-client.ts";

/** The session cookie of the polling handshake, for load balancers: neither client nor server reads it. */
export interface CookieOptions {
  /** @default "io" */
  name?: string;
  /** `false` leaves the attribute out. @default "/" */
  path?: string | false;
  /** @default true */
  httpOnly?: boolean;
  /** `true` means "strict". @default "lax" */
  sameSite?: boolean | "strict" | "lax" | "none";
  /** How long the browser keeps the cookie, seconds. @default until the browser is closed */
  maxAge?: number;
  /** @default the host of the request */
  domain?: string;
  /** When the browser forgets the cookie; `maxAge` wins over it. */
  expires?: Date;
  /** The cookie is sent over https only. @default false */
  secure?: boolean;
  /** The cookie is kept apart for each top-level site (CHIPS). @default false */
  partitioned?: boolean;
  /** Which cookies a browser discards first when it has too many. Chromium alone knows it. */
  priority?: "low" | "medium" | "high";
  /** Encodes the session id as the cookie's value. @default encodeURIComponent */
  encode?(value: string): string;
}

/**
 * Hono's context of a request, with the variables that middlewares in front of the app have set. Their types are known
 * to the user's own middlewares alone, hence `Untyped`.
 */
export type AppContext = Context<{ Bindings: Cloudflare.Env; Variables: Record<string, Untyped> }>;

/** What the server itself uses of that context. It is whole wherever a function of the options is given it. */
export type Visit = Pick<AppContext, "env" | "executionCtx"> & {
  readonly req: Pick<AppContext["req"], "raw" | "path">;
};

type Awaitable<T> = T | Promise<T>;

/**
 * Options of the HTTP side, with the names and defaults of the official server; docs/differences.md lists those that do
 * not exist on Node. `Handshake` is what `handshakeData` returns; without a type for it, `socket.handshake.data` is as
 * unchecked as `socket.data` is.
 */
export interface HttpOptions<Handshake = Untyped> {
  /** The path that clients connect to. @default "/socket.io", or "/engine.io" for `defineEngine` */
  path?: string;
  /** Whether the path ends with a slash. Requests are served with and without it. @default true */
  addTrailingSlash?: boolean;
  /**
   * Which pages of other origins may connect, in the words of the `cors` package. `true` allows all of them.
   * @default false
   * @example cors: { origin: "https://example.com", credentials: true }
   */
  cors?: boolean | CorsOptions | CorsDelegate;
  /**
   * When `cors.origin` names origins, a WebSocket that a page of another origin opens is refused with 403 and code 4
   * ("Forbidden"), and the log names the origin once. Pages of the server's own host may always connect, and so may
   * clients that send no `Origin`. `false` lets in all pages, as Socket.IO on Node does.
   * @default true
   */
  checkOrigin?: boolean;
  /** `true` sets a cookie `io` with the session id at the polling handshake. @default false */
  cookie?: boolean | CookieOptions;
  /**
   * Decides in the Worker, before any object is used, whether a client may connect. `true` lets it in. A string refuses
   * it with 403, code 4 and that message; everything else refuses it with "Forbidden", and so does an error, which is
   * logged.
   * @example allowRequest: (request, env) => request.headers.get("origin") === env.ORIGIN || "Wrong origin"
   */
  allowRequest?(request: EngineRequest, env: Cloudflare.Env, c: AppContext): Awaitable<boolean | string>;
  /**
   * Accepted, without effect: the compatibility flag `no_web_socket_compression` decides whether WebSockets are
   * compressed.
   */
  perMessageDeflate?: unknown;
  /** Accepted, without effect: Cloudflare compresses responses by itself. */
  httpCompression?: unknown;
  /**
   * The official client's files, from "socket.io-edge/client-files", to be served under `path`.
   * @default false
   */
  serveClient?: ClientFiles | false;
  /**
   * Returns what the Worker knows of a client that `allowRequest` let in. It becomes `socket.handshake.data` for as
   * long as the connection lives, also after hibernation, and no client can forge it. It has to be plain JSON data of
   * at most 8,000 bytes. When the function throws or returns anything else, the client is refused with 403 and code 4,
   * and the log says why.
   * @example handshakeData: async (request, env, c) => ({ user: c.var.session.userId })
   */
  handshakeData?(request: EngineRequest, env: Cloudflare.Env, c: AppContext): Awaitable<Handshake>;
  /**
   * Returns the name of the server that a client belongs to, once `allowRequest` has let it in: one server for each
   * tenant, document or match. Two servers share nothing: no rooms, no `io.emit`, no data. `data` is what
   * `handshakeData` returned. A name is well-formed text of 1 to 256 bytes; a client with any other name is refused
   * with 400, and a client for whom the function throws with 403. Each name is an object that you pay for while it is
   * in use, so do not let clients invent names.
   * @default "main"
   * @example name: (request, env, data) => data.tenant
   */
  name?(request: EngineRequest, env: Cloudflare.Env, data: Handshake): Awaitable<string>;
  /**
   * The name of the Durable Object binding. Without a binding of that name, the exported class is used.
   * @default { sessions: "SESSIONS" }
   */
  bindings?: { sessions?: string };
  /**
   * Where an object is placed when it is first used.
   * @see https://developers.cloudflare.com/durable-objects/reference/data-location/
   */
  locationHint?: DurableObjectLocationHint;
  /**
   * Restricts where objects run and store. It cannot be changed later, because other jurisdictions have other objects.
   * @see https://developers.cloudflare.com/durable-objects/reference/data-location/
   */
  jurisdiction?: DurableObjectJurisdiction;
  /**
   * Called for every request that the Worker refuses. It may return a promise; the response does not wait for it. What
   * the object refuses is the event `connection_error` of `io.engine`.
   */
  onConnectionError?(error: RefusedConnection, env: Cloudflare.Env): void;
  /**
   * Called for what happens to connections, in the Worker and in the objects: who connects, disconnects and why, is
   * refused, upgrades or recovers, what is dropped, what goes wrong, and when an object wakes. It is called while that
   * happens, so it must not use `io` or sockets, and should be quick. It may return a promise; nobody waits for it,
   * but an object stays in memory until it settles. The first error that it throws is logged, and no error has another
   * effect.
   * @see https://github.com/socket.io-edge/socket.io-edge/blob/main/docs/observability.md
   * @example observe: (event) => console.log(JSON.stringify(event))
   */
  observe?(event: ObservedEvent, env: Cloudflare.Env): unknown;
}

/** A request that was refused in the Worker. */
export interface RefusedConnection {
  /** The request as the client sent it. */
  readonly req: EngineRequest;
  /** The number that the client is told, 0 to 5: https://socket.io/docs/v4/server-api/#eventconnection_error */
  readonly code: EngineError["code"];
  /** The text that belongs to the code. */
  readonly message: string;
  /** What was wrong, for your log. The client is not told. */
  readonly context: Record<string, unknown>;
}

/** How one server is spread over several objects. */
export interface ShardOptions<Handshake = Untyped> {
  /**
   * How many objects one server has: a number, or a number for each location hint, such as `{ weur: 4, enam: 4 }`. What
   * `io` and sockets do reaches all of them. At most 64 a region, and about 16 in all are advisable. `""` counts
   * objects without a hint: `{ "": 8, weur: 4 }` has those of `8` as well, for the time in which a server moves.
   * @default 1
   * @throws Error in `defineServer` for any other number, or a region that is no location hint
   */
  shards?: ShardsOption;
  /**
   * Says who belongs together: clients with the same key share an object. Without it a client goes to an object nearby,
   * and back to the same one as long as its address and user agent stay. A client for whom it throws, or returns no
   * text, is refused with 403.
   * @example shardBy: (request) => request._query.room
   */
  shardBy?(request: EngineRequest, env: Cloudflare.Env, data: Handshake): Awaitable<string>;
}

/** All options of the Worker's side, with their defaults. */
export interface AppOptions extends HttpOptions, ShardOptions, ResolvedEngineOptions {
  path: string;
}

/** `path`: the default of the option. */
export function resolveAppOptions(
  options: HttpOptions & ShardOptions,
  engine: ResolvedEngineOptions,
  path: string,
): AppOptions {
  return { ...options, ...engine, path: options.path ?? path };
}
