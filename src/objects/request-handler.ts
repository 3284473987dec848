import { decodePayload } from "../codec/index.ts";
import type { EndCode } from "../engine/end-codes.ts";
import { EngineError } from "../engine/errors.ts";
import { type HandshakeRecord, toOpenFrames } from "../engine/handshake.ts";
import { isExpired } from "../engine/heartbeat.ts";
import { toRefusalFact } from "../engine/observed.ts";
import { type EngineRequest, headerOf, toRequest } from "../engine/request.ts";
import type { Session } from "../engine/session.ts";
import type { SessionId } from "../shared/ids.ts";
import { BINARY_TYPE, decodePayloadV3 } from "../transports/eio3.ts";
import { toErrorResponse } from "../transports/errors.ts";
import { BodyTooLarge, payloadResponse, toPacketLimit, toPayload } from "../transports/polling.ts";
import {
  CANDIDATE_REFUSED,
  fromInternalRequest,
  type InternalRequest,
  SHARD_FULL,
  SID_HEADER,
  toWantedHeader,
  VERSION,
  type Wanted,
} from "./internal-request.ts";
import { isMain } from "./placement/object-name.ts";
import type { Platform } from "./platform.ts";
import type { ActiveSession } from "./sessions/active-session.ts";
import { baseBytes } from "./sessions/base-bytes.ts";
import { openChannel } from "./sessions/channel.ts";
import { type Heartbeat, SILENT } from "./sessions/heartbeat.ts";
import { hexToBase64Url } from "./sessions/session-id.ts";
import type { SessionTable } from "./sessions/session-table.ts";
import { pollTag, socketTag } from "./sessions/socket-tags.ts";
import type { SocketRole } from "./storage/session-store.ts";
import type { Turns } from "./turns.ts";
import { SetupFailed, type UserCode } from "./user-code.ts";

/** There is no room for another session. */
function full(bound: string, publicMessage: string): EngineError {
  return new EngineError("OBJECT_FULL", { message: `${bound} is reached` }, publicMessage);
}

/** The object's answers to what the Worker asks. */
export class RequestHandler<Api> {
  readonly #platform: Platform;
  readonly #table: SessionTable;
  readonly #turns: Turns;
  readonly #heartbeat: Heartbeat;
  readonly #userCode: UserCode<Api>;

  constructor(
    platform: Platform,
    table: SessionTable,
    turns: Turns,
    heartbeat: Heartbeat,
    userCode: UserCode<Api>,
  ) {
    this.#platform = platform;
    this.#table = table;
    this.#turns = turns;
    this.#heartbeat = heartbeat;
    this.#userCode = userCode;
  }

  async fetch(request: Request): Promise<Response> {
    this.#platform.tally.counts.requests++;
    const meta = fromInternalRequest(request);
    if (meta === undefined) return new Response("Not found", { status: 404 });
    // A Worker of an earlier deploy did not ask for `handshakeData`: its clients try again, and then meet a new Worker.
    const isUnasked = this.#platform.needsHandshakeData && meta.sid === "" && meta.data === undefined;
    if (meta.v !== VERSION || isUnasked) return this.#answer503("DEPLOYING");
    if (meta.sid === "") this.#platform.identity.tell(meta);
    const isUpgrade = meta.op === "socket" || meta.op === "upgrade";
    try {
      // An object that was never told its name has no session, and the user's code cannot run there.
      const isKnown = this.#platform.identity.address !== undefined;
      if (!isKnown) throw new EngineError("UNKNOWN_SID", { sid: meta.sid });
      this.#heartbeat.healAlarm();
      // Listeners for headers and refusals are user code, so setup comes before the first request after hibernation.
      const ready = this.#userCode.ready();
      if (ready !== undefined) await ready;
      switch (meta.op) {
        case "open":
          return await this.#open(meta);
        case "socket":
          return await this.#openSocket(meta);
        case "poll":
          return this.#poll(meta);
        case "post":
          return await this.#post(meta, request);
        case "upgrade":
          return this.#upgrade(meta);
        case "other":
          this.#find(meta);
          // What engine.io answers to a method that no transport knows.
          return new Response(null, { status: 500 });
        case "show":
          return this.#show(meta);
      }
    } catch (error) {
      if (error instanceof EngineError) return this.#refuse(error, meta, isUpgrade);
      if (error instanceof SetupFailed) return this.#putOff(error, meta);
      this.#platform.log("error", `a request (${meta.op}) failed`, error);
      return new Response(null, { status: 500 });
    } finally {
      this.#turns.end();
    }
  }

