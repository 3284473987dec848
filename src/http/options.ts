import type { Context } from "hono";
import type { EngineError } from "../engine/errors.ts";
import type { EngineOptions } from "../engine/options.ts";
import type { EngineRequest } from "../engine/request.ts";
import type { Untyped } from "../shared/untyped.ts";
import type { CorsDelegate, CorsOptions } from "./cors.ts";
import type { ClientFiles } from "./serve-client.ts";

/** The session cookie of the polling handshake. */
export interface CookieOptions {
  /** @default "io" */
  name?: string;
  /** `false` leaves it out. @default "/" */
  path?: string | false;
  /** @default true */
  httpOnly?: boolean;
  /** `true` is "strict". @default "lax" */
  sameSite?: boolean | "strict" | "lax" | "none";
  /** Seconds. */
  maxAge?: number;
  domain?: string;
  expires?: Date;
  secure?: boolean;
  partitioned?: boolean;
  priority?: "low" | "medium" | "high";
  encode?(value: string): string;
}

/** Hono's context of a request, with the variables that middlewares in front of the app have set. */
export type AppContext = Context<{ Bindings: Cloudflare.Env; Variables: Record<string, Untyped> }>;

type Awaitable<T> = T | Promise<T>;

/** Options of the HTTP side, with the names and defaults of the official server; those that Node does not have are listed in docs/differences.md. */
export interface HttpOptions<Handshake = Untyped> {
  /** @default "/socket.io", or "/engine.io" for `defineEngine` */
  path?: string;
  /** Whether the path ends with a slash. Requests are served with and without. @default true */
  addTrailingSlash?: boolean;
  /** @default false */
  cors?: boolean | CorsOptions | CorsDelegate;
  /**
   * Where `cors.origin` names origins, a WebSocket that a page of any other origin opens is refused with 403 and code 4,
   * and the log names the origin once. The server's own host may always, and so may clients that send no `Origin`.
   * `false` lets in the pages of anybody, as Socket.IO on Node does.
   * @default true
   */
  checkOrigin?: boolean;
  /** `true` sets a cookie `io` with the session id at the polling handshake. @default false */
  cookie?: boolean | CookieOptions;
  /**
   * Decides in the Worker, before any object is touched, whether a client may connect. `true` lets it in, a string
   * refuses with that message, everything else refuses.
   * @example allowRequest: (request, env) => request.headers.get("origin") === env.ORIGIN || "Wrong origin"
   */
  allowRequest?(request: EngineRequest, env: Cloudflare.Env, c: AppContext): Awaitable<boolean | string>;
  /** Accepted, without effect: the compatibility flag `no_web_socket_compression` decides whether WebSockets are compressed. */
  perMessageDeflate?: unknown;
  /** Accepted, without effect: Cloudflare compresses answers by itself. */
  httpCompression?: unknown;
  /** The official client's files, from "socket.io-edge/client-files". @default false */
  serveClient?: ClientFiles | false;
  /**
   * Says what the Worker knows of a client that `allowRequest` let in: it is `socket.handshake.data`, awake and asleep,
   * for as long as the connection lives, and no client can forge it. Plain JSON data of at most 8,000 bytes. When it
   * throws or returns anything else the client is refused with 403, and the log says why.
   * @example handshakeData: async (request, env, c) => ({ user: c.var.session.userId })
   */
  handshakeData?(request: EngineRequest, env: Cloudflare.Env, c: AppContext): Awaitable<Handshake>;
  /**
   * Says which server a client belongs to that `allowRequest` let in: one for each tenant, document or match. Two names
   * share nothing: no rooms, no `io.emit`, no data. `data` is what `handshakeData` gave. A name is well-formed text of 1
   * to 256 bytes; any other is refused with 400, and with 403 a client for whom it throws. Each name is an object that
   * you pay for while it is in use: let clients invent none.
   * @default "main"
   * @example name: (request, env, data) => data.tenant
   */
  name?(request: EngineRequest, env: Cloudflare.Env, data: Handshake): Awaitable<string>;
  /**
   * Names of the Durable Object bindings. Without a binding of that name, the exported class is used.
   * @default { sessions: "SESSIONS", rooms: "ROOMS" }
   */
  bindings?: { sessions?: string; rooms?: string };
  /** Where an object is placed when it is first used: https://developers.cloudflare.com/durable-objects/reference/data-location/ */
  locationHint?: DurableObjectLocationHint;
  /** Restricts where the object runs and stores. It cannot be changed later: other jurisdictions are other objects. */
  jurisdiction?: DurableObjectJurisdiction;
  /** Told of every request that the Worker refuses, and may take its time; what the object refuses is `connection_error` of `io.engine`. */
  onConnectionError?(error: RefusedConnection, env: Cloudflare.Env): void;
}

/** A request that was refused in the Worker. */
export interface RefusedConnection {
  readonly req: EngineRequest;
  readonly code: EngineError["code"];
  readonly message: string;
  readonly context: Record<string, unknown>;
}

export interface AppOptions extends HttpOptions, EngineOptions {}
