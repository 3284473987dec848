import type { Hono } from "hono";
import { Hono as QuickHono } from "hono/quick";
import { getPath } from "hono/utils/url";
import { EngineError } from "../engine/errors.ts";
import { type ObservedFact, type Observer, toRefusalFact } from "../engine/observed.ts";
import { type EngineRequest, type RequestRecord, toRequest } from "../engine/request.ts";
import {
  CANDIDATE_REFUSED,
  type InternalRequest,
  type Operation,
  SHARD_FULL,
  SID_HEADER,
  toClientResponse,
  toInternalRequest,
  VERSION,
} from "../objects/internal-request.ts";
import { MAIN } from "../objects/placement/object-name.ts";
import type { Placement } from "../objects/placement/placement.ts";
import { waitForPayload } from "../objects/sessions/channel.ts";
import type { SessionId } from "../shared/ids.ts";
import { toErrorResponse } from "../transports/errors.ts";
import { okResponse, payloadResponse } from "../transports/polling.ts";
import { toCookie } from "./cookie.ts";
import { type CorsResult, NO_CORS, resolveCors } from "./cors.ts";
import { toHandshakeData } from "./handshake-data.ts";
import type { AppContext, AppOptions, Visit } from "./options.ts";
import { OriginGuard } from "./origin.ts";
import { serveClientFile } from "./serve-client.ts";
import { toNewcomer, toServerName } from "./server-name.ts";
import { type Asked, SessionRequests, toRecord } from "./session-requests.ts";
import { checkAllowed, checkProtocol, type Verified, verify } from "./verify.ts";

export type App = Hono<{ Bindings: Cloudflare.Env }>;

/**
 * The Worker's side as a Hono app. It answers what needs no object (preflights, the client's files, refusals, POSTs
 * that hold a pong alone) and sends everything else to the object of the session.
 */
export function createApp(
  options: AppOptions,
  placement: Placement,
  observe: Observer<Cloudflare.Env> | undefined,
): App {
  if (options.serveClient && !options.serveClient.files) {
    throw new Error('the option serveClient needs the clientFiles of "socket.io-edge/client-files"');
  }
  const path = toPath(options.path);
  const origins = options.checkOrigin === false ? undefined : new OriginGuard();
  const door: Door = { options, path, placement, origins, observe, requests: new SessionRequests() };
  // It has one route: the router that Hono takes by default would spend a millisecond on a regular expression for it.
  const app: App = new QuickHono();
  // The path as Hono reads it, so that a middleware on `/socket.io/*` sees every request that is served.
  const isOurs = (asked: string) => asked === path || asked.startsWith(`${path}/`);
  app.all("*", async (c: AppContext, next) => {
    if (!isOurs(c.req.path)) return next();
    const response = await serve(c, door);
    return c.req.routeIndex > 0 ? addPrepared(c, response) : response;
  });
  passBy(app, isOurs, door);
  return app;
}

/**
 * Serves requests without Hono's router and context: the app's first route is ours, so nothing that is added to the app
 * sees them. Functions of the options may be given the context, and then it is needed. Without it a polling round trip
 * takes 6 % less, and the first connect of an isolate does not compile the router.
 */
function passBy(app: App, isOurs: (path: string) => boolean, door: Door): void {
  const { allowRequest, handshakeData } = door.options;
  if (allowRequest !== undefined || handshakeData !== undefined) return;
  const { fetch } = app;
  app.fetch = (raw, env, executionCtx) => {
    const path = getPath(raw);
    // Hono answers HEAD with the headers of GET.
    if (raw.method === "HEAD" || !isOurs(path)) return fetch(raw, env, executionCtx);
    return serve({ env, executionCtx, req: { raw, path } } as Visit, door).catch((error) =>
      refuse(error, false),
    );
  };
}

/** What does not change from request to request. */
interface Door {
  readonly options: AppOptions;
  readonly path: string;
  readonly placement: Placement;
  readonly origins: OriginGuard | undefined;
  readonly observe: Observer<Cloudflare.Env> | undefined;
  readonly requests: SessionRequests;
}

async function serve(c: Visit, door: Door): Promise<Response> {
  const request = c.req.raw;
  const { options } = door;
  const client = toRequest({ method: request.method, url: request.url, headers: [] }, request.headers);
  const isUpgrade = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  let cors = NO_CORS;
  let response: Response;
  try {
    if (options.cors) {
      cors = await resolveCors(options.cors, client).catch((error: unknown) => {
        throw new EngineError("BAD_REQUEST", { name: "MIDDLEWARE_FAILURE", error });
      });
    }
    response = toPreflight(cors) ?? toFile(c, door) ?? (await forward(c, client, isUpgrade, door, cors));
  } catch (error) {
    response = refuse(error, isUpgrade);
    if (error instanceof EngineError) {
      outlive(c, tell(error, client, c.env, options));
      observed(door, c, toRefusalFact(error));
    } else observed(door, c, { type: "error", level: "error", message: "a request failed", error });
  }
  addHeaders(response, cors, client);
  return response;
}