  /**
   * Setup has failed, so nobody is served. The session of the request ends, except for an upgrade: it goes on polling.
   */
  #putOff({ retryAt }: SetupFailed, { op, sid }: InternalRequest): Response {
    const active = op === "upgrade" ? undefined : this.#table.get(sid);
    if (active !== undefined) this.#userCode.abandon(active.session);
    const seconds = Math.max(1, Math.ceil((retryAt - this.#platform.now()) / 1_000));
    return this.#answer503("SETUP_FAILED", { "retry-after": String(seconds) });
  }

  #answer503(code: "SETUP_FAILED" | "DEPLOYING", headers?: HeadersInit): Response {
    this.#platform.observe?.({ type: "refusal", code, status: 503 });
    return new Response(null, { status: 503, ...(headers && { headers }) });
  }

  #refuse(refusal: EngineError, { request, isBrief, passes }: InternalRequest, isUpgrade: boolean): Response {
    if (passes && refusal.id === "OBJECT_FULL") return new Response(null, { status: SHARD_FULL });
    const { engine } = this.#userCode.host;
    const response = toErrorResponse(refusal, isUpgrade);
    this.#platform.observe?.(toRefusalFact(refusal));
    if (engine.listenerCount("connection_error") === 0) return response;
    const { code, message, context } = refusal;
    const error = { code, message, context };
    if (isBrief) response.headers.set(...toWantedHeader({ error }));
    else engine.emit("connection_error", { req: toRequest(request), ...error });
    return response;
  }

  /** Listeners see a request that was answered before. */
  #show({ sid, request, wanted = "{}" }: InternalRequest): Response {
    const { error, isUpgrade } = JSON.parse(wanted) as Wanted;
    const client = toRequest(request);
    if (error === undefined) {
      return taken(this.#tellHeaders(client, isUpgrade ? undefined : this.#table.get(sid)?.session));
    }
    this.#userCode.host.engine.emit("connection_error", { req: client, ...error });
    return taken(undefined);
  }

  async #open(meta: InternalRequest): Promise<Response> {
    const client = toRequest(meta.request);
    const handshake = this.#toHandshake(meta);
    await this.#platform.cluster.greet();
    const bytes = baseBytes(handshake);
    const sid = this.#admit(await this.#makeId(meta, client), bytes);
    const active = this.#table.create(sid, handshake, "polling", null, bytes);
    const headers = this.#handshakeHeaders(client) ?? new Headers();
    headers.set(SID_HEADER, sid);
    // What `connection` listeners send goes out with the second poll, as on Node.
    const frames = toOpenFrames(sid, "polling", this.#platform.options);
    const response = payloadResponse(toPayload(frames, active.handshake), headers);
    this.#announce(active);
    return response;
  }