/** Asks the object of the session, and answers with what it says. @throws EngineError */
async function forward(
  c: Visit,
  client: EngineRequest,
  isUpgrade: boolean,
  door: Door,
  cors: CorsResult,
): Promise<Response> {
  const { options, placement, requests } = door;
  const request = c.req.raw;
  const record = client._query.sid ? undefined : toRecord(request);
  if (record !== undefined) checkSize(record, options.maxHeaderBytes);
  if (record !== undefined && isUpgrade) door.origins?.check(client, cors);
  const verified = verify(client, isUpgrade, options);
  if (record !== undefined) {
    if (options.allowRequest !== undefined) await checkAllowed(client, options, c as AppContext);
    checkProtocol(verified, options);
  }
  if (isUpgrade && verified.transport !== "websocket") return openAndClose();
  const op = toOperation(request.method, verified, isUpgrade);
  const asked: Asked = { v: VERSION, op, ...verified };
  if (record !== undefined) return open(c, door, client, { ...asked, request: record });
  const sid = verified.sid as SessionId;
  const object = placement.of(c.env, sid);
  if (object === undefined) throw new EngineError("UNKNOWN_SID", { sid });
  if (op === "poll") return poll(c, door, asked, object);
  // Longer bodies are not read here, so that the object sees an upload that overlaps another one or is too large.
  const isShort = op === "post" && request.headers.get("content-length") === "1";
  const body = isShort ? await request.text() : request.body;
  // A POST that holds a pong alone is answered here: the next poll proves better that the client is there.
  if (body === "3" && asked.protocol === 4) return okResponse();
  const response = await requests.ask(object, asked, request, body);
  if (response.status === CANDIDATE_REFUSED) return openAndClose();
  if (op === "post" && response.status === 200) return okResponse(requests.ownHeaders(response.headers));
  return toClientResponse(response);
}

/** A GET of a session. */
async function poll(
  c: Visit,
  { placement, requests }: Door,
  asked: Asked,
  object: DurableObjectStub,
): Promise<Response> {
  const request = c.req.raw;
  let stub: DurableObjectStub | undefined = object;
  const ask = () => {
    // A stub that has failed stays broken.
    const reached = stub ?? placement.of(c.env, asked.sid as SessionId)!;
    stub = undefined;
    return requests.ask(reached, asked, request);
  };
  const outcome = await waitForPayload(ask, request.signal);
  if (outcome.type === "response") return toClientResponse(outcome.response);
  return payloadResponse(outcome.payload, requests.ownHeaders(outcome.headers));
}

/** A handshake. */
async function open(c: Visit, door: Door, client: EngineRequest, asked: InternalRequest): Promise<Response> {
  const { options, placement } = door;
  const data = options.handshakeData && (await toHandshakeData(client, options, c as AppContext));
  const name = options.name ? await toServerName(client, options, c.env, data) : MAIN;
  // Cloudflare sets this header itself, whatever the client sent.
  const address = c.req.raw.headers.get("cf-connecting-ip") ?? "";
  const secure = asked.request.url.startsWith("https:");
  // Only where there are several objects to choose from: the runtime makes an object of all of `request.cf`.
  const isChosen = options.shardBy !== undefined || placement.shards.length > 1;
  const newcomer = isChosen ? await toNewcomer(client, address, options, c, data) : undefined;
  const places = placement.forNew(c.env, name, newcomer);
  const passes = places.length > 1;
  for (const { stub, shard } of places) {
    const meta = { ...asked, address, secure, data, name, shard, passes };
    const response = await stub.fetch(...toInternalRequest(meta));
    if (response.status === SHARD_FULL) continue;
    return addCookie(await toClientResponse(response), asked.op, response, options);
  }
  observed(door, c, { type: "refusal", code: "OBJECT_FULL", status: 503 });
  return new Response(null, { status: 503, headers: { "retry-after": "5" } });
}

/** A session keeps its handshake, so it must not be too large. @throws EngineError */
function checkSize({ url, headers }: RequestRecord, most: number): void {
  const bytes = headers.reduce((sum, [name, value]) => sum + name.length + value.length, url.length);
  if (bytes > most) throw new EngineError("HEADERS_TOO_LARGE", { bytes });
}

function toOperation(method: string, { sid, transport }: Verified, isUpgrade: boolean): Operation {
  if (isUpgrade) return sid === "" ? "socket" : "upgrade";
  if (sid === "") return "open";
  if (method === "GET") return transport === "polling" ? "poll" : "other";
  return method === "POST" ? "post" : "other";
}

function toFile(c: Visit, { options: { serveClient }, path }: Door): Response | undefined {
  if (!serveClient) return undefined;
  return serveClientFile(c.req.raw, serveClient, c.req.path.slice(path.length + 1));
}

function toPreflight({ preflightStatus }: CorsResult): Response | undefined {
  if (preflightStatus === undefined) return undefined;
  return new Response(null, { status: preflightStatus, headers: { "content-length": "0" } });
}

/** Whatever goes wrong, the client is told a number and a text of the protocol; the rest goes to the log. */
function refuse(error: unknown, isUpgrade: boolean): Response {
  if (error instanceof EngineError) return toErrorResponse(error, isUpgrade);
  console.error("socket.io-edge: a request failed", error);
  return new Response("Internal Server Error", { status: 500 });
}

async function tell(
  { code, message, context }: EngineError,
  req: EngineRequest,
  env: Cloudflare.Env,
  { onConnectionError }: AppOptions,
): Promise<void> {
  try {
    await onConnectionError?.({ req, code, message, context }, env);
  } catch (failure) {
    console.error("socket.io-edge: onConnectionError failed", failure);
  }
}

function observed({ observe }: Door, c: Visit, fact: ObservedFact): void {
  observe?.({ ...fact, where: "worker", time: Date.now() }, c.env, (task) => outlive(c, task));
}

/** Lets a task go on after the response: the runtime cancels tasks that it was not told of. */
function outlive(c: Visit, task: Promise<unknown>): void {
  try {
    c.executionCtx.waitUntil(task);
  } catch {
    // Hono's `app.request` has no context, and cancels nothing.
  }
}

/** A WebSocket that no transport takes is accepted and closed, as on Node. */
function openAndClose(): Response {
  const { 0: webSocket, 1: server } = new WebSocketPair();
  server.accept();
  server.close();
  return new Response(null, { status: 101, webSocket });
}

function addCookie(answer: Response, op: Operation, response: Response, { cookie }: AppOptions): Response {
  // Only the polling handshake carries it.
  if (op !== "open" || !cookie) return answer;
  const sid = response.headers.get(SID_HEADER);
  if (sid === null) return answer;
  const { headers } = answer;
  const others = headers.getSetCookie();
  headers.set("set-cookie", toCookie(cookie, sid));
  for (const other of others) headers.append("set-cookie", other);
  return answer;
}

function addHeaders(response: Response, cors: CorsResult, client: EngineRequest): void {
  for (const [name, value] of cors.headers) {
    if (name === "vary") response.headers.append(name, value);
    else response.headers.set(name, value);
  }
  if (response.webSocket) {
    const [subprotocol] = client.headers.get("sec-websocket-protocol")?.split(",") ?? [];
    // A client that offers subprotocols hangs up when none is accepted. Node accepts the first one.
    if (subprotocol && !response.headers.has("sec-websocket-protocol")) {
      response.headers.set("sec-websocket-protocol", subprotocol.trim());
    }
    return;
  }
  const isExplorer = /;MSIE|Trident\//.test(client.headers.get("user-agent") ?? "");
  if (isExplorer) response.headers.set("x-xss-protection", "0");
}

/** Headers of our responses that those of a middleware must not replace. */
const OWN_HEADERS: ReadonlySet<string> = new Set(["content-type", "content-length", "cache-control"]);

/** Adds the headers that middlewares set before `next()`. Hono does so only for responses that its context creates. */
function addPrepared(c: AppContext, response: Response): Response {
  const { headers } = response;
  for (const [name, value] of c.res.headers) {
    if (name === "set-cookie" || name === "vary") headers.append(name, value);
    else if (!OWN_HEADERS.has(name)) headers.set(name, value);
  }
  // Assigned directly, Hono would merge the headers once more, and lose cookies.
  c.res = undefined;
  c.res = response;
  return response;
}

/** The path of the options, read as Hono reads that of a request, without a slash at its end. */
function toPath(given: string): string {
  const url = new URL("http://localhost");
  url.pathname = given;
  return getPath({ url: url.href } as Request).replace(/\/$/, "");
}