  async #openSocket(meta: InternalRequest): Promise<Response> {
    const client = toRequest(meta.request);
    const handshake = this.#toHandshake(meta);
    await this.#platform.cluster.greet();
    const bytes = baseBytes(handshake);
    const sid = this.#admit(await this.#makeId(meta, client), bytes);
    const { 0: peer, 1: socket } = new WebSocketPair();
    this.#platform.ctx.acceptWebSocket(socket, [socketTag(sid)]);
    const active = this.#table.create(sid, handshake, "websocket", socket, bytes);
    const headers = this.#handshakeHeaders(client);
    active.session.sendHandshake(toOpenFrames(sid, "websocket", this.#platform.options));
    this.#announce(active);
    return new Response(null, { status: 101, webSocket: peer, ...(headers && { headers }) });
  }

  #poll(meta: InternalRequest): Response {
    const active = this.#find(meta);
    const { session } = active;
    const limit = toPacketLimit(headerOf(meta.request, "user-agent"));
    active.loadQueue(limit);
    const answer = session.poll(limit);
    if (answer.type === "refuse") return new Response(null, { status: 400 });
    const headers = this.#headers(meta, session);
    if (answer.type === "reply") return payloadResponse(toPayload(answer.frames, active.handshake), headers);
    const role: SocketRole = { v: 1, k: "p", sid: session.id, ...answer.poll };
    const tag = pollTag(session.id);
    const { socket, response } = openChannel(this.#platform.ctx, tag, role, answer.pingInMs, headers);
    active.poll = socket;
    this.#table.link(active, socket);
    return response;
  }

  async #post(meta: InternalRequest, request: Request): Promise<Response> {
    const active = this.#find(meta);
    const { session } = active;
    const fail = (code: EndCode, status = 400) => {
      session.dispatch({ type: "transport-gone", code });
      return new Response(null, { status });
    };
    const isBinary = request.headers.get("content-type") === BINARY_TYPE;
    if (active.upload !== undefined) return fail("DATA_REQUEST_OVERLAP_FROM_CLIENT");
    if (meta.protocol === 4 && isBinary) {
      return fail("INVALID_CONTENT");
    }
    const upload = active.beginUpload();
    let body: Uint8Array | string;
    try {
      body = await upload.read(request, this.#platform.options.maxHttpBufferSize, isBinary);
    } catch (error) {
      // Its client gives the connection up as well, without saying so: `disconnect` need not wait for the heartbeat.
      if (error instanceof BodyTooLarge) return fail("TOO_LARGE", 413);
      // After an upgrade, a POST that fails does not end the session.
      if (session.state.transport === "websocket") return new Response(null, { status: 400 });
      return fail(error === SILENT ? "DATA_REQUEST_TIMED_OUT" : "DATA_REQUEST_CONNECTION_CLOSED_PREMATURELY");
    } finally {
      active.endUpload();
    }
    if (session.readyState === "closed") return new Response(null, { status: 400 });
    // A refusal would look like a broken transport to the client, which has not heard of the close yet.
    if (session.readyState === "closing") return taken(this.#headers(meta, session));
    const { packets, error } = meta.protocol === 3 ? decodePayloadV3(body) : decodePayload(body as string);
    const now = this.#platform.now();
    for (const packet of packets) session.dispatch({ type: "packet", packet, now });
    if (error !== null) {
      session.dispatch({ type: "transport-gone", code: "PARSE_ERROR", description: error });
      return new Response(null, { status: 400 });
    }
    return taken(this.#headers(meta, session));
  }

  #upgrade(meta: InternalRequest): Response {
    const active = this.#find(meta);
    const { session } = active;
    if (!session.admitCandidate()) return new Response(null, { status: CANDIDATE_REFUSED });
    const { 0: peer, 1: socket } = new WebSocketPair();
    this.#platform.ctx.acceptWebSocket(socket, [socketTag(session.id)]);
    socket.serializeAttachment({ v: 1, k: "c", sid: session.id } satisfies SocketRole);
    this.#table.link(active, socket);
    active.attachCandidate(socket, meta.b64);
    const headers = this.#headers(meta);
    return new Response(null, { status: 101, webSocket: peer, ...(headers && { headers }) });
  }

  /** Creates the random part of a new session's id. @throws EngineError */
  #makeId(meta: InternalRequest, client: EngineRequest): string | Promise<string> {
    const { engine } = this.#userCode.host;
    if (meta.protocol !== 4 && !this.#platform.options.allowEIO3) {
      throw new EngineError("UNSUPPORTED_PROTOCOL_VERSION", { protocol: meta.protocol });
    }
    return engine.makesOwnIds ? this.#askForId(client) : engine.generateId(client);
  }

  /** Calls the application's `generateId`. @throws EngineError */
  async #askForId(client: EngineRequest): Promise<string> {
    const { engine } = this.#userCode.host;
    try {
      const id = await engine.generateId(client);
      if (/^[\w-]{1,128}$/.test(id)) return id;
      throw new Error("generateId has to return 1 to 128 letters, digits, - or _");
    } catch (error) {
      throw new EngineError("BAD_REQUEST", { name: "ID_GENERATION_ERROR", error });
    }
  }

  /**
   * Checks that there is room for a session and that its id is free, in the same turn in which it is created.
   * @throws EngineError
   */
  #admit(id: string, bytes: number): SessionId {
    const { budget, options } = this.#platform;
    const { engine } = this.#userCode.host;
    if (this.#platform.cluster.isRetired) throw full("shards", "Too many sessions");
    if (this.#table.isFull(options.maxSessions)) {
      throw full("maxSessions", "Too many sessions");
    }
    if (!budget.admits(bytes)) {
      throw full("maxHeldBytes", "Too many bytes are held");
    }
    const sid = this.#toSessionId(id);
    if (engine.makesOwnIds && this.#table.has(sid)) {
      const error = new Error("generateId returned the id of a session that exists");
      throw new EngineError("BAD_REQUEST", { name: "ID_GENERATION_ERROR", error });
    }
    return sid;
  }

  /** A session id names its object, unless that is the one named "main". */
  #toSessionId(id: string): SessionId {
    const { identity, ctx } = this.#platform;
    const { address } = identity;
    const isPlain = address !== undefined && isMain(address);
    return (isPlain ? id : `${id}.${hexToBase64Url(ctx.id.toString())}`) as SessionId;
  }

  /** The session that a request names. @throws EngineError when there is none, or the request does not fit it */
  #find(meta: InternalRequest): ActiveSession {
    const active = this.#table.get(meta.sid);
    if (active === undefined || active.session.readyState === "closed") {
      throw new EngineError("UNKNOWN_SID", { sid: meta.sid });
    }
    const { session } = active;
    const { state } = session;
    const now = this.#platform.now();
    if (state.phase === "open" && isExpired(state, now, active.pongedAt(), this.#platform.rules)) {
      session.dispatch({ type: "tick", now, pongedAt: active.pongedAt(), lateness: 0 });
      throw new EngineError("UNKNOWN_SID", { sid: meta.sid });
    }
    if (meta.op !== "upgrade" && state.transport !== meta.transport) {
      const { transport } = meta;
      const context = { name: "TRANSPORT_MISMATCH", transport, previousTransport: state.transport };
      throw new EngineError("BAD_REQUEST", context);
    }
    if (session.protocol !== meta.protocol) {
      const context = {
        name: "PROTOCOL_MISMATCH",
        protocol: meta.protocol,
        previousProtocol: session.protocol,
      };
      throw new EngineError("BAD_REQUEST", context);
    }
    return active;
  }

  /** Tells the server and listeners of a new session. It is saved, whatever they do. */
  #announce({ session }: ActiveSession): void {
    const { host } = this.#userCode;
    const { protocol, transport } = session;
    host.observe?.({ type: "connect", transport: transport.name, protocol });
    host.server.open(session);
    if (host.engine.listenerCount("connection") > 0) host.engine.emit("connection", session);
    session.changed();
    const { identity, persists } = this.#platform;
    // If storage fails, the session ends: without that row, nothing would know of it later.
    if (persists) this.#turns.saveLater({ session, save: () => identity.keep() });
    this.#heartbeat.ensureTick(session);
  }

  #toHandshake(meta: InternalRequest): HandshakeRecord {
    const { protocol, b64, address = "", secure = false, request, data } = meta;
    return { protocol, b64, address, secure, openedAt: this.#platform.now(), request, data };
  }

  /** What listeners add to the answer of a handshake; undefined when nobody listens. */
  #handshakeHeaders(client: EngineRequest): Headers | undefined {
    const { engine } = this.#userCode.host;
    if (engine.listenerCount("initial_headers") + engine.listenerCount("headers") === 0) return undefined;
    const headers = new Headers();
    engine.emit("initial_headers", headers, client);
    engine.emit("headers", headers, client);
    return headers;
  }

  /** As on Node, listeners of the session's transport are not asked about the answer to an upgrade. */
  #headers({ request, isBrief }: InternalRequest, session?: Session): Headers | undefined {
    const { engine } = this.#userCode.host;
    const heard = engine.listenerCount("headers") + (session?.transport.listenerCount("headers") ?? 0);
    if (heard === 0) return undefined;
    if (isBrief) return new Headers([toWantedHeader({ isUpgrade: session === undefined })]);
    return this.#tellHeaders(toRequest(request), session);
  }

  #tellHeaders(client: EngineRequest, session: Session | undefined): Headers {
    const headers = new Headers();
    this.#userCode.host.engine.emit("headers", headers, client);
    session?.transport.emit("headers", headers, client);
    return headers;
  }
}

/** A POST was accepted. The Worker writes the body: two letters from here would cost a stream between the two. */
function taken(headers: Headers | undefined): Response {
  return new Response(null, headers && { headers });
}
